// What is no scalar, for programs that are given texts.
#pragma once

#include <string>

#include "protocol/base/value.h"

namespace genai {

/// Compact JSON in ASCII. Bytes become a string of hex digits.
std::string json_text(const Value& value);

}  // namespace genai
