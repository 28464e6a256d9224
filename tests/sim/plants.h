// Which bug of protocol/base/planted.h this run has. Only genai-sim-planted can have one.
#pragma once

namespace genai::sim {

/// Plants that bug for the whole run. False when this program holds no such bug.
bool plant(unsigned bug);

}  // namespace genai::sim
