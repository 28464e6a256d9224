#include "protocol/wire/codec.h"

#include <array>
#include <string>

#include "protocol/wire/messages.h"
#include "protocol/wire/open_map.h"
#include "protocol/wire/reader.h"
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

constexpr std::uint32_t kHeadFields = 2;  // version, type

template <class... M>
constexpr auto kinds_of(const std::variant<M...>*) {
  return std::array<MessageKind, sizeof...(M)>{M::kKind...};
}
constexpr auto kKinds = kinds_of(static_cast<const AnyMessage*>(nullptr));

constexpr bool numbers_differ() {
  for (const MessageKind& a : kKinds)
    for (const MessageKind& b : kKinds)
      if (&a != &b && (a.number == b.number || a.name == b.name)) return false;
  return true;
}
static_assert(numbers_differ());

const MessageKind* find_kind(std::uint64_t number) {
  for (const MessageKind& kind : kKinds)
    if (kind.number == number) return &kind;
  return nullptr;
}

void check_whole(std::string_view bytes, const Path& path) {
  const Census census = wire::take_census(bytes);
  if (census.code != ErrorCode::kOk) refuse(census.code, path, census.problem);
}

const MessageKind& check_head(const Token& version, const Token& type, Direction direction) {
  const Path path{nullptr, "frame"};
  if (version.kind != Kind::kUint || version.uint != limits::kProtocolVersion)
    refuse(ErrorCode::kUnsupportedVersion, path, "this peer speaks version 1");
  if (type.kind != Kind::kUint)
    refuse(ErrorCode::kUnknownType, path, "type is not an unsigned integer");
  const MessageKind* kind = find_kind(type.uint);
  if (!kind)
    refuse(ErrorCode::kUnknownType, path, "type " + std::to_string(type.uint) + " is unknown");
  if (!travels(kind->way, direction))
    refuse(ErrorCode::kNotAllowed, path, std::string(kind->name) + " is not for this socket");
  return *kind;
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

template <class V, class... Ms>
V read_body(const MessageKind& kind, std::uint32_t size, Source& source,
            const std::variant<Ms...>*) {
  const Path path{nullptr, kind.name.data()};
  V message;
  const auto read = [&]<class M>(M& body) {
    Reader::read(source, body, size, kHeadFields, path);
    return true;
  };
  const bool is_found =
      ((Ms::kKind.number == kind.number && read(message.template emplace<Ms>())) || ...);
  // On the nodes' socket broker and dispatcher have each their part of the messages.
  if (!is_found)
    refuse(ErrorCode::kNotAllowed, Path{nullptr, "frame"},
           std::string(kind.name) + " is not for this peer");
  return message;
}

template <class V>
V read_frame(Source& source) {
  const Head head = read_head(source.cursor);
  const MessageKind& kind = check_head(head.version, head.type, V::kDirection);
  return read_body<V>(kind, head.size, source, static_cast<const typename V::Messages*>(nullptr));
}

template <class... Ms>
std::string write(const std::variant<Ms...>& message) {
  wire::StringSink sink;
  wire::Packer packer(sink);
  std::visit(
      [&]<class M>(const M& body) {
        // `fields` serves reading too, so it takes a mutable struct; a writer changes nothing.
        wire::Writer::array(packer, const_cast<M&>(body), limits::kProtocolVersion,
                            M::kKind.number);
      },
      message);
  return sink.take();
}

}  // namespace

std::string encode(const FromNode& message) { return write(message); }
std::string encode(const ToNode& message) { return write(message); }
std::string encode(const LinkToBroker& message) { return write(message); }
std::string encode(const LinkToDispatcher& message) { return write(message); }
std::string encode(const ClientRequest& message) { return write(message); }
std::string encode(const ClientReply& message) { return write(message); }
template <>
std::string encode(const Message& message) {
  return write(message);
}

template <class V>
Expected<V> decode(const Blob& frame) {
  try {
    check_whole(frame.view(), Path{nullptr, "frame"});
    Source source(frame);
    V message = read_frame<V>(source);
    if (source.unknown_bytes <= frame.size() / 2) return message;
    Source again(frame);
    again.is_shared = false;
    return read_frame<V>(again);
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}
template Expected<FromNode> decode(const Blob& frame);
template Expected<NodeToBroker> decode(const Blob& frame);
template Expected<NodeToDispatcher> decode(const Blob& frame);
template Expected<ToNode> decode(const Blob& frame);
template Expected<LinkToBroker> decode(const Blob& frame);
template Expected<LinkToDispatcher> decode(const Blob& frame);
template Expected<ClientRequest> decode(const Blob& frame);
template Expected<ClientReply> decode(const Blob& frame);

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
        msg::Result::kKind.number)
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

std::size_t count_assignments(std::string_view frame) {
  try {
    Cursor cursor(frame);
    const Head head = read_head(cursor);
    if (check_head(head.version, head.type, Direction::kToNode).number != msg::Assign::kKind.number)
      return 0;
    const auto entries = head.size > kHeadFields ? cursor.next() : std::nullopt;
    return entries && entries->kind == Kind::kArray ? entries->size : 0;
  } catch (const DecodeError&) {
    return 0;
  }
}

bool is_node_task_type(std::uint64_t type) {
  const MessageKind* kind = find_kind(type);
  return kind && kind->way == Way::kNodeToDispatcher;
}

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
