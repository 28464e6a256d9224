// Task requests from what the user typed, piped or wrote into files.
#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "genai/client.h"
#include "tools/ctl/input.h"
#include "tools/ctl/options.h"

namespace genai::ctl {

struct Prompt {
  std::size_t line;  // from 1, in its source
  client::TaskRequest request;
};

/// The tasks of one source, and how many of its lines are none.
struct PromptList {
  std::vector<Prompt> prompts;
  std::size_t blank_lines = 0, comments = 0;

  /// "2 blank lines and 1 comment are no tasks"; empty when every line is one.
  std::string skipped() const;
};

/// All tasks that `submit` was told to submit, from arguments, files or stdin: each could be sent
/// as it is, and no id comes twice.
PromptList read_prompts(const SubmitOptions& options);

/// A task for each line that is not blank. With `comments` those that begin with '#' are none.
PromptList read_lines(std::istream& in, const client::TaskRequest& defaults, bool comments = false);
/// A task for each JSON object a line; `name` is the file's, for errors. Keys: prompt or
/// payload_base64, id, and those of TaskRequest::fields. A span of time may also be given in
/// seconds (start_in_s for start_in_ms); ttl_s and time_limit_s are given only so. What is absent
/// is taken from `defaults`.
PromptList read_jsonl(std::istream& in, const std::string& name,
                      const client::TaskRequest& defaults);

/// "seed=7" as an integer, "hd=true" as a bool, "cfg=7.5" as a number. What would not come back as
/// it was written stays a text: "007", integers of more than 63 bits, more than 15 digits.
std::pair<std::string, client::Param> parse_param(const std::string& text);

/// RFC 4648 with padding; throws InputError.
std::string base64_decode(std::string_view text);

}  // namespace genai::ctl
