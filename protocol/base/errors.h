// The error codes of messages, and the error value that functions return.
// A number never changes its meaning. SPEC.md lists the numbers, logs print the names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace genai {

enum class ErrorCode : std::uint16_t {
  kOk = 0,
  // The frame itself.
  kMalformed = 100,
  kUnsupportedVersion = 101,
  kUnknownType = 102,
  kBadField = 103,
  kTooLarge = 104,
  kNotAllowed = 105,
  // Sessions.
  kUnknownSession = 200,
  kSessionReplaced = 201,
  kTooManyNodes = 202,
  kSuperseded = 203,
  kUnreachable = 204,
  kPeerFull = 205,
  kNodeIdInUse = 206,
  kEpochTooLow = 207,
  // Requests about tasks and nodes.
  kUnknownTask = 300,
  kIdConflict = 301,
  kQueueFull = 302,
  kDraining = 303,
  kAlreadyTerminal = 304,
  kUnknownNode = 305,
  kNotWatched = 306,
  kNotFailed = 307,
  kStoreFull = 308,
  kOverQuota = 309,
  kNotQueued = 310,
  kSlowDown = 311,
  kNotEnded = 312,
  // A node refuses an assignment.
  kNodeFull = 400,
  kNodeLeaving = 401,
  kModelMissing = 402,
  // The reason why a task, or one attempt of it, has ended.
  kTaskError = 500,
  kProviderLost = 501,
  kExpired = 502,
  kTimeLimit = 503,
  kCancelled = 504,
  kResultTooLarge = 505,
  kTaskDropped = 506,
  kNodeDrained = 507,
  kAssignUnanswered = 508,
  kResultDiscarded = 509,
  kDeadlineMissed = 510,
  kQuarantined = 511,
  kTakenBack = 512,
  kImpossible = 513,
  kNodeUnfit = 514,
  kDataLost = 515,
};

/// Returns the name of a code, as SPEC.md, logs and --json print it; "unknown" for other numbers.
std::string_view name(ErrorCode code);

/// Returns the code with this number, or nothing if this version does not know it.
std::optional<ErrorCode> error_code(std::uint64_t number);

struct Error {
  ErrorCode code = ErrorCode::kOk;
  std::string detail;  // for people: the mistake and its place

  friend bool operator==(const Error&, const Error&) = default;
};

/// Returns the error for a sender whose bytes are not a message.
inline Error not_a_message() {
  return {ErrorCode::kMalformed, "a message is one frame, and its sender sets no routing id"};
}

template <class T>
using Expected = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string detail) {
  return tl::unexpected<Error>(Error{code, std::move(detail)});
}

}  // namespace genai
