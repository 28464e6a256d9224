// Writes a message as a peer of another release of version 1 would (SPEC.md, "Versions").
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/wire/messages.h"
#include "protocol/wire/shape.h"
#include "protocol/wire/writer.h"

namespace genai::golden {

class OtherRelease {
 public:
  enum class Kind {
    kNewer,  // behind the fields of each struct stand five that this release does not know
    kOlder,  // each struct lacks its optional fields
  };

  static std::string frame(const Message& message, Kind kind) {
    wire::StringSink sink;
    wire::Packer packer(sink);
    std::visit(
        [&](auto body) {
          array(packer, kind, body, limits::kProtocolVersion, decltype(body)::kKind.number);
        },
        message);
    return sink.take();
  }

  // ---- the archive

#define GENAI_PASS_ON(kind)                                                    \
  template <class... Args>                                                     \
  void kind(Args&&... args) {                                                  \
    if (is_next()) wire::Writer(packer_, 1).kind(std::forward<Args>(args)...); \
  }
  GENAI_PASS_ON(id)
  GENAI_PASS_ON(uint)
  GENAI_PASS_ON(real)
  GENAI_PASS_ON(flag)
  GENAI_PASS_ON(text)
  GENAI_PASS_ON(bin)
  GENAI_PASS_ON(code)
  GENAI_PASS_ON(enumerated)
  GENAI_PASS_ON(map)
  GENAI_PASS_ON(spec)
  GENAI_PASS_ON(new_spec)
  GENAI_PASS_ON(meta)
#undef GENAI_PASS_ON
  template <class T>
  void nested(const char*, T& value) {
    if (is_next()) element(value);
  }
  template <class T>
  void list(const char*, std::vector<T>& values, std::size_t, std::size_t) {
    if (!is_next()) return;
    packer_.pack_array(static_cast<std::uint32_t>(values.size()));
    for (T& value : values) element(value);
  }
  void optional() {}
  void appended() {}

 private:
  OtherRelease(wire::Packer& packer, Kind kind, std::uint32_t count)
      : packer_(packer), kind_(kind), left_(count) {}

  template <class T, class... Head>
  static void array(wire::Packer& packer, Kind kind, T& value, Head... head) {
    const wire::Shape& shape = wire::shape_of<T>();
    const std::uint32_t count = kind == Kind::kOlder ? shape.required : shape.known;
    const std::uint32_t unknown = kind == Kind::kNewer ? 5 : 0;
    packer.pack_array(std::uint32_t{sizeof...(Head)} + count + unknown);
    (packer.pack(std::uint64_t{head}), ...);
    OtherRelease inner(packer, kind, count);
    value.fields(inner);
    if (unknown) pack_unknown(packer);
  }
  static void pack_unknown(wire::Packer& packer) {
    packer.pack(7);
    packer.pack("new");
    packer.pack_bin({"\x00\xff", 2});
    wire::pack_value(packer, ValueList{ValueList{1, ValueList{2.5, "deep"}}, true});
    wire::pack_map(packer, {{"a", ValueMap{{"b", ValueList{false}}}}});
  }

  void element(std::string& text) { packer_.pack(text); }
  void element(TaskId& id) { packer_.pack(id.view()); }
  void element(ValueMap& map) { wire::pack_map(packer_, map); }
  void element(msg::Delta::Change& change) {
    const std::uint64_t tag = change.index();
    std::visit([&](auto& body) { array(packer_, kind_, body, tag); }, change);
  }
  template <class T>
  void element(T& value) {
    array(packer_, kind_, value);
  }

  bool is_next() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }

  wire::Packer& packer_;
  const Kind kind_;
  std::uint32_t left_;
};

}  // namespace genai::golden
