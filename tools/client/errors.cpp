#include "genai/client/errors.h"

#include <array>

#include "protocol/base/errors.h"

namespace genai::client {
namespace {

struct Own {
  Errc code;
  const char* name;
};
constexpr std::array kOwn{Own{Errc::kTimeout, "timeout"}, Own{Errc::kNotOpen, "not_open"},
                          Own{Errc::kBadAnswer, "bad_answer"}, Own{Errc::kSystem, "system"}};
constexpr std::uint16_t kProtocolEnd = 10000;

}  // namespace

const char* name(Errc code) {
  for (const Own& own : kOwn)
    if (own.code == code) return own.name;
  return genai::name(static_cast<ErrorCode>(code)).data();  // literals: zero-terminated
}

std::optional<Errc> errc_named(std::string_view name) {
  for (const Own& own : kOwn)
    if (own.name == name) return own.code;
  for (std::uint16_t number = 0; number < kProtocolEnd; ++number)
    if (const auto code = error_code(number); code && genai::name(*code) == name)
      return Errc{number};
  return std::nullopt;
}

Advice advice(Errc code) {
  switch (code) {
    case Errc::kOk:
      return Advice::kGoOn;
    case Errc::kTimeout:
    case Errc::kPeerFull:
      return Advice::kRepeat;
    case Errc::kTooManyNodes:
    case Errc::kNodeIdInUse:
    case Errc::kQueueFull:
    case Errc::kDraining:
    case Errc::kStoreFull:
    case Errc::kOverQuota:
    case Errc::kSlowDown:
    case Errc::kSystem:
      return Advice::kRetryLater;
    case Errc::kSuperseded:
      return Advice::kAskOther;
    case Errc::kMalformed:
    case Errc::kUnsupportedVersion:
    case Errc::kUnknownType:
    case Errc::kBadField:
    case Errc::kTooLarge:
    case Errc::kIdConflict:
    case Errc::kUnknownNode:
    case Errc::kResultTooLarge:
    case Errc::kImpossible:
      return Advice::kFixRequest;
    case Errc::kNotAllowed:
      return Advice::kAuthorize;
    default:
      return Advice::kFinal;
  }
}

}  // namespace genai::client
