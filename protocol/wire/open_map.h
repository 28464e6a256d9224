// Turns the named keys of the open maps (task spec, public meta) into structs and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/errors.h"
#include "protocol/base/value.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/task_spec.h"

namespace genai::wire {

/// Fills the named members from `raw`, a map in canonical msgpack, and stores it as `out.raw`.
/// `out` must be new. A kBadField names the key. `is_new`: also checks the keys that the dispatcher
/// only passes on.
Expected<void> read_spec(std::string raw, TaskSpec& out, bool is_new = false);
/// Returns the error that read_spec() would return, or nothing.
std::optional<Error> spec_problem(std::string_view raw, bool is_new = false);
/// Returns the named keys without those that have their default.
ValueMap map_from(const TaskSpec& spec);
/// Returns the default of each named key.
const ValueMap& spec_defaults();
/// Returns the largest whole number that the key may have. 0: it is no key with a whole number.
std::uint64_t largest_in_spec(std::string_view key);

Expected<PublicMetaInfo> meta_from(std::string_view raw);
ValueMap map_from(const PublicMetaInfo& meta);

struct MetaSize {
  std::size_t bytes;             // of map_from(meta) as msgpack
  std::optional<Error> problem;  // the first value in it that a reader would refuse
};
/// Builds neither the map nor its msgpack.
MetaSize meta_size(const PublicMetaInfo& meta);

}  // namespace genai::wire
