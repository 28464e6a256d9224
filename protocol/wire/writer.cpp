#include "protocol/wire/writer.h"

#include <bit>

#include "protocol/wire/open_map.h"

namespace genai::wire {
namespace {

struct ValuePacker {
  Packer& packer;

  void operator()(std::monostate) const { packer.pack_nil(); }
  void operator()(bool b) const { packer.pack(b); }
  void operator()(std::int64_t i) const { packer.pack(i); }
  void operator()(std::uint64_t i) const { packer.pack(i); }
  // The packer would make an integer of a whole one, and a node find 7 where a client said 7.0.
  void operator()(double d) const {
    const auto bits = std::bit_cast<std::uint64_t>(d);
    char bytes[9] = {'\xcb'};
    for (int i = 0; i < 8; ++i) bytes[8 - i] = static_cast<char>(bits >> (8 * i));
    packer.pack_bin_body(bytes, sizeof bytes);
  }
  void operator()(const std::string& text) const { packer.pack(text); }
  void operator()(const Bytes& bytes) const {
    packer.pack_bin(static_cast<std::uint32_t>(bytes.data.size()));
    packer.pack_bin_body(bytes.data.data(), static_cast<std::uint32_t>(bytes.data.size()));
  }
  void operator()(const ValueList& list) const {
    packer.pack_array(static_cast<std::uint32_t>(list.size()));
    for (const Value& value : list) pack_value(packer, value);
  }
  void operator()(const ValueMap& map) const { pack_map(packer, map); }
};

}  // namespace

void pack_value(Packer& packer, const Value& value) { std::visit(ValuePacker{packer}, value.v); }

void pack_map(Packer& packer, const ValueMap& map) {
  packer.pack_map(static_cast<std::uint32_t>(map.size()));
  for (const auto& [key, value] : map) {
    packer.pack(key);
    pack_value(packer, value);
  }
}

void Writer::pack_spec(const TaskSpec& spec) {
  if (spec.raw.empty())
    pack_map(packer_, map_from(spec));
  else
    packer_.pack_bin_body(spec.raw.data(), static_cast<std::uint32_t>(spec.raw.size()));
}

void Writer::pack_meta(const PublicMetaInfo& meta) { pack_map(packer_, map_from(meta)); }

}  // namespace genai::wire
