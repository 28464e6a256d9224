// What can go wrong, as values: a code, a sentence for people, and what to do about it.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "genai/export.h"

namespace genai::client {

/// A code of the protocol (SPEC.md, "Errors", which says what each of them means) or, from 10000
/// on, one of this library. A newer dispatcher may send a number that is not listed here: it is
/// kept, name() says "unknown" of it, and it is an error like the others.
enum class Errc : std::uint16_t {
  kOk = 0,
  // A message, or a request in it, is not as it must be.
  kMalformed = 100,
  kUnsupportedVersion = 101,
  kUnknownType = 102,
  kBadField = 103,
  kTooLarge = 104,
  kNotAllowed = 105,
  // Sessions and connections.
  kUnknownSession = 200,
  kSessionReplaced = 201,
  kTooManyNodes = 202,
  kSuperseded = 203,
  kUnreachable = 204,
  kPeerFull = 205,
  kNodeIdInUse = 206,
  kEpochTooLow = 207,
  // The dispatcher does not do what a request asks for.
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
  // A node does not take an assignment.
  kNodeFull = 400,
  kNodeLeaving = 401,
  kModelMissing = 402,
  // Why a task has ended, or has lost an attempt.
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

  // This library's own, which never travel.
  kTimeout = 10000,    // no answer within Config::timeout
  kNotOpen = 10001,    // Client::wait(): no result of that task can come
  kBadAnswer = 10002,  // the dispatcher gave another answer than was asked for
  kSystem = 10003,     // the operating system refuses a socket or a descriptor
};

/// "ok", "queue_full", ... as SPEC.md, logs and genai-ctl --json write it. It lives for ever.
GENAI_EXPORT const char* name(Errc code);
/// The code of that name, if this version knows it.
GENAI_EXPORT std::optional<Errc> errc_named(std::string_view name);

/// What to do about a code.
enum class Advice {
  kGoOn,        // it is done
  kRepeat,      // nobody knows whether it was done: say the same again, under the same ids
  kRetryLater,  // the same may succeed later: after Verdict::retry_after_ms, or a second
  kAskOther,    // another dispatcher serves, and is the one to ask
  kFixRequest,  // it will be refused again until it is changed
  kAuthorize,   // our key does not allow it
  kFinal,       // nothing changes it: the task has ended, or there is nothing to do it to
};
GENAI_EXPORT Advice advice(Errc code);

/// Why there is no answer.
struct Failure {
  Errc code = Errc::kOk;
  std::string detail;  // for people
};

/// The one exception of this library.
class GENAI_EXPORT ClientError : public std::runtime_error {
 public:
  ClientError(Errc code, const std::string& what) : std::runtime_error(what), code_(code) {}
  explicit ClientError(const Failure& failure) : ClientError(failure.code, failure.detail) {}
  Errc code() const { return code_; }

 private:
  Errc code_;
};

/// An answer, or why there is none.
template <class T>
class Answer {
 public:
  Answer(T value) : value_(std::move(value)) {}
  Answer(Failure failure) : value_(std::move(failure)) {}

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }
  /// Only if ok().
  T& operator*() { return *std::get_if<0>(&value_); }
  const T& operator*() const { return *std::get_if<0>(&value_); }
  T* operator->() { return std::get_if<0>(&value_); }
  const T* operator->() const { return std::get_if<0>(&value_); }
  /// Only if not ok().
  const Failure& failure() const { return *std::get_if<1>(&value_); }
  /// The answer, or a ClientError.
  T& value() & {
    if (!ok()) throw ClientError(failure());
    return **this;
  }
  T&& value() && { return std::move(value()); }

 private:
  std::variant<T, Failure> value_;
};

}  // namespace genai::client
