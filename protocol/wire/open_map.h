// The named keys of the open maps (task spec, public meta) to structs and back.
#pragma once

#include <string_view>

#include "protocol/base/errors.h"
#include "protocol/base/value.h"
#include "protocol/wire/public_meta.h"
#include "protocol/wire/task_spec.h"

namespace genai::wire {

/// Fills the named members from a map in canonical msgpack, `raw`, and keeps it as `out.raw`; `out`
/// must be as made. kBadField names the key. `is_new`: keys that the dispatcher only passes on are
/// looked at too.
Expected<void> read_spec(std::string raw, TaskSpec& out, bool is_new = false);
ValueMap map_from(const TaskSpec& spec);

Expected<PublicMetaInfo> meta_from(std::string_view raw);
ValueMap map_from(const PublicMetaInfo& meta);

}  // namespace genai::wire
