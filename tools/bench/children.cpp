#include "tools/bench/children.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "protocol/runtime/signals.h"

namespace genai::bench {

Folder::Folder(const std::string& parent) {
  const std::filesystem::path base =
      parent.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(parent);
  std::string pattern = (base / "genai-bench-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::system_error(errno, std::generic_category(), pattern);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Usage usage_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  // proc(5): behind the name in parentheses, fields from the third on.
  std::stringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string field;
  double ticks = 0, pages = 0;
  for (int number = 3; fields >> field; ++number) {
    if (number == 14 || number == 15) ticks += std::stod(field);  // utime, stime
    if (number == 24) pages = std::stod(field);                   // rss
  }
  const double tick_us = 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
  const double page_mib = static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
  return {ticks * tick_us, pages * page_mib};
}

Child::Child(const std::string& program, const std::vector<std::string>& arguments,
             const std::string& log)
    : program_(program), log_(log) {
  const std::string path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ > 0) return;
  // In the child: only what is async-signal-safe.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);  // Ctrl-C is for the benchmark, which ends its children
  if (getppid() != parent) _exit(127);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  runtime::restore_default_signals();
  execv(path.c_str(), argv.data());
  _exit(127);
}

Child::~Child() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::size_t Child::logged(std::string_view text) const {
  std::ifstream file(log_);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) count += line.find(text) != line.npos;
  return count;
}

void Child::check() const {
  siginfo_t info{};
  const int error = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (error == 0 && info.si_pid == 0) return;
  throw std::runtime_error(program_ + " has ended: " + last_line());
}

std::string Child::last_line() const {
  std::ifstream file(log_);
  std::string last;
  for (std::string line; std::getline(file, line);) last = line;
  return last;
}

std::string Child::activity() const {
  constexpr auto kMoment = std::chrono::milliseconds(500);
  const double before_us = usage().cpu_us;
  std::this_thread::sleep_for(kMoment);
  const double used = (usage().cpu_us - before_us) / 1000 / static_cast<double>(kMoment.count());
  const std::string folder = "/proc/" + std::to_string(pid_);
  std::ifstream status(folder + "/status"), channel(folder + "/wchan");
  std::string state = "?", waits_in;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("State:")) state = line.substr(line.find_first_not_of(" \t", 6));
  std::getline(channel, waits_in);
  return fmt::format("{}: {}, waits in '{}', {:.0f} % of a core; its log ends: {}", program_, state,
                     waits_in, 100 * used, last_line());
}

}  // namespace genai::bench
