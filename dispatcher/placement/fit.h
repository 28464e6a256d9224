// The hard filters: whether a provider could ever run a task, load aside.
#pragma once

#include <string>

#include "protocol/wire/public_meta.h"
#include "protocol/wire/task_spec.h"

namespace genai::dispatcher {

enum class Misfit { kNone, kModel, kGpuType, kNcpu, kRam, kVram };

/// The first filter that refuses, in the order of the enum.
Misfit misfit(const Requirements& needs, const PublicMetaInfo& meta);

/// What is missing: "model 'sdxl'", "VRAM 12288 MiB", ...
std::string describe(Misfit misfit, const Requirements& needs);

}  // namespace genai::dispatcher
