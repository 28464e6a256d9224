#include "protocol/base/errors.h"

#include <array>
#include <utility>

namespace genai {
namespace {

constexpr std::array kNames = std::to_array<std::pair<ErrorCode, std::string_view>>({
    {ErrorCode::kOk, "ok"},
    {ErrorCode::kMalformed, "malformed"},
    {ErrorCode::kUnsupportedVersion, "unsupported_version"},
    {ErrorCode::kUnknownType, "unknown_type"},
    {ErrorCode::kBadField, "bad_field"},
    {ErrorCode::kTooLarge, "too_large"},
    {ErrorCode::kNotAllowed, "not_allowed"},
    {ErrorCode::kUnknownSession, "unknown_session"},
    {ErrorCode::kSessionReplaced, "session_replaced"},
    {ErrorCode::kTooManyNodes, "too_many_nodes"},
    {ErrorCode::kSuperseded, "superseded"},
    {ErrorCode::kUnreachable, "unreachable"},
    {ErrorCode::kPeerFull, "peer_full"},
    {ErrorCode::kNodeIdInUse, "node_id_in_use"},
    {ErrorCode::kEpochTooLow, "epoch_too_low"},
    {ErrorCode::kUnknownTask, "unknown_task"},
    {ErrorCode::kIdConflict, "id_conflict"},
    {ErrorCode::kQueueFull, "queue_full"},
    {ErrorCode::kDraining, "draining"},
    {ErrorCode::kAlreadyTerminal, "already_terminal"},
    {ErrorCode::kUnknownNode, "unknown_node"},
    {ErrorCode::kNotWatched, "not_watched"},
    {ErrorCode::kNotFailed, "not_failed"},
    {ErrorCode::kStoreFull, "store_full"},
    {ErrorCode::kOverQuota, "over_quota"},
    {ErrorCode::kNotQueued, "not_queued"},
    {ErrorCode::kSlowDown, "slow_down"},
    {ErrorCode::kNotEnded, "not_ended"},
    {ErrorCode::kNodeFull, "node_full"},
    {ErrorCode::kNodeLeaving, "node_leaving"},
    {ErrorCode::kModelMissing, "model_missing"},
    {ErrorCode::kTaskError, "task_error"},
    {ErrorCode::kProviderLost, "provider_lost"},
    {ErrorCode::kExpired, "expired"},
    {ErrorCode::kTimeLimit, "time_limit"},
    {ErrorCode::kCancelled, "cancelled"},
    {ErrorCode::kResultTooLarge, "result_too_large"},
    {ErrorCode::kTaskDropped, "task_dropped"},
    {ErrorCode::kNodeDrained, "node_drained"},
    {ErrorCode::kAssignUnanswered, "assign_unanswered"},
    {ErrorCode::kResultDiscarded, "result_discarded"},
    {ErrorCode::kDeadlineMissed, "deadline_missed"},
    {ErrorCode::kQuarantined, "quarantined"},
    {ErrorCode::kTakenBack, "taken_back"},
    {ErrorCode::kImpossible, "impossible"},
    {ErrorCode::kNodeUnfit, "node_unfit"},
    {ErrorCode::kDataLost, "data_lost"},
});

}  // namespace

std::string_view name(ErrorCode code) {
  for (const auto& [known, text] : kNames)
    if (known == code) return text;
  return "unknown";
}

std::optional<ErrorCode> error_code(std::uint64_t number) {
  for (const auto& [known, text] : kNames)
    if (static_cast<std::uint64_t>(known) == number) return known;
  return std::nullopt;
}

}  // namespace genai
