// What --json prints. Whoever builds an object of its own includes nlohmann/json.hpp, which is slow
// to compile.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "genai/client.h"

namespace genai::ctl {

using Json = nlohmann::ordered_json;

Json to_json(const client::TaskInfo& task);
Json to_json(const client::TaskUpdate& update);
/// Without the data. `paths`: where its files were written, if they were.
Json to_json(const client::TaskResult& result, const std::vector<std::string>& paths = {});
Json to_json(const client::NodeInfo& node);
Json to_json(const client::Stats& stats);
Json to_json(const client::Verdict& verdict);

/// One object on one line of stdout, at once.
void print(const Json& object);
void print_json(const client::TaskInfo& task);
void print_json(const client::TaskUpdate& update);
void print_json(const client::NodeInfo& node);
void print_json(const client::Verdict& verdict);

/// "2026-11-23T18:00:00.123Z" of Unix milliseconds.
std::string iso_time(std::uint64_t unix_ms);

}  // namespace genai::ctl
