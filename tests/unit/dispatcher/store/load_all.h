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

/// Puts the bytes of what stands apart in its place.
inline void read_apart(Store& store, Loaded& all) {
  const auto reader = store.reader();
  for (TaskRecord& task : all.tasks)
    for (Data* data : {&task.payload, &task.result}) {
      if (!data->is_apart()) continue;
      auto bytes = reader->read(data->key(), 0, data->size());
      if (!bytes) FAIL(bytes.error().detail);
      *data = std::move(*bytes);
    }
}

inline Loaded load_all(Store& store, const Lease& lease) {
  auto loaded = try_load_all(store, lease);
  if (!loaded) FAIL(loaded.error().detail);
  read_apart(store, *loaded);
  return std::move(*loaded);
}

}  // namespace genai::dispatcher::store
