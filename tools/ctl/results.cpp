#include "tools/ctl/results.h"

#include <fstream>
#include <system_error>

#include "tools/ctl/prompts.h"

namespace genai::ctl {

namespace fs = std::filesystem;

ResultFolder::ResultFolder(const std::string& folder, std::string suffix)
    : folder_(folder), suffix_(std::move(suffix)) {
  if (suffix_.find('/') != std::string::npos)
    throw InputError("--suffix " + suffix_ + ": must not hold a '/'");
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw InputError("--out " + folder + ": " + error.message());
}

void ResultFolder::check(const std::string& task_id) const {
  const std::string name = task_id + suffix_;
  if (name == "." || name == "..") throw InputError("--out: no file can be named '" + name + "'");
}

std::string ResultFolder::write(const client::TaskResult& result) const {
  const fs::path path = folder_ / (result.id + suffix_);
  // No id holds a '~', so that no other result has this name.
  const fs::path draft = path.string() + "~";
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file << result.data;
  file.close();
  std::error_code error;
  if (file) fs::rename(draft, path, error);
  if (!file || error) {
    std::error_code ignored;
    fs::remove(draft, ignored);
    throw std::runtime_error("cannot write " + path.string() +
                             (error ? ": " + error.message() : ""));
  }
  return path;
}

}  // namespace genai::ctl
