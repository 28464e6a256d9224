#include "tools/node/fitness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "tools/node/exec_runner.h"
#include "tools/node/scratch.h"

namespace genai::node {
namespace {

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-,:@%";
constexpr std::string_view kBlanks = " \t\n";
constexpr std::string_view kWordEnds = " \t\n;|&";
constexpr std::size_t kMaxInterpreterBytes = 255;

std::string cannot_run(const std::string& path, const std::string& why) {
  return "cannot run " + path + ": " + why;
}

/// Asks the shell, which knows its own commands and the way through PATH. The path of a file, the
/// name of what the shell does itself, or nothing when there is neither.
std::optional<std::string> resolve(const std::string& word) {
  Command ask;
  ask.text = "command -v -- " + word;
  for (char** entry = environ; *entry; ++entry) ask.environment.emplace_back(*entry);
  const TaskResult answer = run_command(ask, -1, {});
  if (answer.kind == TaskResult::Kind::kReturned) return word;  // not known; trouble enough
  if (answer.kind != TaskResult::Kind::kOk) return std::nullopt;
  return answer.data.substr(0, answer.data.find('\n'));
}

std::optional<std::string> file_problem(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return cannot_run(path, strerror(errno));
  if (S_ISDIR(info.st_mode)) return cannot_run(path, "it is a directory");
  if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0)
    return cannot_run(path, strerror(errno));
  return std::nullopt;
}

/// What stands after "#!", without its argument; empty for other files.
std::string interpreter_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string line(kMaxInterpreterBytes, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  line = line.substr(0, line.find('\n'));
  if (!line.starts_with("#!")) return {};
  const std::size_t begin = line.find_first_not_of(" \t", 2);
  if (begin == std::string::npos) return {};
  return line.substr(begin, line.find_first_of(" \t", begin) - begin);
}

}  // namespace

std::optional<std::string> first_program(std::string_view command) {
  for (;;) {
    const std::size_t begin = std::min(command.find_first_not_of(kBlanks), command.size());
    const std::string_view rest = command.substr(begin);
    const std::size_t length = std::min(rest.find_first_not_of(kPlain), rest.size());
    if (length == 0 || rest[0] == '-') return std::nullopt;
    if (length < rest.size() && kWordEnds.find(rest[length]) == std::string_view::npos)
      return std::nullopt;
    const std::size_t next = rest.find_first_not_of(kBlanks, length);
    if (next != rest.npos && rest[next] == '(') return std::nullopt;  // a function: NAME () { ...
    if (rest.substr(0, length) != "exec") return std::string(rest.substr(0, length));
    command = rest.substr(length);
  }
}

std::optional<std::string> command_problem(const std::string& command) {
  const auto word = first_program(command);
  if (!word) return std::nullopt;
  const bool is_path = word->find('/') != std::string::npos;
  const auto path = is_path ? word : resolve(*word);
  if (!path) return cannot_run(*word, "it is not found");
  if (path->find('/') == std::string::npos) return std::nullopt;  // the shell does it itself
  if (auto problem = file_problem(*path)) return problem;
  const std::string interpreter = interpreter_of(*path);
  if (interpreter.empty()) return std::nullopt;
  const auto problem = file_problem(interpreter);
  return problem ? cannot_run(*path, "its interpreter: " + *problem) : problem;
}

std::optional<std::string> fitness_problem(const std::string& command) {
  try {
    Scratch();
  } catch (const std::system_error& error) {
    return error.what();
  }
  return command_problem(command);
}

}  // namespace genai::node
