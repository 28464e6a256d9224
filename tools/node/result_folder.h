// The files that a command has left in $GENAI_RESULT_DIR.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "genai/node.h"

namespace genai::node {

/// The command is to blame: an error of the task, not of the node.
struct WrongResult : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// A limit is passed, and another attempt would pass it too.
struct ResultTooLarge : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads the regular files below `folder`, in the order of the bytes of their names, which are
/// relative to it. Leaves out what is no regular file and no folder (links, devices, pipes), and
/// each file and folder whose name begins with a dot. NAME.meta.json beside a file NAME is no file
/// of the result: it is a JSON object with the metadata of NAME, whose `content_type` is the type
/// of NAME. Its `name` and `bytes` do not count, and lists, maps and null become JSON texts. A file
/// without a type gets one by its name or its first bytes, else `other_type` if that is given.
/// Returns no file if there is none or no folder. The bytes of all are one piece of memory.
/// Throws WrongResult, ResultTooLarge, or std::system_error when the machine does not let us read.
std::vector<ResultFile> read_result_folder(const std::string& folder,
                                           const std::string& other_type);

/// Appends the next `bytes` of an open file to `out`, or fewer if it ends before. Throws
/// std::system_error.
void append_from(int fd, std::size_t bytes, std::string& out);

/// Throws WrongResult for an errno that is the command's fault, else std::system_error.
[[noreturn]] void cannot_read(const std::string& what, int error);

}  // namespace genai::node
