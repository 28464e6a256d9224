// Whether this machine can run the command of --exec at all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace genai::node {

/// Why no task can be run here, as far as it can be seen without one: no scratch folder, or
/// command_problem.
std::optional<std::string> fitness_problem(const std::string& command);

/// Why the program that `command` begins with cannot be run: it is not there or not executable, or
/// its #! interpreter is not. Nothing when it can, or when it cannot be told: see first_program.
///
/// The shell says 127 (not found) and 126 (not executable), but a program may end so for reasons of
/// its own, a script because of what one task asked for. Only what is wrong whatever the task is
/// the node's fault; else one bad task would put every node out of service.
std::optional<std::string> command_problem(const std::string& command);

/// The word that `command` begins with, after `exec`: a program, or something of the shell's own.
/// Nothing where the shell would change it, because it is quoted, a variable, a pattern, or an
/// assignment.
std::optional<std::string> first_program(std::string_view command);

}  // namespace genai::node
