// The core's notices as log lines.
#pragma once

#include "broker/effects.h"

namespace genai::broker {

void log_notice(const Notice& notice);

}  // namespace genai::broker
