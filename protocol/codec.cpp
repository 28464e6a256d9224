#include "protocol/codec.h"

#include <msgpack.hpp>

#include "protocol/wire/open_map.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/traits.h"
#include "protocol/wire/writer.h"

namespace genai {
namespace {

using wire::DecodeError;
using wire::Path;
using wire::Reader;
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

bool refers_to_input(msgpack::type::object_type, std::size_t, void*) { return true; }

/// Walks a frame without building anything, since a one-byte value costs 24 bytes once built.
struct Census : msgpack::null_visitor {
  std::size_t depth = 0, values = 0;

  bool fits() const { return depth <= limits::kMaxDepth && values <= limits::kMaxFrameValues; }
  bool enter() {
    ++depth;
    return fits();
  }
  bool leave() {
    --depth;
    return true;
  }
  bool count() {
    ++values;
    return fits();
  }

  bool start_array(std::uint32_t) { return enter(); }
  bool end_array() { return leave(); }
  bool start_array_item() { return count(); }
  bool start_map(std::uint32_t) { return enter(); }
  bool end_map() { return leave(); }
  bool start_map_key() { return count(); }
  bool start_map_value() { return count(); }
};

msgpack::object_handle unpack(std::string_view bytes, const Path& path) {
  Census census;
  std::size_t walked = 0;
  msgpack::parse(bytes.data(), bytes.size(), walked, census);  // unpack() says what is malformed
  if (!census.fits())
    refuse(ErrorCode::kTooLarge, path, "nested deeper or counting more than the limits allow");

  // A claimed length is allocated before its content is seen: what was claimed can be at most what
  // could still follow in the frame.
  const std::size_t most = std::min(bytes.size(), limits::kMaxArrayEntries);
  const msgpack::unpack_limit limit(most, std::min(most, limits::kMaxMapEntries), bytes.size(),
                                    bytes.size(), bytes.size(), limits::kMaxDepth);
  std::size_t end = 0;
  bool referenced = false;
  msgpack::object_handle handle;
  try {
    handle = msgpack::unpack(bytes.data(), bytes.size(), end, referenced, refers_to_input, nullptr,
                             limit);
  } catch (const msgpack::size_overflow&) {
    refuse(ErrorCode::kTooLarge, path, "nested deeper or counting more than the limits allow");
  } catch (const msgpack::unpack_error&) {
    refuse(ErrorCode::kMalformed, path, "not msgpack, or cut short");
  }
  if (end != bytes.size()) refuse(ErrorCode::kMalformed, path, "bytes after the end");
  return handle;
}

const Traits& check_head(const msgpack::object& object, Direction direction) {
  const Path path{nullptr, "frame"};
  const auto& array = Reader::array_of(object, path);
  if (array.size < kHeadFields)
    refuse(ErrorCode::kMalformed, path, "expected [version, type, ...]");
  const auto &version = array.ptr[0], &type = array.ptr[1];
  if (version.type != msgpack::type::POSITIVE_INTEGER ||
      version.via.u64 != limits::kProtocolVersion)
    refuse(ErrorCode::kUnsupportedVersion, path, "this peer speaks version 1");
  if (type.type != msgpack::type::POSITIVE_INTEGER)
    refuse(ErrorCode::kUnknownType, path, "type is not an unsigned integer");
  const Traits* traits = find_type(type.via.u64);
  if (!traits)
    refuse(ErrorCode::kUnknownType, path, "type " + std::to_string(type.via.u64) + " is unknown");
  if (!(traits->directions & static_cast<unsigned>(direction)))
    refuse(ErrorCode::kNotAllowed, path, std::string(traits->name) + " is not for this socket");
  return *traits;
}

template <class M>
Message read_message(const msgpack::object_array& array, const Blob& frame, const Path& path) {
  const std::uint32_t expected = wire::arity<M>() + kHeadFields;
  if (array.size != expected)
    refuse(ErrorCode::kMalformed, path,
           "expected " + std::to_string(expected) + " elements, got " + std::to_string(array.size));
  M message;
  Reader reader(array.ptr + kHeadFields, frame, path);
  wire::fields(reader, message);
  return message;
}

template <class... M>
Message read_type(const Traits& traits, const msgpack::object_array& array, const Blob& frame,
                  const std::variant<M...>*) {
  const Path path{nullptr, traits.name.data()};
  Message message;
  static_cast<void>(((wire::kTraits<M>.number == traits.number &&
                      (message = read_message<M>(array, frame, path), true)) ||
                     ...));
  return message;
}

const Traits& traits_for(const Message& message) { return kTypes[message.index()]; }

/// Reads the first bytes of a frame without building objects of the rest.
template <class Visit>
bool peek_head(std::string_view frame, std::size_t count, Visit visit) {
  try {
    std::size_t at = 0;
    if (frame.empty()) return false;
    const auto first = static_cast<unsigned char>(frame[0]);
    std::size_t size = 0;
    if ((first & 0xf0) == 0x90) {
      size = first & 0x0f;
      at = 1;
    } else if (first == 0xdc && frame.size() >= 3) {
      size = static_cast<std::size_t>((static_cast<unsigned char>(frame[1]) << 8) |
                                      static_cast<unsigned char>(frame[2]));
      at = 3;
    } else if (first == 0xdd && frame.size() >= 5) {
      for (int i = 1; i <= 4; ++i)
        size = size << 8 | static_cast<unsigned char>(frame[static_cast<std::size_t>(i)]);
      at = 5;
    }
    if (size < count) return false;
    const msgpack::unpack_limit scalar(0, 0, 0, 0, 0, 1);
    for (std::size_t i = 0; i < count; ++i) {
      bool referenced = false;
      auto handle = msgpack::unpack(frame.data(), frame.size(), at, referenced, refers_to_input,
                                    nullptr, scalar);
      visit(i, handle.get());
    }
    return true;
  } catch (const msgpack::unpack_error&) {
    return false;
  }
}

}  // namespace

std::uint64_t type_number(const Message& message) { return traits_for(message).number; }
std::string_view type_name(const Message& message) { return traits_for(message).name; }

std::string encode(const Message& message) {
  wire::StringSink sink;
  wire::Packer packer(sink);
  std::visit(
      [&](const auto& body) {
        using M = std::decay_t<decltype(body)>;
        packer.pack_array(wire::arity<M>() + kHeadFields);
        packer.pack(limits::kProtocolVersion);
        packer.pack(wire::kTraits<M>.number);
        wire::Writer writer(packer);
        // The field list serves reading too, so it takes a mutable struct; a writer changes
        // nothing.
        wire::fields(writer, const_cast<M&>(body));
      },
      message);
  return std::move(sink.bytes);
}

Expected<Message> decode(const Blob& frame, Direction direction) {
  try {
    auto handle = unpack(frame.view(), Path{nullptr, "frame"});
    const Traits& traits = check_head(handle.get(), direction);
    return read_type(traits, handle.get().via.array, frame, static_cast<const AnyMessage*>(nullptr));
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

Expected<std::uint64_t> peek_type(std::string_view frame, Direction direction) {
  std::optional<msgpack::object> head[kHeadFields];
  const bool readable =
      peek_head(frame, kHeadFields, [&](std::size_t i, const auto& object) { head[i] = object; });
  if (!readable) return fail(ErrorCode::kMalformed, "frame: expected [version, type, ...]");
  try {
    msgpack::object items[kHeadFields] = {*head[0], *head[1]};
    msgpack::object array;
    array.type = msgpack::type::ARRAY;
    array.via.array = {kHeadFields, items};
    return check_head(array, direction).number;
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

std::uint64_t peek_request(std::string_view frame) {
  std::uint64_t request = 0;
  peek_head(frame, kHeadFields + 1, [&](std::size_t i, const msgpack::object& object) {
    if (i == kHeadFields && object.type == msgpack::type::POSITIVE_INTEGER)
      request = object.via.u64;
  });
  return request;
}

bool is_node_task_type(std::uint64_t type) { return type >= 10 && type < 20; }

std::string encode_map(const ValueMap& map) {
  wire::StringSink sink;
  wire::Packer packer(sink);
  wire::pack_map(packer, map);
  return std::move(sink.bytes);
}

Expected<ValueMap> decode_map(std::string_view raw) {
  try {
    const Path path{nullptr, "map"};
    auto handle = unpack(raw, path);
    return wire::read_map(handle.get(), path, SIZE_MAX);
  } catch (const DecodeError& error) {
    return fail(error.code, error.detail);
  }
}

Expected<TaskSpec> decode_spec(std::string_view raw) {
  auto map = decode_map(raw);
  if (!map) return tl::unexpected(map.error());
  auto spec = wire::spec_from(*map);
  if (spec) spec->raw = raw;
  return spec;
}

TaskSpec make_spec(TaskSpec named, const ValueMap& extra) {
  ValueMap map = wire::map_from(named);
  map.insert(extra.begin(), extra.end());
  named.raw = encode_map(map);
  return named;
}

}  // namespace genai
