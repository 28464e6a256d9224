#include "protocol/wire/writer.h"

#include "protocol/wire/open_map.h"

namespace genai::wire {
namespace {

struct ValuePacker {
  Packer& packer;

  void operator()(std::monostate) const { packer.pack_nil(); }
  void operator()(bool b) const { packer.pack(b); }
  void operator()(std::int64_t i) const { packer.pack(i); }
  void operator()(std::uint64_t i) const { packer.pack(i); }
  // Not an integer if it is whole: a node would find 7 where a client said 7.0.
  void operator()(double d) const { packer.pack_float(d); }
  void operator()(const std::string& text) const { packer.pack(text); }
  void operator()(const Bytes& bytes) const { packer.pack_bin(bytes.data); }
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
    packer_.pack_raw(spec.raw);
}

void Writer::pack_meta(const PublicMetaInfo& meta) { pack_map(packer_, map_from(meta)); }

}  // namespace genai::wire
