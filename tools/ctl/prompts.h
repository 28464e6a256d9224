// Task requests from what the user typed, piped or wrote into files.
#pragma once

#include <istream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "genai/client.h"
#include "tools/ctl/options.h"

namespace genai::ctl {

struct Prompt {
  std::size_t line;  // from 1, in its source
  client::TaskRequest request;
};

/// Bad input: what is wrong and where. Ends the program with exit code 2.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// All tasks that `submit` was told to submit, from arguments, files or stdin: each could be sent
/// as it is, and no id comes twice.
std::vector<Prompt> read_prompts(const SubmitOptions& options);

/// A task a line; blank lines and those that begin with '#' are skipped.
std::vector<Prompt> read_lines(std::istream& in, const client::TaskRequest& defaults);
/// A task for each JSON object a line; `name` is the file's, for errors. Keys: prompt or
/// payload_base64, id, model, gpu_type, ncpu, ram_mib, vram_mib, ttl_s, time_limit_s, max_attempts,
/// label, params; what is absent is taken from `defaults`.
std::vector<Prompt> read_jsonl(std::istream& in, const std::string& name,
                               const client::TaskRequest& defaults);

/// "seed=7" as an integer, "hd=true" as a bool, "cfg=7.5" as a number, anything else (integers of
/// more than 63 bits too) as text.
std::pair<std::string, client::Param> parse_param(const std::string& text);

/// RFC 4648 with padding; throws InputError.
std::string base64_decode(std::string_view text);

}  // namespace genai::ctl
