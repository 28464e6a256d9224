// Errors as values: a code, a sentence for people, and advice on what to do.
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

/// A code of the protocol, or a code of this library: those are 10000 and higher. SPEC.md, section
/// "Errors", says what each code of the protocol means. A newer dispatcher may send a number that
/// is not in this list. The library passes it on; its name() is "unknown", and it is an error like
/// the others.
enum class Errc : std::uint16_t {
  kOk = 0,
  // A message, or a request in it, is wrong.
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
  // The dispatcher refuses a request.
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

  // Codes of this library. They are never sent.
  kTimeout = 10000,    // no answer within Config::timeout
  kNotOpen = 10001,    // Client::wait(): no result of this task can come
  kBadAnswer = 10002,  // the dispatcher's answer is of the wrong type
  kSystem = 10003,     // the operating system refuses a socket or a descriptor
};

/// Returns the name of a code: "ok", "queue_full", ... SPEC.md, logs and genai-ctl --json use the
/// same names. The text is never freed.
GENAI_EXPORT const char* name(Errc code);
/// Returns the code with this name, or nothing if this version does not know it.
GENAI_EXPORT std::optional<Errc> errc_named(std::string_view name);

/// What a program should do when it gets a code.
enum class Advice {
  kGoOn,        // the request is done
  kRepeat,      // it is not known whether the request was done: send it again, with the same ids
  kRetryLater,  // the request may succeed later: wait for Verdict::retry_after_ms, or one second
  kAskOther,    // another dispatcher serves: send the request there
  kFixRequest,  // the request is refused until it is changed
  kAuthorize,   // our key does not allow the request
  kFinal,       // a repetition changes nothing: the task has ended, or does not exist
};
/// Returns the advice for a code.
GENAI_EXPORT Advice advice(Errc code);

/// The reason why there is no answer.
struct Failure {
  Errc code = Errc::kOk;
  std::string detail;  // for people
};

/// The exception type of this library.
class GENAI_EXPORT ClientError : public std::runtime_error {
 public:
  ClientError(Errc code, const std::string& what) : std::runtime_error(what), code_(code) {}
  explicit ClientError(const Failure& failure) : ClientError(failure.code, failure.detail) {}
  Errc code() const { return code_; }

 private:
  Errc code_;
};

/// An answer, or the reason why there is none.
template <class T>
class Answer {
 public:
  Answer(T value) : value_(std::move(value)) {}
  Answer(Failure failure) : value_(std::move(failure)) {}

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }
  /// Call these only if ok().
  T& operator*() { return *std::get_if<0>(&value_); }
  const T& operator*() const { return *std::get_if<0>(&value_); }
  T* operator->() { return std::get_if<0>(&value_); }
  const T* operator->() const { return std::get_if<0>(&value_); }
  /// Call it only if not ok().
  const Failure& failure() const { return *std::get_if<1>(&value_); }
  /// Returns the answer. Throws the failure as a ClientError if there is none.
  T& value() & {
    if (!ok()) throw ClientError(failure());
    return **this;
  }
  T&& value() && { return std::move(value()); }

 private:
  std::variant<T, Failure> value_;
};

}  // namespace genai::client
