// Keys of a fleet: made, authorized and revoked on the machine that has the folder.
#pragma once

#include "tools/ctl/options.h"

namespace genai::ctl {

/// keygen, authorize, revoke; the exit code. They need no dispatcher.
int run_keys(const Options& options);

}  // namespace genai::ctl
