// SecurityOptions on a daemon's command line.
#pragma once

#include <optional>
#include <string>

#include "protocol/runtime/options.h"
#include "protocol/security/security_options.h"

namespace genai::transport {

/// Declares the options. The problems below name them.
void add_options(runtime::Options& parser, SecurityOptions& options);

/// Returns the reason not to listen at `endpoint`, the value of the option with that name.
std::optional<runtime::OptionProblem> security_problem(const std::string& option,
                                                       const std::string& endpoint,
                                                       const SecurityOptions& options);
/// Returns the mistake in the options, or in the files that they name.
std::optional<runtime::OptionProblem> security_problem(const SecurityOptions& options);

}  // namespace genai::transport
