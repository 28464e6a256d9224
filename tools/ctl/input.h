// Files and standard input as users give them: read with a limit, and every error is one.
#pragma once

#include <cstddef>
#include <istream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace genai::ctl {

/// Bad input: what is wrong and where. Ends the program with exit code 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What is read from a file; from standard input when its name is "-". Reading throws InputError
/// when the file cannot be read, or holds more than `max_bytes`.
class Input {
 public:
  Input(const std::string& name, std::size_t max_bytes);
  ~Input();
  /// An error leaves it as InputError, not as a state of the stream.
  std::istream& stream();
  /// All that is left of it.
  std::string all();

 private:
  class Buffer;
  std::unique_ptr<Buffer> buffer_;
  std::istream stream_;
};

/// The next line without its end, "\n" or "\r\n"; false when there is none. The last one may have
/// no end. InputError when it is longer than `max_bytes`.
bool next_line(std::istream& in, std::string& line, std::size_t max_bytes);

/// Replaces an id "-" by those that stand in standard input, one on each line.
void read_task_ids(std::vector<std::string>& ids);

/// "16 MiB".
std::string size_text(std::size_t bytes);

}  // namespace genai::ctl
