// All pages of a store as one.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <iterator>

#include "dispatcher/store/store.h"

namespace genai::dispatcher::store {

struct Loaded {
  std::vector<TaskRecord> tasks;
  std::vector<NodeRow> nodes;
  std::vector<MeasureRow> measures;
  std::size_t pages = 0;
};

/// Or why one of them cannot be read.
inline Result<Loaded> try_load_all(Store& store, const Lease& lease) {
  Loaded all;
  for (std::optional<Cursor> next = Cursor{}; next;) {
    auto page = store.load(lease, *next);
    if (!page) return tl::unexpected(page.error());
    next = page->next;
    ++all.pages;
    std::ranges::move(page->tasks, std::back_inserter(all.tasks));
    std::ranges::move(page->nodes, std::back_inserter(all.nodes));
    std::ranges::move(page->measures, std::back_inserter(all.measures));
  }
  return all;
}

inline Loaded load_all(Store& store, const Lease& lease) {
  auto loaded = try_load_all(store, lease);
  if (!loaded) FAIL(loaded.error().detail);
  return std::move(*loaded);
}

}  // namespace genai::dispatcher::store
