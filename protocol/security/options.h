// SecurityOptions on a daemon's command line.
#pragma once

#include <optional>
#include <string>

#include "protocol/runtime/options.h"
#include "protocol/security/security_options.h"

namespace genai::transport {

/// Declares them, under the names that the problems below speak of.
void add_options(runtime::Options& parser, SecurityOptions& options);

/// What is wrong with listening at `endpoint`, the value of the option of that name.
std::optional<runtime::OptionProblem> security_problem(const std::string& option,
                                                       const std::string& endpoint,
                                                       const SecurityOptions& options);
/// What is wrong with the options, and with the files they name.
std::optional<runtime::OptionProblem> security_problem(const SecurityOptions& options);

}  // namespace genai::transport
