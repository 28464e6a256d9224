#include "tools/node/machine.h"

#include <sched.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "tools/node/exec_runner.h"

namespace genai::node {
namespace {

constexpr std::chrono::seconds kSmiLimit{5};
constexpr char kSmi[] =
    "command -v nvidia-smi >/dev/null && exec nvidia-smi --query-gpu=name,memory.total "
    "--format=csv,noheader,nounits </dev/null";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The rest of the line that begins with `key`.
std::string_view line_after(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(key)) return trimmed(line.substr(key.size()));
    at = end + 1;
  }
  return {};
}

std::uint64_t leading_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint64_t usable_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return static_cast<std::uint64_t>(CPU_COUNT(&set));
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<std::uint64_t>(online) : 0;
}

std::vector<std::string> own_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) out.emplace_back(*entry);
  return out;
}

Gpu find_gpu() {
  Command smi;
  smi.text = kSmi;
  smi.environment = own_environment();
  smi.time_limit = kSmiLimit;
  const TaskResult result = run_command(smi, -1, {});
  if (result.kind == TaskResult::Kind::kOk)
    if (auto gpu = gpu_from_smi(result.data)) return *gpu;
  std::error_code none;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none))
    if (auto type = gpu_type_from_driver(read_file(gpu.path() / "information")); !type.empty())
      return {type, 0};
  return {};
}

}  // namespace

std::uint64_t ram_mib_from_meminfo(std::string_view meminfo) {
  return leading_number(line_after(meminfo, "MemTotal:")) / 1024;
}

std::optional<Gpu> gpu_from_smi(std::string_view csv) {
  const std::string_view line = csv.substr(0, csv.find('\n'));
  const std::size_t comma = line.rfind(',');
  if (comma == std::string_view::npos) return std::nullopt;
  Gpu gpu{clip_text(trimmed(line.substr(0, comma)), limits::kMaxNameBytes),
          leading_number(trimmed(line.substr(comma + 1)))};
  if (gpu.type.empty()) return std::nullopt;
  return gpu;
}

std::string gpu_type_from_driver(std::string_view information) {
  return clip_text(line_after(information, "Model:"), limits::kMaxNameBytes);
}

Machine detect_machine(AskGpu ask_gpu) {
  const Gpu gpu = ask_gpu == AskGpu::kYes ? find_gpu() : Gpu{};
  return {usable_cpus(), ram_mib_from_meminfo(read_file("/proc/meminfo")), gpu.type, gpu.vram_mib};
}

}  // namespace genai::node
