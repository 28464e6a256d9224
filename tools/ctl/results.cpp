#include "tools/ctl/results.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/runtime/draft.h"
#include "protocol/runtime/escape.h"
#include "tools/ctl/input.h"
#include "tools/ctl/session.h"

namespace genai::ctl {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileNameBytes = 255;

ResultFolder::ResultFolder(const std::string& folder, std::string suffix)
    : folder_(folder), suffix_(std::move(suffix)) {
  if (suffix_.find('/') != std::string::npos)
    throw InputError("--suffix " + suffix_ + ": must not hold a '/'");
  if (suffix_.size() + limits::kMaxIdBytes > kMaxFileNameBytes)
    throw InputError("--suffix: longer than " +
                     std::to_string(kMaxFileNameBytes - limits::kMaxIdBytes) + " bytes");
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!error && access(folder.c_str(), W_OK | X_OK) != 0)
    error.assign(errno, std::system_category());
  if (error) throw InputError("--out " + folder + ": " + error.message());
}

void ResultFolder::check(const std::string& task_id) const {
  const std::string name = task_id + suffix_;
  if (name == "." || name == "..") throw InputError("--out: no file can be named '" + name + "'");
}

std::string ResultFolder::write(const client::TaskResult& result) const {
  const std::string path = (folder_ / (result.id + suffix_)).string();
  runtime::Draft draft(path, 0666);
  draft.write(result.data);
  draft.publish();
  return path;
}

namespace {

/// Whether nothing in it moves the cursor or forges a line.
bool is_short_text(std::string_view data) {
  if (data.size() > runtime::kMaxPrintedTextBytes || !is_valid_utf8(data)) return false;
  std::string plain(data);
  std::erase_if(plain, [](char c) { return c == '\n' || c == '\t' || c == '\\'; });
  return runtime::escaped(plain) == plain;
}

void show(const client::TaskResult& result) {
  if (is_short_text(result.data))
    std::cout << result.data << (result.data.view().ends_with('\n') ? "" : "\n");
  else
    std::cout << '(' << size_text(result.data.size()) << ", not shown on a terminal)\n";
  std::cout.flush();
}

}  // namespace

bool write_to_stdout(const client::TaskResult& result) {
  struct stat info {};
  if (isatty(STDOUT_FILENO)) {
    show(result);
    return false;
  }
  const std::string trouble = "cannot write to stdout: ";
  try {
    runtime::write_all(STDOUT_FILENO, result.data);
  } catch (const std::system_error& error) {
    throw std::runtime_error(trouble + error.code().message());
  }
  if (stdout_is_closed()) throw std::runtime_error(trouble + "nobody reads it");
  if (fstat(STDOUT_FILENO, &info) != 0 || (S_ISREG(info.st_mode) && fsync(STDOUT_FILENO) != 0))
    throw std::runtime_error(trouble + std::generic_category().message(errno));
  return S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode);
}

}  // namespace genai::ctl
