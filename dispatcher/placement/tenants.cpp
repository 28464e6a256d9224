#include "dispatcher/placement/tenants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dispatcher/placement/limits.h"

namespace genai::dispatcher {
const Quota& Tenants::quota_of(const std::string& name) const {
  static const Quota kNone;
  auto it = quotas_.find(name);
  if (it == quotas_.end()) it = quotas_.find("*");
  return it == quotas_.end() ? kNone : it->second;
}

Tenant& Tenants::of(const std::string& name) {
  auto [it, is_new] = tenants_.try_emplace(name);
  if (is_new) {
    it->second = std::make_unique<Tenant>();
    Tenant& tenant = *it->second;
    tenant.name = name;
    tenant.quota = quota_of(name);
    tenant.turn = {round_, ++position_};
    tenant.credit = kQuantumSeconds * tenant.quota.weight;
  }
  return *it->second;
}

void Tenants::release(Tenant& tenant) {
  const bool in_debt = tenant.turn.round > round_;
  const bool matters = quotas_.contains(tenant.name) || (in_debt && tenants_.size() <= kMaxIdle);
  if (tenant.members == 0 && !matters) tenants_.erase(std::string(tenant.name));
}

void Tenants::wake(Tenant& tenant) {
  if (tenant.turn.round >= round_) return;
  tenant.turn = {round_, ++position_};
  tenant.credit = kQuantumSeconds * tenant.quota.weight;
}

void Tenants::serve(Tenant& tenant, double seconds) {
  wake(tenant);  // nor is saved up what it could not use, since none of its tasks could be placed
  round_ = std::max(round_, tenant.turn.round);
  charge(tenant, seconds);
}

void Tenants::correct(Tenant& tenant, double seconds) { charge(tenant, seconds); }

void Tenants::charge(Tenant& tenant, double seconds) {
  tenant.seconds += seconds;
  tenant.credit -= seconds;
  // In (0, quantum]: the round is the first in which it could be served.
  const double quantum = kQuantumSeconds * tenant.quota.weight;
  double rounds = 1 - std::ceil(tenant.credit / quantum);
  rounds = std::max(rounds,
                    -static_cast<double>(tenant.turn.round - std::min(round_, tenant.turn.round)));
  tenant.credit = std::min(tenant.credit + rounds * quantum, quantum);
  if (rounds == 0) return;
  tenant.turn.round += static_cast<std::uint64_t>(static_cast<std::int64_t>(rounds));
  tenant.turn.position = ++position_;
}

std::optional<Error> Tenants::over_quota(const std::string& name, std::uint64_t bytes) const {
  const auto it = tenants_.find(name);
  static const Tenant kNobody;
  const Tenant& tenant = it == tenants_.end() ? kNobody : *it->second;
  const Quota& quota = it == tenants_.end() ? quota_of(name) : tenant.quota;
  const auto refuse = [&](std::uint64_t limit, const char* of) {
    return Error{ErrorCode::kOverQuota,
                 fmt::format("tenant '{}' may have {} {} at once", name, limit, of)};
  };
  if (quota.max_queued && tenant.queued >= quota.max_queued)
    return refuse(quota.max_queued, "queued tasks");
  if (quota.max_bytes && tenant.bytes + bytes > quota.max_bytes)
    return refuse(quota.max_bytes, "bytes of tasks");
  return std::nullopt;
}

}  // namespace genai::dispatcher
