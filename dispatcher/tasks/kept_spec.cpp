#include "dispatcher/tasks/kept_spec.h"

#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/limits.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {

static_assert(limits::kMaxSpecBytes <= std::size_t{UINT16_MAX} + 1);
static_assert(limits::kMaxNameBytes <= UINT8_MAX);

KeptSpec::Part KeptSpec::find(std::string_view name) const {
  if (name.empty()) return {};
  const std::size_t at = text_.find(name);
  GENAI_CHECK(at <= UINT16_MAX);
  return {static_cast<std::uint16_t>(at), static_cast<std::uint8_t>(name.size())};
}

KeptSpec::KeptSpec(TaskSpec& spec)
    : text_(std::exchange(spec.raw, {})),
      priority_(spec.priority),
      is_whole_(true),
      max_attempts_(spec.max_attempts),
      time_limit_ms_(spec.time_limit_ms) {
  tenant_ = find(spec.tenant);
  label_ = find(spec.label);
  model_ = find(spec.needs.model);
}

KeptSpec KeptSpec::told(std::string_view tenant, std::string_view label, std::string_view model,
                        std::uint8_t priority) {
  KeptSpec spec;
  spec.text_.reserve(tenant.size() + label.size() + model.size());
  spec.text_.append(tenant).append(label).append(model);
  spec.tenant_ = spec.find(tenant);
  spec.label_ = spec.find(label);
  spec.model_ = spec.find(model);
  spec.priority_ = priority;
  return spec;
}

TaskSpec KeptSpec::whole() const {
  GENAI_CHECK(is_whole_);
  return *decode_spec(text_);
}

}  // namespace genai::dispatcher
