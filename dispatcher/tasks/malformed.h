// A peer sent something that cannot be read, or that is not as it should be.
#pragma once

#include <string>

#include "protocol/base/errors.h"

namespace genai::dispatcher {

struct Malformed {
  const char* text;  // for the log
  const char* key;   // of `who` in the log line
  std::string who;
  Error error;
};

}  // namespace genai::dispatcher
