#include "dispatcher/placement/fit.h"

#include <fmt/format.h>

#include <algorithm>

namespace genai::dispatcher {

Misfit misfit(const Requirements& needs, const PublicMetaInfo& meta) {
  if (!needs.model.empty() && std::ranges::find(meta.models, needs.model) == meta.models.end())
    return Misfit::kModel;
  if (!needs.gpu_type.empty() && needs.gpu_type != meta.gpu_type) return Misfit::kGpuType;
  if (needs.ncpu > meta.ncpu) return Misfit::kNcpu;
  if (needs.ram_mib > meta.ram_mib) return Misfit::kRam;
  if (needs.vram_mib > meta.vram_mib) return Misfit::kVram;
  return Misfit::kNone;
}

std::string describe(Misfit misfit, const Requirements& needs) {
  switch (misfit) {
    case Misfit::kModel:
      return fmt::format("model '{}'", needs.model);
    case Misfit::kGpuType:
      return fmt::format("GPU type '{}'", needs.gpu_type);
    case Misfit::kNcpu:
      return fmt::format("{} CPUs", needs.ncpu);
    case Misfit::kRam:
      return fmt::format("RAM {} MiB", needs.ram_mib);
    case Misfit::kVram:
      return fmt::format("VRAM {} MiB", needs.vram_mib);
    case Misfit::kNone:
      break;
  }
  return "nothing";
}

}  // namespace genai::dispatcher
