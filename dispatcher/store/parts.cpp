#include "dispatcher/store/parts.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace genai::dispatcher::store {
namespace {

template <class T>
void move_last(std::vector<T>& from, std::vector<T>& to, std::size_t& count) {
  const std::size_t moved = std::min(count, from.size());
  const auto begin = from.end() - static_cast<std::ptrdiff_t>(moved);
  to.insert(to.end(), std::move_iterator(begin), std::move_iterator(from.end()));
  from.erase(begin, from.end());
  count -= moved;
}

/// Up to `count` entries, those that free room first.
void move_some(Batch& from, Batch& to, std::size_t count) {
  move_last(from.erased, to.erased, count);
  move_last(from.fetched, to.fetched, count);
  move_last(from.changed, to.changed, count);
  move_last(from.added, to.added, count);
  move_last(from.nodes, to.nodes, count);
  move_last(from.measures, to.measures, count);
}

}  // namespace

void append(Batch& to, Batch&& from) { move_some(from, to, from.size()); }

Result<void> commit_in_parts(Batch& batch,
                             const std::function<Result<void>(const Batch&)>& commit) {
  auto result = commit(batch);
  std::size_t size = batch.size();
  while (!result && result.error().failure == Failure::kFull && size > 1) {
    size = (size + 1) / 2;
    do {
      Batch part;
      move_some(batch, part, size);
      result = commit(part);
      if (!result) append(batch, std::move(part));
    } while (result && !batch.empty());
  }
  return result;
}

}  // namespace genai::dispatcher::store
