// No store: for those who would rather lose tasks in a crash than wait for a disk.
#pragma once

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

class MemoryStore : public Store {
 public:
  std::string_view name() const override { return "memory"; }
  bool is_durable() const override { return false; }
  Result<Loaded> load() override { return Loaded{}; }
  Result<void> begin_epoch(std::uint64_t) override { return {}; }
  Result<void> commit(const Batch&) override { return {}; }
  bool is_low() const override { return false; }
};

}  // namespace genai::dispatcher::store
