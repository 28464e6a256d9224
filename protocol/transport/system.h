// The operating system's clocks and randomness.
#pragma once

#include <array>
#include <cstdint>

#include "protocol/base/ids.h"
#include "protocol/base/time.h"

namespace genai::transport {

/// Reads both clocks.
Now read_clock();

/// Fills it with random bytes of the kernel. Throws std::system_error if the kernel has none.
void fill_random(void* out, std::size_t size);

template <class Id>
Id random_id() {
  typename Id::Bytes bytes;
  fill_random(bytes.data(), bytes.size());
  return Id(bytes);
}

/// Raises the limit of open files as far as the system permits, also for children; returns it.
std::uint64_t raise_open_files();

/// Makes a new UUIDv7.
TaskId new_task_id();

}  // namespace genai::transport
