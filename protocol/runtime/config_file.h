// A TOML configuration file as a flat list of keys.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "protocol/runtime/option_value.h"

namespace genai::runtime {

/// A longer file is refused.
inline constexpr std::size_t kMaxConfigFileBytes = 1u << 20;

struct ConfigEntry {
  std::string key;
  std::uint32_t line = 0;  // from 1
  GivenValue value;
};

/// Reads the file's top-level keys in the order of their lines. Tables and everything in them come
/// back as one OtherValue under the top-level key. The error is one line that begins with the path
/// and, when it is known, the line number.
tl::expected<std::vector<ConfigEntry>, std::string> read_config_file(const std::string& path);

}  // namespace genai::runtime
