#include "protocol/wire/open_map.h"

#include <fmt/format.h>

#include <cmath>
#include <concepts>
#include <type_traits>
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
// error. Each of its methods fills `out` when the entry is the one it names. Hardly any is, so the
// names are compared in place.
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
    if (key_ == key) out = static_cast<Int>(take_uint(out, min, max));
  }

  void real(std::string_view key, double& out) {
    if (key_ == key) take_real(out);
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
  std::uint64_t take_uint(std::uint64_t before, std::uint64_t min, std::uint64_t max) {
    const Token token = *Cursor(value_).next();
    if (token.kind == Kind::kUint && token.uint >= min && token.uint <= max) return token.uint;
    wrong(out_of_range(min, max));
    return before;
  }
  void take_real(double& out) {
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
  void wrong(const std::string& what) { error_ = wrong_key(key_, what); }

  Cursor cursor_;
  std::uint32_t left_;
  std::string_view key_;
  Cursor value_{{}};
  std::optional<Error> error_;
};

/// Keys that have their defaults are left out, but for these.
bool is_always_sent(std::string_view key) { return key == "models" || key == "slots"; }

// Writes keys into a map, but not those that have their defaults.
class KeyWriter {
 public:
  explicit KeyWriter(const ValueMap& defaults) : defaults_(defaults) {}

  void text(const char* key, const std::string& text) { put(key, text); }
  void uint(const char* key, std::uint64_t value, std::uint64_t, std::uint64_t) { put(key, value); }
  void real(const char* key, double value) { put(key, value); }
  void texts(const char* key, const std::vector<std::string>& texts, std::size_t) {
    put(key, ValueList(texts.begin(), texts.end()));
  }

  ValueMap take() { return std::move(map_); }

 private:
  void put(const char* key, Value value) {
    const auto it = defaults_.find(std::string_view(key));
    if (it == defaults_.end() || it->second != value || is_always_sent(key))
      map_.emplace(key, std::move(value));
  }

  const ValueMap& defaults_;
  ValueMap map_;
};

// Finds the upper bound of one whole number.
class BoundFinder {
 public:
  explicit BoundFinder(std::string_view key) : key_(key) {}

  void text(std::string_view, const std::string&) {}
  void uint(std::string_view key, std::uint64_t, std::uint64_t, std::uint64_t max) {
    if (key == key_) max_ = max;
  }
  void real(std::string_view, double) {}

  std::uint64_t max() const { return max_; }

 private:
  std::string_view key_;
  std::uint64_t max_ = 0;
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

template <class T, class Struct>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Struct>;

/// Hands each named key to one of the classes above. The default of a key is what its member has in
/// a new struct.
template <class Keys, MaybeConst<TaskSpec> Spec>
void each_key(Keys& keys, Spec& spec) {
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

template <class Keys, MaybeConst<PublicMetaInfo> Meta>
void each_key(Keys& keys, Meta& meta) {
  keys.texts("models", meta.models, kMaxModels);
  keys.texts("loaded_models", meta.loaded_models, kMaxModels);
  keys.text("gpu_type", meta.gpu_type);
  keys.uint("ncpu", meta.ncpu, 0, UINT32_MAX);
  keys.uint("ram_mib", meta.ram_mib, 0, UINT32_MAX);
  keys.uint("vram_mib", meta.vram_mib, 0, UINT32_MAX);
  keys.uint("slots", meta.slots, 1, kMaxSlots);
  keys.real("min_cost", meta.min_cost);
}

template <class Struct>
ValueMap written(const Struct& value, const ValueMap& defaults) {
  KeyWriter keys(defaults);
  each_key(keys, value);
  return keys.take();
}

template <class Struct>
const ValueMap& defaults_of() {
  static const ValueMap defaults = written(Struct(), {});
  return defaults;
}

std::optional<Error> read_spec_keys(std::string_view raw, TaskSpec& out, bool is_new) {
  KeyReader keys(raw);
  while (keys.next_entry()) {
    each_key(keys, out);
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

ValueMap map_from(const TaskSpec& spec) { return written(spec, defaults_of<TaskSpec>()); }

const ValueMap& spec_defaults() { return defaults_of<TaskSpec>(); }

std::uint64_t largest_in_spec(std::string_view key) {
  const TaskSpec spec;
  BoundFinder keys(key);
  each_key(keys, spec);
  return keys.max();
}

Expected<PublicMetaInfo> meta_from(std::string_view raw) {
  PublicMetaInfo meta;
  KeyReader keys(raw);
  while (keys.next_entry()) each_key(keys, meta);
  if (const auto& error = keys.error()) return tl::unexpected(*error);
  return meta;
}

ValueMap map_from(const PublicMetaInfo& meta) {
  return written(meta, defaults_of<PublicMetaInfo>());
}

MetaSize meta_size(const PublicMetaInfo& meta) {
  KeyMeter keys;
  each_key(keys, meta);
  return keys.size();
}

}  // namespace genai::wire
