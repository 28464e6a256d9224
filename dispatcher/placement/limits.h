// The limits of placement that no option sets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genai::dispatcher {

// Kinds of tasks at once. Each costs an index of the fleet, and to rank all of it when it is new.
// So that all of that together is bounded, there are fewer of them in a large fleet.
inline constexpr std::size_t kMaxClasses = 1024, kLeastClasses = 32;
inline constexpr std::size_t kMaxEntries = 1'000'000;  // of all those indexes together
// Indexes kept for kinds that have no tasks just now, and providers in all of those together.
inline constexpr std::size_t kMaxIdleClasses = 64;
inline constexpr std::size_t kMaxIdleEntries = 1'000'000;

// Names of models are remembered for good, so a flood of them must end somewhere: the rest is one
// model.
inline constexpr std::size_t kMaxModelNames = 100'000;
// Models measured of one node. The model that has not been run for longest is forgotten first.
inline constexpr std::size_t kMaxModelsOfNode = 64;
// Accounts of nodes that are gone. A fleet of volunteers brings ever new names.
inline constexpr std::size_t kMaxRecords = 100'000;

// Tenants without tasks of which a debt is remembered: names cost nothing to make up.
inline constexpr std::size_t kMaxIdle = 10'000;
// What the option --tenant takes.
inline constexpr double kMaxTenantWeight = 1e6;
inline constexpr std::uint64_t kMaxQuota = 1'000'000'000;

// Bounds on one decision: tasks of one class looked at beyond a head that avoids the nodes with
// room; providers looked at beyond the best, and tenants beyond the one whose turn it is; providers
// looked at in one pass for tasks that should be asked back.
inline constexpr std::size_t kLookahead = 32;
inline constexpr std::size_t kMaxLooked = 64;
inline constexpr std::size_t kMaxRecalls = 64;

}  // namespace genai::dispatcher
