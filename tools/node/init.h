// genai-node as the first process of a container.
#pragma once

#include <optional>

namespace genai::node {

/// In process 1: stays there as init, takes the status of every process whose parent has died,
/// hands on signals, and lets the program go on in a child. Returns nothing in that child, and in
/// every other process; returns the exit code to end with in process 1, once the child has ended.
/// Call it before there are threads. When there can be no child process 1 is the program itself.
std::optional<int> become_init();

}  // namespace genai::node
