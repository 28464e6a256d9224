#include "protocol/wire/open_map.h"

#include <fmt/format.h>

#include "protocol/limits.h"

namespace genai::wire {
namespace {

using namespace limits;

// Reads known keys out of an open map; the first wrong one is remembered as the error.
class KeyReader {
 public:
  explicit KeyReader(const ValueMap& map) : map_(map) {}

  void text(std::string_view key, std::string& out, std::size_t max_bytes = kMaxNameBytes) {
    if (const Value* value = find(key)) take_text(key, *value, out, max_bytes);
  }

  template <class Int>
  void uint(std::string_view key, Int& out, std::uint64_t min, std::uint64_t max) {
    const Value* value = find(key);
    if (!value) return;
    const auto* i = std::get_if<std::int64_t>(&value->v);
    if (!i || *i < 0 || static_cast<std::uint64_t>(*i) < min ||
        static_cast<std::uint64_t>(*i) > max)
      return wrong(key, fmt::format("expected an integer from {} to {}", min, max));
    out = static_cast<Int>(*i);
  }

  void real(std::string_view key, double& out) {
    const Value* value = find(key);
    if (!value) return;
    if (const auto* i = std::get_if<std::int64_t>(&value->v))
      out = static_cast<double>(*i);
    else if (const auto* d = std::get_if<double>(&value->v))
      out = *d;
    else
      return wrong(key, "expected a number");
    if (out < 0) wrong(key, "expected a number of at least 0");
  }

  void texts(std::string_view key, std::vector<std::string>& out, std::size_t max_entries) {
    const Value* value = find(key);
    if (!value) return;
    const auto* list = std::get_if<ValueList>(&value->v);
    if (!list || list->size() > max_entries)
      return wrong(key, fmt::format("expected a list of at most {} texts", max_entries));
    for (const Value& item : *list) take_text(key, item, out.emplace_back(), kMaxNameBytes);
  }

  template <class T>
  Expected<T> finish(T value) {
    if (error_) return tl::unexpected(*error_);
    return value;
  }

 private:
  const Value* find(std::string_view key) const {
    auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  void take_text(std::string_view key, const Value& value, std::string& out, std::size_t max) {
    const auto* text = std::get_if<std::string>(&value.v);
    if (!text || text->size() > max)
      return wrong(key, fmt::format("expected a text of at most {} bytes", max));
    out = *text;
  }
  void wrong(std::string_view key, std::string what) {
    if (!error_) error_ = Error{ErrorCode::kBadField, fmt::format("key '{}': {}", key, what)};
  }

  const ValueMap& map_;
  std::optional<Error> error_;
};

template <class T>
void put_unless(ValueMap& map, const char* key, const T& value, const T& fallback) {
  if (value != fallback) map.emplace(key, Value(value));
}

ValueList list_from(const std::vector<std::string>& texts) {
  return ValueList(texts.begin(), texts.end());
}

}  // namespace

Expected<TaskSpec> spec_from(const ValueMap& map) {
  TaskSpec spec;
  KeyReader keys(map);
  keys.text("model", spec.needs.model);
  keys.text("gpu_type", spec.needs.gpu_type);
  keys.uint("ncpu", spec.needs.ncpu, 0, UINT32_MAX);
  keys.uint("ram_mib", spec.needs.ram_mib, 0, UINT32_MAX);
  keys.uint("vram_mib", spec.needs.vram_mib, 0, UINT32_MAX);
  keys.uint("ttl_ms", spec.ttl_ms, 1, kMaxTtlMs);
  keys.uint("time_limit_ms", spec.time_limit_ms, 0, kMaxTtlMs);
  keys.uint("max_attempts", spec.max_attempts, 0, kMaxAttempts);
  keys.text("label", spec.label);
  keys.text("tenant", spec.tenant);
  keys.uint("priority", spec.priority, 0, kMaxPriority);
  keys.uint("not_before_ms", spec.not_before_ms, 0, kMaxUnixMs);
  keys.uint("deadline_ms", spec.deadline_ms, 0, kMaxUnixMs);
  keys.real("max_cost", spec.max_cost);
  keys.real("time_to_money_ratio", spec.time_to_money_ratio);
  keys.real("work", spec.work);
  return keys.finish(std::move(spec));
}

ValueMap map_from(const TaskSpec& spec) {
  const TaskSpec defaults;
  ValueMap map;
  put_unless(map, "model", spec.needs.model, defaults.needs.model);
  put_unless(map, "gpu_type", spec.needs.gpu_type, defaults.needs.gpu_type);
  put_unless(map, "ncpu", spec.needs.ncpu, defaults.needs.ncpu);
  put_unless(map, "ram_mib", spec.needs.ram_mib, defaults.needs.ram_mib);
  put_unless(map, "vram_mib", spec.needs.vram_mib, defaults.needs.vram_mib);
  put_unless(map, "ttl_ms", spec.ttl_ms, defaults.ttl_ms);
  put_unless(map, "time_limit_ms", spec.time_limit_ms, defaults.time_limit_ms);
  put_unless(map, "max_attempts", spec.max_attempts, defaults.max_attempts);
  put_unless(map, "label", spec.label, defaults.label);
  put_unless(map, "tenant", spec.tenant, defaults.tenant);
  put_unless(map, "priority", std::uint32_t{spec.priority}, std::uint32_t{defaults.priority});
  put_unless(map, "not_before_ms", spec.not_before_ms, defaults.not_before_ms);
  put_unless(map, "deadline_ms", spec.deadline_ms, defaults.deadline_ms);
  put_unless(map, "max_cost", spec.max_cost, defaults.max_cost);
  put_unless(map, "time_to_money_ratio", spec.time_to_money_ratio, defaults.time_to_money_ratio);
  put_unless(map, "work", spec.work, defaults.work);
  return map;
}

Expected<PublicMetaInfo> meta_from(const ValueMap& map) {
  PublicMetaInfo meta;
  KeyReader keys(map);
  keys.texts("models", meta.models, kMaxModels);
  keys.texts("loaded_models", meta.loaded_models, kMaxModels);
  keys.text("gpu_type", meta.gpu_type);
  keys.uint("ncpu", meta.ncpu, 0, UINT32_MAX);
  keys.uint("ram_mib", meta.ram_mib, 0, UINT32_MAX);
  keys.uint("vram_mib", meta.vram_mib, 0, UINT32_MAX);
  keys.uint("slots", meta.slots, 1, kMaxSlots);
  keys.real("min_cost", meta.min_cost);
  return keys.finish(std::move(meta));
}

ValueMap map_from(const PublicMetaInfo& meta) {
  const PublicMetaInfo defaults;
  ValueMap map{{"slots", Value(meta.slots)}, {"models", Value(list_from(meta.models))}};
  if (!meta.loaded_models.empty()) map.emplace("loaded_models", list_from(meta.loaded_models));
  put_unless(map, "gpu_type", meta.gpu_type, defaults.gpu_type);
  put_unless(map, "ncpu", meta.ncpu, defaults.ncpu);
  put_unless(map, "ram_mib", meta.ram_mib, defaults.ram_mib);
  put_unless(map, "vram_mib", meta.vram_mib, defaults.vram_mib);
  put_unless(map, "min_cost", meta.min_cost, defaults.min_cost);
  return map;
}

}  // namespace genai::wire
