// Fairness between tenants: who is next, and who has enough.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dispatcher/placement/quota.h"
#include "protocol/base/errors.h"

namespace genai::dispatcher {

struct TenantQueue;

/// Place in the order of service; the least is next.
struct Turn {
  std::uint64_t round = 0;
  std::uint64_t position = 0;
  friend auto operator<=>(const Turn&, const Turn&) = default;
};

struct Tenant {
  std::string name;
  Quota quota;
  std::uint64_t members = 0;  // tasks that are not terminal
  std::uint64_t queued = 0, running = 0, bytes = 0;
  double seconds = 0;  // charged in all

  double credit = 0;  // as of `turn.round`; served while it is above 0
  Turn turn;
  std::vector<TenantQueue*> queues;  // those that are not empty

  bool may_run() const { return quota.max_running == 0 || running < quota.max_running; }
};

/// Not thread-safe. Pure.
///
/// Weighted deficit round-robin, charged in seconds of provider time. Source: Shreedhar and
/// Varghese, "Efficient fair queueing using deficit round robin" (1995), in the surplus form, since
/// what a task costs is known only afterwards: a tenant is served while its credit is above 0 and
/// is charged what is expected; the difference to what was measured follows. In each round it gets
/// kQuantumSeconds * weight. Rounds in which nobody could be served are skipped: a tenant is
/// ordered by the round in which its credit is above 0 again, so a quantum can be much less than a
/// task.
class Tenants {
 public:
  static constexpr double kQuantumSeconds = 0.001;

  /// `quotas` by name; "*" is for everybody who is not named.
  explicit Tenants(std::map<std::string, Quota> quotas) : quotas_(std::move(quotas)) {}

  Tenant& of(const std::string& name);
  /// Forgets it unless it has members, or a quota or a debt to remember.
  void release(Tenant& tenant);

  /// It has tasks again after it had none: what it did not use is not saved up.
  void wake(Tenant& tenant);
  /// One of its tasks was placed and is expected to take so long. Changes the turn.
  void serve(Tenant& tenant, double seconds);
  /// A task took so much more than expected, or less if below 0. Changes the turn.
  void correct(Tenant& tenant, double seconds);

  /// Why it may not have one more task of that size, or nothing.
  std::optional<Error> over_quota(const std::string& name, std::uint64_t bytes) const;

  using Map = std::map<std::string, std::unique_ptr<Tenant>, std::less<>>;
  const Map& all() const { return tenants_; }

 private:
  const Quota& quota_of(const std::string& name) const;
  void charge(Tenant& tenant, double seconds);

  std::map<std::string, Quota> quotas_;
  Map tenants_;
  std::uint64_t round_ = 0;     // the latest in which one was served
  std::uint64_t position_ = 0;  // of the latest to take its place in a round
};

}  // namespace genai::dispatcher
