// The operating system's clocks and randomness.
#pragma once

#include <array>
#include <cstdint>

#include "protocol/base/ids.h"
#include "protocol/base/time.h"

namespace genai::transport {

/// Both clocks, read now.
Now read_clock();

/// Fills from the kernel's generator; throws std::system_error when there is none.
void fill_random(void* out, std::size_t size);

template <class Id>
Id random_id() {
  typename Id::Bytes bytes;
  fill_random(bytes.data(), bytes.size());
  return Id(bytes);
}

/// Lets the process, and programs it starts, open as many files as the system permits; so many.
std::uint64_t raise_open_files();

/// A fresh UUIDv7.
TaskId new_task_id();

}  // namespace genai::transport
