// The name of a node that was given none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/descriptor.h"

namespace genai::node {

struct DefaultId {
  std::string id;            // HOST-RANDOM
  Descriptor lock;           // hold it as long as the node uses the id
  std::string why_not_kept;  // the next process will have another id; empty: it is kept
};

/// An id that no other process has, here or on a machine or in a container with the same host name,
/// and that a later process on this host gets again: it stands in a file of `folder`, which is made
/// if need be. The file is locked meanwhile, so that a second process at once takes a second file.
/// Where `folder` is empty, or cannot be written, the id is a new one each time.
DefaultId claim_default_id(const std::string& folder, std::string_view host);

std::string host_name();

}  // namespace genai::node
