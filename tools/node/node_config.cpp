// Checks of what a program says of its node, and the small shapes of the public header.
#include <cmath>
#include <utility>

#include "genai/node.h"
#include "protocol/base/content_type.h"
#include "protocol/base/errors.h"
#include "protocol/base/ids.h"
#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/keys.h"
#include "tools/node/result_files.h"

namespace genai::node {
namespace {

using Problem = std::optional<ConfigProblem>;

constexpr std::size_t kEntryOverheadBytes = 5;
constexpr std::size_t kMetaReserveBytes = 1024;  // for everything but the names of models
constexpr std::chrono::seconds kNoTime{0}, kMaxDrainTimeout{7 * 24 * 3600};

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= limits::kMaxNameBytes && is_valid_utf8(text);
}

Problem models_problem(const char* member, const std::vector<std::string>& models) {
  if (models.size() > limits::kMaxModels) return ConfigProblem{member, "more than 4096 models"};
  for (const auto& model : models)
    if (!is_name(model)) return ConfigProblem{member, "a model is 1 to 128 bytes of UTF-8"};
  return std::nullopt;
}

std::size_t bytes_of(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const auto& text : texts) bytes += text.size() + kEntryOverheadBytes;
  return bytes;
}

TaskResult coded(ErrorCode code, std::string text) {
  TaskResult result = TaskResult::error(std::move(text));
  result.code = static_cast<std::uint16_t>(code);
  return result;
}

}  // namespace

std::optional<ConfigProblem> config_problem(const NodeConfig& config) {
  if (auto what = transport::endpoint_problem(config.broker_endpoint))
    return ConfigProblem{"broker_endpoint", *what};
  if (const auto curve = transport::curve_client(config.key_file, config.server_key); !curve)
    return ConfigProblem{curve.error().detail.starts_with("server-key") ? "server_key" : "key_file",
                         curve.error().detail};
  if (!is_valid_id(config.node_id))
    return ConfigProblem{"node_id", "expected 1 to 64 characters of A-Z a-z 0-9 . _ : -"};
  if (config.slots < 1 || config.slots > limits::kMaxSlots)
    return ConfigProblem{"slots", "expected 1 to 1024"};
  if (auto problem = models_problem("models", config.models)) return problem;
  if (auto problem = models_problem("loaded_models", config.loaded_models)) return problem;
  if (bytes_of(config.models) + bytes_of(config.loaded_models) + kMetaReserveBytes >
      limits::kMaxMetaBytes)
    return ConfigProblem{"models", "the names of all models have more than 63 KiB together"};
  if (!config.gpu_type.empty() && !is_name(config.gpu_type))
    return ConfigProblem{"gpu_type", "expected at most 128 bytes of UTF-8"};
  for (const auto& [member, value] :
       {std::pair("ncpu", config.ncpu), {"ram_mib", config.ram_mib}, {"vram_mib", config.vram_mib}})
    if (value > UINT32_MAX) return ConfigProblem{member, "expected at most 4294967295"};
  if (!(config.min_cost >= 0) || std::isinf(config.min_cost))
    return ConfigProblem{"min_cost", "expected a number of at least 0"};
  if (config.drain_timeout < kNoTime || config.drain_timeout > kMaxDrainTimeout)
    return ConfigProblem{"drain_timeout", "expected 0 to 604800 s"};
  return std::nullopt;
}

TaskContext::~TaskContext() = default;

TaskResult TaskResult::ok(std::string data, std::string content_type) {
  TaskResult result;
  result.data = std::move(data);
  result.content_type = std::move(content_type);
  return result;
}

TaskResult TaskResult::bundle(std::vector<ResultFile> files) {
  TaskResult result;
  result.files = std::move(files);
  for (ResultFile& file : result.files)
    if (file.content_type.empty()) file.content_type = guess_type(file.name, file.data);
  // Here, on the caller's thread, and not on the one that sends heartbeats.
  std::uint64_t bytes = 0;
  for (const ResultFile& file : result.files) bytes += file.data.size();
  if (bytes <= kMaxResultBytes) join(result.files);
  return result;
}

TaskResult TaskResult::error(std::string text, std::optional<int> exit_code) {
  TaskResult result;
  result.kind = Kind::kError;
  result.error_text = std::move(text);
  result.exit_code = exit_code;
  return result;
}

TaskResult TaskResult::impossible(std::string text) {
  return coded(ErrorCode::kImpossible, std::move(text));
}

TaskResult TaskResult::too_large(std::string text) {
  return coded(ErrorCode::kResultTooLarge, std::move(text));
}

TaskResult TaskResult::time_limit(std::string text) {
  return coded(ErrorCode::kTimeLimit, std::move(text));
}

TaskResult TaskResult::returned(std::string reason) {
  TaskResult result;
  result.kind = Kind::kReturned;
  result.error_text = std::move(reason);
  return result;
}

}  // namespace genai::node
