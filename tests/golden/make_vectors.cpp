// Prints the golden vectors: one frame per message type, with fixed values. vectors.json is its
// output, and never changes: it is what the first release of version 1 sends.
//
// make_vectors growth: the same messages, and those of later releases, also as peers of other
// releases would send them. growth.json is that output; it changes only when something is added.
#include <iostream>
#include <nlohmann/json.hpp>

#include "protocol/base/hex.h"
#include "protocol/wire/messages.h"
#include "tests/golden/other_release.h"

namespace {

using namespace genai;
using Json = nlohmann::ordered_json;

template <class Id>
Id binary(std::uint8_t first) {
  typename Id::Bytes bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return Id(bytes);
}

TaskId task(const char* text = "t-1") { return *TaskId::parse(text); }
AssignmentRef ref() { return {task(), 2, 1'763'900'000'000}; }

PublicMetaInfo meta() {
  PublicMetaInfo meta;
  meta.models = {"sdxl", "flux"};
  meta.loaded_models = {"sdxl"};
  meta.gpu_type = "rtx4090";
  meta.ncpu = 16;
  meta.ram_mib = 64'000;
  meta.vram_mib = 24'000;
  meta.slots = 2;
  meta.min_cost = 0.25;
  return meta;
}

TaskSpec spec() {
  TaskSpec spec;
  spec.needs = {"sdxl", "rtx4090", 4, 8'000, 12'000};
  spec.ttl_ms = 600'000;
  spec.time_limit_ms = 60'000;
  spec.max_attempts = 3;
  spec.label = "a red sphere";
  return make_spec(spec, {{"params", ValueMap{{"seed", 7}, {"hd", true}}}});
}

msg::ProviderEntry provider() {
  return {
      binary<SessionId>(0x10), *NodeId::parse("node-1"), ProviderState::kOnline, meta(), {ref()}};
}

std::vector<Message> messages() {
  const auto session = binary<SessionId>(0x10);
  const auto broker = binary<InstanceId>(0xb0);
  const auto node = *NodeId::parse("node-1");
  return {
      msg::Hello{node, session, meta(), {ref()}},
      msg::Welcome{broker, 1000, 3000, 5000},
      msg::Heartbeat{7, {ref()}, {"sdxl"}},
      msg::HeartbeatReply{7},
      msg::Leave{"maintenance"},
      msg::Bye{"maintenance"},
      msg::Goodbye{},
      msg::Assign{{{ref(), spec(), Blob("a red sphere")}}},
      msg::AssignAck{{{ref(), ErrorCode::kNodeFull, "2 of 2 slots are taken"}}},
      msg::Progress{{{ref(), 0.5, "step 10 of 20"}}},
      msg::Result{{{ref(),
                    msg::Outcome::kOk,
                    {{"run_ms", 1234}, {"content_type", "image/png"}},
                    Blob("\x89PNG")}}},
      msg::ResultAck{{{ref(), ErrorCode::kOk}}},
      msg::Abort{{{ref(), ErrorCode::kCancelled}}},
      msg::AbortAck{{{ref(), msg::AbortOutcome::kFinished}}},
      msg::Keep{{ref()}},
      msg::LinkHello{binary<InstanceId>(0xd0), 1'763'900'000'000},
      msg::Snapshot{broker, 41, 60'000, {provider()}, false},
      msg::Delta{
          broker,
          42,
          {msg::Delta::Joined{provider()},
           msg::Delta::StateChanged{session, ProviderState::kSuspect, "no heartbeat for 3000 ms"},
           msg::Delta::Beat{session, {ref()}, {"sdxl"}}}},
      msg::LinkHeartbeat{broker, 42},
      msg::ToNodes{{{session, Blob(encode(msg::Keep{{ref()}}))}}},
      msg::FromNodes{{{session, Blob(encode(msg::AbortAck{{{ref(), {}}}}))}}},
      msg::Undelivered{{{session, ErrorCode::kUnreachable}}},
      msg::Submit{1, msg::WatchLevel::kProgress, {{task(), spec(), Blob("a red sphere")}}},
      msg::Accepted{1,
                    {{task(), ErrorCode::kOk, "", 0, {1200, 5000, 2400, 9800}},
                     {task("t-2"), ErrorCode::kQueueFull, "1000000 tasks are queued", 1000, {}}}},
      msg::Watch{2, msg::WatchLevel::kResult, {task(), task("t-2")}},
      msg::Update{{{task(), TaskStatus::kSent, "node-1", 0.5, "step 10 of 20"}}},
      msg::Deliver{{{task(),
                     TaskStatus::kCompleted,
                     ErrorCode::kOk,
                     {{"node_id", "node-1"}, {"attempts", 2}, {"total_ms", 2345}},
                     Blob("\x89PNG")}}},
      msg::DeliverAck{{task()}},
      msg::Cancel{3, {task()}},
      msg::Cancelled{3, {{task(), ErrorCode::kAlreadyTerminal, "Completed"}}},
      msg::StatusQuery{4, {task()}},
      msg::Tasks{4,
                 {{{"task_id", "t-1"},
                   {"status", "Unscheduled"},
                   {"waiting", "no provider is connected"}}},
                 true},
      msg::List{5, {{"status", "Sent"}, {"after", "t-1"}, {"limit", 100}}},
      msg::NodesQuery{6, true},
      msg::NodeList{6, {{{"node_id", "node-1"}, {"state", "online"}, {"slots", 2}}}},
      msg::StatsQuery{7},
      msg::Stats{7, {{"epoch", 1'763'900'000'000}, {"store", "memory"}}},
      msg::Drain{8, "node-1", true},
      msg::Done{8},
      msg::Ping{9},
      msg::Pong{9, 1'763'900'000'000, 3},
      msg::Replay{10, {{task(), task("t-9")}}},
      msg::Purge{11, {task()}},
      msg::Purged{11, {{task(), ErrorCode::kNotFailed, "Completed"}}},
      msg::Reprioritise{12, 9, {task()}},
      msg::Reprioritised{12, {{task(), ErrorCode::kNotQueued, "Sent"}}},
      msg::ErrorReply{4, ErrorCode::kBadField, "STATUS.ids[0]: expected a str, got integer"},
  };
}

/// Of later releases: vectors.json does not have them.
std::vector<Message> later_messages() {
  return {msg::LinkStatsQuery{},
          msg::LinkStats{{{"nodes_online", 3}, {"lost_total", 1}}},
          msg::Fetch{13, task(), 1'048'576, 65'536},
          msg::Fetched{13,
                       task(),
                       TaskStatus::kCompleted,
                       ErrorCode::kOk,
                       {{"content_type", "image/png"}, {"node_id", "node-1"}},
                       1'048'580,
                       1'048'576,
                       Blob(std::string("\x89PNG"))},
          msg::Delete{14, {task()}},
          msg::Deleted{14, {{task(), ErrorCode::kNotEnded, "Sent"}}}};
}

/// bin as {"hex": ...}, since JSON has no bytes.
Json readable(const nlohmann::json& value) {
  if (value.is_binary()) {
    const auto& bytes = value.get_binary();
    return {{"hex", hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
  }
  Json out = value.is_array() ? Json::array() : value.is_object() ? Json::object() : Json(value);
  if (value.is_array())
    for (const auto& item : value) out.push_back(readable(item));
  else if (value.is_object())
    for (const auto& [key, item] : value.items()) out[key] = readable(item);
  return out;
}

constexpr std::pair<Direction, const char*> kDirections[] = {
    {Direction::kFromNode, "from_node"},
    {Direction::kToNode, "to_node"},
    {Direction::kLinkToBroker, "link_to_broker"},
    {Direction::kLinkToDispatcher, "link_to_dispatcher"},
    {Direction::kFromClient, "from_client"},
    {Direction::kToClient, "to_client"}};

std::pair<Direction, const char*> direction_of(const Blob& frame) {
  for (const auto& known : kDirections)
    if (decode(frame, known.first)) return known;
  throw std::logic_error("a vector does not decode");
}

Json vectors() {
  Json vectors = Json::array();
  for (const Message& message : messages()) {
    const Blob frame(encode(message));
    vectors.push_back({{"name", kind_of(message).name},
                       {"type", kind_of(message).number},
                       {"direction", direction_of(frame).second},
                       {"frame", hex(frame.view())},
                       {"message", readable(nlohmann::json::from_msgpack(frame.view()))}});
  }
  return vectors;
}

/// `longer` means what `frame` means; `shorter` lacks the optional fields, and means `filled`.
Json growth() {
  using golden::OtherRelease;
  Json entries = Json::array();
  std::vector<Message> all = messages();
  for (const Message& message : later_messages()) all.push_back(message);
  for (const Message& message : all) {
    const std::string frame = encode(message);
    const auto [direction, name] = direction_of(Blob(frame));
    const std::string shorter = OtherRelease::frame(message, OtherRelease::Kind::kOlder);
    entries.push_back({{"name", kind_of(message).name},
                       {"direction", name},
                       {"frame", hex(frame)},
                       {"longer", hex(OtherRelease::frame(message, OtherRelease::Kind::kNewer))},
                       {"shorter", hex(shorter)},
                       {"filled", hex(encode(decode(Blob(shorter), direction).value()))}});
  }
  return entries;
}

}  // namespace

int main(int argc, char** argv) {
  const bool grows = argc == 2 && std::string_view(argv[1]) == "growth";
  if (argc > 1 && !grows) {
    std::cerr << "usage: make_vectors [growth]\n";
    return 1;
  }
  std::cout << (grows ? growth() : vectors()).dump(1) << '\n';
}
