// A TOML configuration file as a flat list of keys.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "protocol/runtime/option_value.h"

namespace genai::runtime {

/// A larger file is refused.
inline constexpr std::size_t kMaxConfigFileBytes = 1u << 20;

struct ConfigEntry {
  std::string key;
  std::uint32_t line = 0;  // from 1
  GivenValue value;
};

/// Reads the top-level keys of the file, in the order of their lines. A table, with its content, is
/// one OtherValue under its top-level key. The error is one line. It begins with the path and, if
/// it is known, the line number.
tl::expected<std::vector<ConfigEntry>, std::string> read_config_file(const std::string& path);

}  // namespace genai::runtime
