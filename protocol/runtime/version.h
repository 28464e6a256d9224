// The version for --version, logs and HELLO messages. CMake passes the version of the project.
#pragma once

#include <string_view>

#ifndef GENAI_VERSION
#define GENAI_VERSION "0.1.0"
#endif

namespace genai::runtime {

inline constexpr std::string_view kVersion = GENAI_VERSION;

}  // namespace genai::runtime
