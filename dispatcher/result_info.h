// What nodes say of results, and how much of it is kept: a node may send anything in it.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/value.h"

namespace genai::dispatcher {

/// Whether SPEC.md gives the key a meaning.
bool is_known_info(std::string_view key);
/// What it takes while it is held, which can be fifty times of what it took on the wire.
std::size_t memory_of(const ValueMap& map);
/// Drops what is not known when it takes more than the text that it may be.
void bound_info(ValueMap& info);
/// Drops what is not known, and clips the error: what is told of a task that was fetched.
void keep_known_info(ValueMap& info);

}  // namespace genai::dispatcher
