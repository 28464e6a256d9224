// No store: for those who would rather lose tasks in a crash than wait for a disk.
#pragma once

#include <algorithm>
#include <string>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

/// Keeps nothing but the epoch. See Store for the contract.
class MemoryStore : public Store {
 public:
  std::string_view name() const override { return "memory"; }
  bool is_durable() const override { return false; }

  Result<Lease> acquire(std::string_view owner, std::uint64_t least_epoch) override {
    if (!owner_.empty())
      return tl::unexpected(StoreError{Failure::kInUse, "it is in use by " + owner_});
    owner_ = owner;
    epoch_ = std::max(epoch_ + 1, least_epoch);
    return Lease{epoch_};
  }
  Result<Lease> renew(const Lease& lease, std::uint64_t least_epoch) override {
    if (auto held = check(lease); !held) return tl::unexpected(held.error());
    epoch_ = std::max(epoch_, least_epoch);
    return Lease{epoch_};
  }
  Result<Page> load(const Lease&, const Cursor&) override { return Page{}; }
  Result<void> commit(const Lease& lease, Batch&) override { return check(lease); }
  Room room() const override { return Room::kEnough; }

 private:
  Result<void> check(const Lease& lease) const {
    if (lease.epoch == epoch_) return {};
    return tl::unexpected(StoreError{Failure::kFenced, "a later lease was granted"});
  }

  std::string owner_;  // empty: nobody
  std::uint64_t epoch_ = 0;
};

}  // namespace genai::dispatcher::store
