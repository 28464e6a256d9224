// What this machine has to offer, as far as it can be found out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace genai::node {

struct Machine {
  std::uint64_t ncpu = 0;  // that this process may use; 0: unknown; likewise below
  std::uint64_t ram_mib = 0;
  std::string gpu_type;  // of the first GPU; empty: none found
  std::uint64_t vram_mib = 0;
};

enum class AskGpu { kNo, kYes };

/// Asks the system, and for the GPU nvidia-smi if it is installed: that may take up to 5 s.
Machine detect_machine(AskGpu ask_gpu);

// The parts that read texts, for tests.

/// MemTotal of /proc/meminfo in MiB; 0 when it is not there.
std::uint64_t ram_mib_from_meminfo(std::string_view meminfo);
/// "NVIDIA GeForce RTX 3090, 24576": name and MiB of the first line of nvidia-smi's CSV.
struct Gpu {
  std::string type;
  std::uint64_t vram_mib = 0;
};
std::optional<Gpu> gpu_from_smi(std::string_view csv);
/// The "Model:" line of /proc/driver/nvidia/gpus/*/information; empty when there is none.
std::string gpu_type_from_driver(std::string_view information);

}  // namespace genai::node
