// A task's spec as it is kept while the task is known: small, since there are millions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/wire/task_spec.h"

namespace genai::dispatcher {

/// The canonical text of the spec, and of what it says only that which is asked again and again;
/// the rest is decoded when it is asked for. The views are valid until it is changed.
class KeptSpec {
 public:
  KeptSpec() = default;
  /// Takes `raw` out of the spec, and leaves the other members.
  explicit KeptSpec(TaskSpec& spec);
  explicit KeptSpec(TaskSpec&& spec) : KeptSpec(spec) {}
  /// Only what is told of a task that is over: not whole.
  static KeptSpec told(std::string_view tenant, std::string_view label, std::string_view model,
                       std::uint8_t priority);

  /// As nodes get it; empty unless whole.
  std::string_view raw() const { return is_whole_ ? std::string_view(text_) : std::string_view(); }
  bool is_whole() const { return is_whole_; }
  /// All of it. It must be whole.
  TaskSpec whole() const;

  std::string_view tenant() const { return part(tenant_); }
  std::string_view label() const { return part(label_); }
  std::string_view model() const { return part(model_); }
  std::uint8_t priority() const { return priority_; }
  std::uint32_t max_attempts() const { return max_attempts_; }    // 0: the dispatcher's default
  std::uint64_t time_limit_ms() const { return time_limit_ms_; }  // 0: likewise

  friend bool operator==(const KeptSpec&, const KeptSpec&) = default;

 private:
  /// Where a name stands in the text, which holds each as it is.
  struct Part {
    std::uint16_t at = 0;
    std::uint8_t bytes = 0;
    friend bool operator==(const Part&, const Part&) = default;
  };
  Part find(std::string_view name) const;
  std::string_view part(Part part) const {
    return std::string_view(text_).substr(part.at, part.bytes);
  }

  std::string text_;
  Part tenant_, label_, model_;
  std::uint8_t priority_ = limits::kDefaultPriority;
  bool is_whole_ = false;
  std::uint32_t max_attempts_ = 0;
  std::uint64_t time_limit_ms_ = 0;
};

}  // namespace genai::dispatcher
