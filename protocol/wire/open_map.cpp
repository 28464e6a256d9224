#include "protocol/wire/open_map.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/wire/cursor.h"
#include "protocol/wire/encoded_size.h"

namespace genai::wire {
namespace {

using namespace limits;

constexpr char kNotNegative[] = "expected a number of at least 0";
std::string out_of_range(std::uint64_t min, std::uint64_t max) {
  return fmt::format("expected an integer from {} to {}", min, max);
}
std::string too_long() { return fmt::format("expected a text of at most {} bytes", kMaxNameBytes); }
std::string too_many(std::size_t max) {
  return fmt::format("expected a list of at most {} texts", max);
}
Error wrong_key(std::string_view key, const std::string& what,
                ErrorCode code = ErrorCode::kBadField) {
  return {code, fmt::format("key '{}': {}", key, what)};
}

// The entries of an open map, one after the other; the first wrong value is remembered as the
// error. Each of its methods fills `out` when the entry is the one it names.
class KeyReader {
 public:
  explicit KeyReader(std::string_view raw) : cursor_(raw), left_(cursor_.next()->size) {}

  bool next_entry() {
    if (left_ == 0 || error_) return false;
    --left_;
    key_ = cursor_.next()->view();
    value_ = cursor_;
    cursor_.skip();
    return true;
  }

  void text(std::string_view key, std::string& out) {
    if (key_ == key) take_text(*Cursor(value_).next(), out);
  }

  template <class Int>
  void uint(std::string_view key, Int& out, std::uint64_t min, std::uint64_t max) {
    if (key_ != key) return;
    const Token token = *Cursor(value_).next();
    if (token.kind != Kind::kUint || token.uint < min || token.uint > max)
      return wrong(out_of_range(min, max));
    out = static_cast<Int>(token.uint);
  }

  void real(std::string_view key, double& out) {
    if (key_ != key) return;
    const Token token = *Cursor(value_).next();
    if (token.kind == Kind::kUint && token.uint <= INT64_MAX)
      out = static_cast<double>(token.uint);
    else if (token.kind == Kind::kNegative)
      out = static_cast<double>(token.negative);
    else if (token.kind == Kind::kFloat)
      out = token.real;
    else
      return wrong("expected a number");
    if (out < 0) wrong(kNotNegative);
  }

  void texts(std::string_view key, std::vector<std::string>& out, std::size_t max_entries) {
    if (key_ != key) return;
    Cursor items = value_;
    const Token list = *items.next();
    if (list.kind != Kind::kArray || list.size > max_entries) return wrong(too_many(max_entries));
    // Ends at what is not a text: it may have content.
    for (std::uint32_t i = 0; i < list.size && !error_; ++i)
      take_text(*items.next(), out.emplace_back());
  }

  void map(std::string_view key) {
    if (key_ == key && Cursor(value_).next()->kind != Kind::kMap) wrong("expected a map");
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  void take_text(const Token& token, std::string& out) {
    if (token.kind != Kind::kStr || token.size > kMaxNameBytes) return wrong(too_long());
    out = token.view();
  }
  void wrong(const std::string& what) { error_ = wrong_key(key_, what); }

  Cursor cursor_;
  std::uint32_t left_;
  std::string_view key_;
  Cursor value_{{}};
  std::optional<Error> error_;
};

void read_keys(KeyReader& keys, TaskSpec& spec) {
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
  keys.uint("start_in_ms", spec.start_in_ms, 0, kMaxTtlMs);
  keys.uint("deadline_in_ms", spec.deadline_in_ms, 0, kMaxTtlMs);
  keys.real("max_cost", spec.max_cost);
  keys.real("time_to_money_ratio", spec.time_to_money_ratio);
  keys.real("work", spec.work);
}

/// Keys that say nothing are left out, but for these.
bool is_always_sent(std::string_view key) { return key == "models" || key == "slots"; }

// Writes keys into a map.
class KeyWriter {
 public:
  void text(const char* key, const std::string& text) { put(key, text, text.empty()); }
  void uint(const char* key, std::uint64_t value, std::uint64_t, std::uint64_t) {
    put(key, value, value == 0);
  }
  void real(const char* key, double value) { put(key, value, value == 0); }
  void texts(const char* key, const std::vector<std::string>& texts, std::size_t) {
    put(key, ValueList(texts.begin(), texts.end()), texts.empty());
  }

  ValueMap take() { return std::move(map_); }

 private:
  void put(const char* key, Value value, bool says_nothing) {
    if (!says_nothing || is_always_sent(key)) map_.emplace(key, std::move(value));
  }

  ValueMap map_;
};

// Adds up what KeyWriter's map takes, and finds what a KeyReader would refuse in it; the first
// wrong value is remembered as the error.
class KeyMeter {
 public:
  void text(std::string_view key, const std::string& text) {
    check_text(key, text);
    add(key, text_size(text), text.empty());
  }
  void uint(std::string_view key, std::uint64_t value, std::uint64_t min, std::uint64_t max) {
    if (value < min || value > max) wrong(key, out_of_range(min, max));
    add(key, uint_size(value), value == 0);
  }
  void real(std::string_view key, double value) {
    if (!std::isfinite(value)) wrong(key, "not a finite number");
    if (value < 0) wrong(key, kNotNegative);
    add(key, kFloatSize, value == 0);
  }
  void texts(std::string_view key, const std::vector<std::string>& texts, std::size_t max) {
    if (texts.size() > max) wrong(key, too_many(max));
    std::size_t bytes = head_size(texts.size());
    for (const std::string& text : texts) {
      check_text(key, text);
      bytes += text_size(text);
    }
    add(key, bytes, texts.empty());
  }

  MetaSize size() const { return {head_size(keys_) + bytes_, error_}; }

 private:
  void check_text(std::string_view key, const std::string& text) {
    if (text.size() > kMaxNameBytes) wrong(key, too_long());
    if (!is_valid_utf8(text)) wrong(key, "invalid UTF-8", ErrorCode::kMalformed);
  }
  void add(std::string_view key, std::size_t bytes, bool says_nothing) {
    if (says_nothing && !is_always_sent(key)) return;
    ++keys_;
    bytes_ += text_size(key) + bytes;
  }
  void wrong(std::string_view key, const std::string& what, ErrorCode code = ErrorCode::kBadField) {
    if (!error_) error_ = wrong_key(key, what, code);
  }

  std::size_t keys_ = 0, bytes_ = 0;
  std::optional<Error> error_;
};

/// Hands each named key to one of the classes above.
template <class Keys, class Meta>
void meta_keys(Keys& keys, Meta& meta) {
  keys.texts("models", meta.models, kMaxModels);
  keys.texts("loaded_models", meta.loaded_models, kMaxModels);
  keys.text("gpu_type", meta.gpu_type);
  keys.uint("ncpu", meta.ncpu, 0, UINT32_MAX);
  keys.uint("ram_mib", meta.ram_mib, 0, UINT32_MAX);
  keys.uint("vram_mib", meta.vram_mib, 0, UINT32_MAX);
  keys.uint("slots", meta.slots, 1, kMaxSlots);
  keys.real("min_cost", meta.min_cost);
}

template <class T>
void put_unless(ValueMap& map, const char* key, const T& value, const T& fallback) {
  if (value != fallback) map.emplace(key, Value(value));
}

std::optional<Error> read_spec_keys(std::string_view raw, TaskSpec& out, bool is_new) {
  KeyReader keys(raw);
  while (keys.next_entry()) {
    read_keys(keys, out);
    if (is_new) keys.map("params");
  }
  return keys.error();
}

}  // namespace

Expected<void> read_spec(std::string raw, TaskSpec& out, bool is_new) {
  if (const auto error = read_spec_keys(raw, out, is_new)) return tl::unexpected(*error);
  out.raw = std::move(raw);
  return {};
}

std::optional<Error> spec_problem(std::string_view raw, bool is_new) {
  TaskSpec ignored;
  return read_spec_keys(raw, ignored, is_new);
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
  put_unless(map, "start_in_ms", spec.start_in_ms, defaults.start_in_ms);
  put_unless(map, "deadline_in_ms", spec.deadline_in_ms, defaults.deadline_in_ms);
  put_unless(map, "max_cost", spec.max_cost, defaults.max_cost);
  put_unless(map, "time_to_money_ratio", spec.time_to_money_ratio, defaults.time_to_money_ratio);
  put_unless(map, "work", spec.work, defaults.work);
  return map;
}

Expected<PublicMetaInfo> meta_from(std::string_view raw) {
  PublicMetaInfo meta;
  KeyReader keys(raw);
  while (keys.next_entry()) meta_keys(keys, meta);
  if (const auto& error = keys.error()) return tl::unexpected(*error);
  return meta;
}

ValueMap map_from(const PublicMetaInfo& meta) {
  KeyWriter keys;
  meta_keys(keys, meta);
  return keys.take();
}

MetaSize meta_size(const PublicMetaInfo& meta) {
  KeyMeter keys;
  meta_keys(keys, meta);
  return keys.size();
}

}  // namespace genai::wire
