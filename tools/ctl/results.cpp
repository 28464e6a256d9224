#include "tools/ctl/results.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <iostream>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "protocol/base/content_type.h"
#include "protocol/base/limits.h"
#include "protocol/base/text.h"
#include "protocol/runtime/draft.h"
#include "protocol/runtime/escape.h"
#include "protocol/runtime/read_file.h"
#include "tools/ctl/input.h"
#include "tools/ctl/safe_name.h"
#include "tools/ctl/session.h"

namespace genai::ctl {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileNameBytes = 255;
constexpr int kMaxNumber = 1000;  // of files of one name

[[noreturn]] void cannot_write(const std::string& path, int error) {
  throw std::runtime_error("cannot write " + path + ": " + std::generic_category().message(error));
}

/// ".png" of "a/b.png"; nothing of a suffix that may be anything.
std::string_view suffix_of_name(std::string_view name) {
  constexpr std::size_t kMaxSuffixBytes = 10;
  const std::size_t dot = name.find_last_of("./");
  if (dot == name.npos || dot == 0 || name[dot] == '/' || name[dot - 1] == '/') return {};
  const std::string_view letters = name.substr(dot + 1);
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (letters.empty() || letters.size() > kMaxSuffixBytes) return {};
  return std::ranges::all_of(letters, is_plain) ? name.substr(dot) : std::string_view();
}

/// The suffix that belongs to a file; nothing if nobody knows it.
std::string_view suffix_of(const client::ResultFile& file) {
  if (const std::string_view suffix = suffix_of_name(file.name); !suffix.empty()) return suffix;
  if (const std::string_view suffix = suffix_of_type(file.content_type); !suffix.empty())
    return suffix;
  return suffix_of_type(type_of_magic(file.data));
}

/// 0 if nothing is there. A link is told as a link.
mode_t type_of(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? info.st_mode & S_IFMT : 0;
}

bool has_content(const std::string& path, std::string_view data) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
      static_cast<std::size_t>(info.st_size) != data.size())
    return false;
  const auto content = runtime::read_file(path, data.size());
  return content && *content == data;
}

/// No task's folder may be another one.
std::string folder_of_task(const std::string& id) {
  return id == "." || id == ".." ? '_' + id : id;
}

/// The safe names of the files, which differ as their names do.
std::vector<std::string> names_of(const std::vector<client::ResultFile>& files) {
  std::vector<std::string> names;
  std::set<std::string> taken, folders;
  const auto folded = [](std::string name) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name;
  };
  for (const client::ResultFile& file : files)
    for (std::size_t at = 0; (at = file.name.find('/', at)) != file.name.npos; ++at)
      folders.insert(folded(safe_name(file.name.substr(0, at))));
  for (const client::ResultFile& file : files) {
    const std::string safe = safe_name(file.name);
    std::string name = safe;
    for (int number = 2; folders.contains(folded(name)) || !taken.insert(folded(name)).second;)
      name = numbered_name(safe, number++);
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

std::string text_of(const Written& written) {
  if (written.files.size() < 2) return written.path;
  return written.path + "/ (" + std::to_string(written.files.size()) + " files)";
}

ResultFolder::ResultFolder(const std::string& folder, std::string suffix, bool overwrite)
    : folder_(folder), suffix_(std::move(suffix)), overwrite_(overwrite) {
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

Written ResultFolder::write(const client::TaskResult& result) const {
  const std::vector<client::ResultFile> files = result.files();
  Written written;
  if (files.size() <= 1) {
    const bool is_told = overwrite_ || !suffix_.empty();
    const client::ResultFile file =
        files.empty() ? client::ResultFile{{}, {}, result.data, {}} : files[0];
    const std::string suffix = suffix_.empty() ? std::string(suffix_of(file)) : suffix_;
    written.path =
        write_file(result.id + suffix, file.data, is_told ? Taken::kReplace : Taken::kNumber);
    written.files = {written.path};
    return written;
  }
  const std::string own = folder_of_task(result.id);
  const std::vector<std::string> names = names_of(files);
  written.path = (folder_ / own).string();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = own + '/' + names[i];
    make_folders_of(name);
    written.files.push_back(
        write_file(name, files[i].data, overwrite_ ? Taken::kReplace : Taken::kNumber));
  }
  return written;
}

/// Follows no link: what a link leads to is not in our folder.
void ResultFolder::make_folders_of(const std::string& name) const {
  for (std::size_t at = 0; (at = name.find('/', at)) != name.npos; ++at) {
    const std::string path = (folder_ / name.substr(0, at)).string();
    struct stat info {};
    if (mkdir(path.c_str(), 0777) == 0) {
      if (!runtime::sync_folder(fs::path(path).parent_path().string())) cannot_write(path, errno);
    } else if (errno != EEXIST) {
      cannot_write(path, errno);
    } else if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      cannot_write(path, ENOTDIR);
    }
  }
}

std::string ResultFolder::write_file(const std::string& name, std::string_view data,
                                     Taken taken) const {
  for (int number = 1; number <= kMaxNumber; ++number) {
    const std::string path =
        (folder_ / (number == 1 ? name : numbered_name(name, number))).string();
    const mode_t there = type_of(path);
    if (taken == Taken::kNumber && there == S_IFREG) {
      if (has_content(path, data)) return path;  // from a run that did not end
      continue;
    }
    runtime::Draft draft(path, 0666);
    draft.write(data);
    if (taken == Taken::kNumber && there == 0) {
      if (draft.publish_new()) return path;
      continue;  // somebody else was faster
    }
    draft.publish();  // in place of a link, which is not followed; over a folder it fails
    return path;
  }
  cannot_write((folder_ / name).string(), EEXIST);
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
