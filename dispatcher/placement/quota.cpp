#include "dispatcher/placement/quota.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string_view>

#include "dispatcher/placement/limits.h"
#include "protocol/base/limits.h"

namespace genai::dispatcher {
namespace {

template <class Number>
bool read(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

/// What is wrong with "KEY=VALUE", or nothing.
std::string take(std::string_view part, Quota& quota) {
  const std::size_t equals = part.find('=');
  const std::string_view key = part.substr(0, equals);
  const std::string_view value = equals == part.npos ? "" : part.substr(equals + 1);
  if (key == "weight") {
    const bool ok =
        read(value, quota.weight) && quota.weight > 0 && quota.weight <= kMaxTenantWeight;
    return ok ? "" : fmt::format("weight: expected a number above 0, at most {}", kMaxTenantWeight);
  }
  std::uint64_t* count = key == "queued"    ? &quota.max_queued
                         : key == "running" ? &quota.max_running
                         : key == "mib"     ? &quota.max_bytes
                                            : nullptr;
  if (!count) return fmt::format("no such quota '{}' (weight, queued, running, mib)", key);
  if (!read(value, *count) || *count > kMaxQuota)
    return fmt::format("{}: expected an integer from 0 to {}", key, kMaxQuota);
  if (key == "mib") *count <<= 20;
  return "";
}

}  // namespace

tl::expected<std::pair<std::string, Quota>, std::string> parse_quota(const std::string& text) {
  const auto fail = [&](const std::string& what) {
    return tl::unexpected(fmt::format("'{}': {}", text, what));
  };
  const std::size_t colon = text.find(':');
  std::pair<std::string, Quota> named{text.substr(0, colon), {}};
  if (named.first.empty() || named.first.size() > limits::kMaxNameBytes)
    return fail(fmt::format("expected a name of 1 to {} bytes", limits::kMaxNameBytes));
  std::string_view rest = colon == text.npos ? "" : std::string_view(text).substr(colon + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find(':');
    if (std::string what = take(rest.substr(0, end), named.second); !what.empty())
      return fail(what);
    rest = end == rest.npos ? "" : rest.substr(end + 1);
  }
  return named;
}

}  // namespace genai::dispatcher
