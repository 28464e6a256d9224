#include "protocol/wire/codec.h"

#include <array>
#include <string>

#include "protocol/wire/open_map.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/traits.h"
#include "protocol/wire/writer.h"

namespace genai {
namespace {

using wire::Census;
using wire::Cursor;
using wire::DecodeError;
using wire::Kind;
using wire::Path;
using wire::Reader;
using wire::Source;
using wire::Token;
using wire::Traits;

constexpr std::uint32_t kHeadFields = 2;  // version, type

template <class... M>
constexpr auto traits_of(const std::variant<M...>*) {
  return std::array<Traits, sizeof...(M)>{wire::kTraits<M>...};
}
constexpr auto kTypes = traits_of(static_cast<const AnyMessage*>(nullptr));

const Traits* find_type(std::uint64_t number) {
  for (const Traits& type : kTypes)
    if (type.number == number) return &type;
  return nullptr;
}

void check_whole(std::string_view bytes, const Path& path) {
  const Census census = wire::take_census(bytes);
  if (census.code != ErrorCode::kOk) refuse(census.code, path, census.problem);
}

const Traits& check_head(const Token& version, const Token& type, Direction direction) {
  const Path path{nullptr, "frame"};
  if (version.kind != Kind::kUint || version.uint != limits::kProtocolVersion)
    refuse(ErrorCode::kUnsupportedVersion, path, "this peer speaks version 1");
  if (type.kind != Kind::kUint)
    refuse(ErrorCode::kUnknownType, path, "type is not an unsigned integer");
  const Traits* traits = find_type(type.uint);
  if (!traits)
    refuse(ErrorCode::kUnknownType, path, "type " + std::to_string(type.uint) + " is unknown");
  if (!(traits->directions & static_cast<unsigned>(direction)))
    refuse(ErrorCode::kNotAllowed, path, std::string(traits->name) + " is not for this socket");
  return *traits;
}

/// The head of a frame, whatever follows; `size` is that of the whole array.
struct Head {
  std::uint32_t size = 0;
  Token version, type;
};
Head read_head(Cursor& cursor) {
  const Path path{nullptr, "frame"};
  const auto array = cursor.next();
  if (!array) refuse(ErrorCode::kMalformed, path, "expected [version, type, ...]");
  Head head{Reader::array_size(*array, path), {}, {}};
  const auto version = cursor.next(), type = cursor.next();
  if (head.size < kHeadFields || !version || !type)
    refuse(ErrorCode::kMalformed, path, "expected [version, type, ...]");
  head.version = *version;
  head.type = *type;
  return head;
}

template <class... M>
Message read_type(const Traits& traits, std::uint32_t size, Source& source,
                  const std::variant<M...>*) {
  const Path path{nullptr, traits.name.data()};
  Message message;
  const auto read = [&]<class Type>(Type body) {
    Reader::read(source, body, size, kHeadFields, path);
    message = std::move(body);
  };
  static_cast<void>(((wire::kTraits<M>.number == traits.number && (read(M{}), true)) || ...));
  return message;
}

Message read_frame(Source& source, Direction direction) {
  const Head head = read_head(source.cursor);
  const Traits& traits = check_head(head.version, head.type, direction);
  return read_type(traits, head.size, source, static_cast<const AnyMessage*>(nullptr));
}

const Traits& traits_for(const Message& message) { return kTypes[message.index()]; }

}  // namespace

std::uint64_t type_number(const Message& message) { return traits_for(message).number; }
std::string_view type_name(const Message& message) { return traits_for(message).name; }

std::string encode(const Message& message) {
  wire::StringSink sink;
  wire::Packer packer(sink);
  std::visit(
      [&](const auto& body) {
        using M = std::decay_t<decltype(body)>;
        // The field list serves reading too, so it takes a mutable struct; a writer changes
        // nothing.
        wire::Writer::array(packer, const_cast<M&>(body), limits::kProtocolVersion,
                            wire::kTraits<M>.number);
      },
      message);
  return sink.take();
}

Expected<Message> decode(const Blob& frame, Direction direction) {
  try {
    check_whole(frame.view(), Path{nullptr, "frame"});
    Source source(frame);
    Message message = read_frame(source, direction);
    if (source.unknown_bytes <= frame.size() / 2) return message;
    Source again(frame);
    again.is_shared = false;
    return read_frame(again, direction);
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

Expected<std::uint64_t> peek_type(std::string_view frame, Direction direction) {
  Head head;
  try {
    Cursor cursor(frame);
    head = read_head(cursor);
  } catch (const DecodeError&) {
    return fail(ErrorCode::kMalformed, "frame: expected [version, type, ...]");
  }
  try {
    return check_head(head.version, head.type, direction).number;
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

std::uint64_t peek_request(std::string_view frame) {
  try {
    Cursor cursor(frame);
    const Head head = read_head(cursor);
    // What has content would come before the request.
    if (head.size == kHeadFields || head.version.content() + head.type.content() > 0) return 0;
    const auto request = cursor.next();
    return request && request->kind == Kind::kUint ? request->uint : 0;
  } catch (const DecodeError&) {
    return 0;
  }
}

std::vector<AssignmentRef> unreadable_results(const Blob& frame) {
  constexpr std::uint32_t kEntryFields = 4;  // ref, outcome, info, data
  std::vector<AssignmentRef> refs;
  try {
    const Path path{nullptr, "RESULT"};
    check_whole(frame.view(), path);
    Source source(frame);
    Cursor& cursor = source.cursor;
    const Head head = read_head(cursor);
    if (head.size <= kHeadFields) return {};
    if (check_head(head.version, head.type, Direction::kFromNode).number !=
        wire::kTraits<msg::Result>.number)
      return {};
    const std::uint32_t count = Reader::array_size(*cursor.next(), path);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t fields = Reader::array_size(*cursor.next(), path);
      if (fields < kEntryFields) return {};
      AssignmentRef ref;
      Reader(source, path, 1).nested("ref", ref);
      cursor.skip();
      const std::size_t before_info = cursor.left();
      cursor.skip();
      const std::size_t info_bytes = before_info - cursor.left();
      const auto data = Cursor(cursor).next();
      for (std::uint32_t left = fields - 3; left > 0; --left) cursor.skip();
      if (count == 1 || data->size > limits::kMaxResultBytes ||
          info_bytes > limits::kMaxResultInfoBytes)
        refs.push_back(std::move(ref));
    }
  } catch (const DecodeError&) {
    return {};
  }
  return refs;
}

Expected<std::size_t> count_values(std::string_view frame) {
  const Census census = wire::take_census(frame);
  if (census.code != ErrorCode::kOk)
    return fail(census.code, std::string("frame: ") + census.problem);
  return census.values;
}

bool is_node_task_type(std::uint64_t type) { return type >= 10 && type < 20; }

std::string encode_map(const ValueMap& map) {
  wire::StringSink sink;
  wire::Packer packer(sink);
  wire::pack_map(packer, map);
  return sink.take();
}

Expected<ValueMap> decode_map(std::string_view raw) {
  try {
    const Path path{nullptr, "map"};
    check_whole(raw, path);
    Cursor cursor(raw);
    return wire::read_map(cursor, path, SIZE_MAX);
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

Expected<TaskSpec> decode_spec(std::string_view raw) {
  try {
    const Path path{nullptr, "map"};
    check_whole(raw, path);
    Cursor cursor(raw);
    TaskSpec spec;
    const auto read = wire::read_spec(wire::read_canonical_map(cursor, path, SIZE_MAX), spec);
    if (!read) return tl::unexpected(read.error());
    return spec;
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

TaskSpec make_spec(TaskSpec named, const ValueMap& extra) {
  ValueMap map = wire::map_from(named);
  map.insert(extra.begin(), extra.end());
  named.raw = encode_map(map);
  return named;
}

}  // namespace genai
