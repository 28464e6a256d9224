// Runs one command to its end: payload in, result out, everything bounded.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "genai/node.h"

namespace genai::node {

struct Command {
  std::string text;                         // for /bin/sh -c
  std::vector<std::string> environment;     // "NAME=value": all that it gets, but GENAI_RESULT_DIR,
                                            // GENAI_RESULT_FILE and GENAI_PROGRESS_FD
  Data payload;                             // its standard input, a file in memory
  std::chrono::milliseconds time_limit{0};  // 0: none
  std::string content_type;                 // of a good result, if its file tells no other
};

using ProgressCallback = std::function<void(double fraction, std::string_view text)>;

/// Blocks until the command, and all that it has started, have ended. The result is the bundle of
/// the files in $GENAI_RESULT_DIR if there is one, see read_result_folder(), else the content of
/// $GENAI_RESULT_FILE if that is not empty, else what came on standard output. An exit code other
/// than 0 is an error with the last lines of standard error; so is a result over kMaxResultBytes
/// and a time limit exceeded. When `abort_fd` (-1: none) becomes readable, or the time limit
/// passes, all are ended with SIGTERM and, 2 s later, SIGKILL; after an abort the result is an
/// error "aborted". A line "impossible REASON" on descriptor 3 makes the result one that no attempt
/// can mend, whatever else happened. The task is returned when this machine cannot run it: the
/// system refuses a folder, a process or a descriptor, or its disk is full.
TaskResult run_command(const Command& command, int abort_fd, const ProgressCallback& progress);

}  // namespace genai::node
