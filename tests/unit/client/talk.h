// The client's conversation on virtual time; the test plays the dispatcher.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <utility>
#include <vector>

#include "protocol/wire/messages.h"
#include "tools/client/session_core.h"

namespace genai::client {

inline TaskId id(const std::string& text) { return *TaskId::parse(text); }

struct Talk {
  explicit Talk(bool acknowledge = true) : core(now, acknowledge) {}

  /// What came out of the core, beside messages.
  struct Told {
    bool reconnect = false;
    std::vector<msg::Acceptance> verdicts;
    std::vector<msg::Deliver::Entry> results;
    std::vector<msg::Update::Entry> updates;
    std::map<std::uint64_t, ClientReply> replies;
    std::vector<LogEvent> notices;
  };

  Now now{from_ms(1'000), from_ms(1'700'000'000'000)};
  SessionCore core;
  std::vector<Message> sent;
  Told told;  // in the last turn

  void turn() {
    core.expire(now);
    core.check();
    told = {};
    for (SessionCore::Event& event : core.take_events())
      std::visit([this](auto& body) { take(body); }, event);
  }
  void advance(std::uint64_t ms) {
    now.mono += from_ms(ms);
    turn();
  }
  void receive(const Message& message) {
    core.handle(SessionCore::Frame{Blob(encode(message))}, now);
    turn();
  }
  void acknowledge(const std::vector<std::string>& texts) {
    std::vector<TaskId> ids;
    for (const std::string& text : texts) ids.push_back(id(text));
    core.handle(SessionCore::Acknowledge{std::move(ids)}, now);
    turn();
  }
  void submit(const std::string& text, const std::string& payload = "prompt") {
    add(text, payload);
    turn();
  }
  /// Without a turn: what is added so travels together.
  void add(const std::string& text, const std::string& payload = "prompt",
           msg::WatchLevel level = msg::WatchLevel::kResult) {
    core.handle(SessionCore::Submit{{id(text), make_spec({}, {}), Blob(payload)}, level}, now);
  }
  void watch(const std::string& text, msg::WatchLevel level = msg::WatchLevel::kResult) {
    core.handle(SessionCore::Watch{{id(text)}, level}, now);
  }
  /// The number of the reply.
  std::uint64_t ask(ClientRequest message) {
    return core.handle(SessionCore::Ask{std::move(message)}, now);
  }
  template <class M>
  std::vector<M> take() {
    std::vector<M> out;
    std::erase_if(sent, [&](Message& message) {
      auto* body = std::get_if<M>(&message);
      if (body) out.push_back(*body);
      return body != nullptr;
    });
    return out;
  }
  void accept(const msg::Submit& submit) {
    msg::Accepted accepted{submit.request, {}};
    for (const auto& task : submit.tasks) accepted.verdicts.push_back({task.task_id, {}, ""});
    receive(accepted);
  }
  void submit_accepted(const std::string& text) {
    submit(text);
    accept(take<msg::Submit>().at(0));
  }
  static msg::Deliver delivery(const std::string& text, const std::string& data = "picture") {
    return {{{id(text), TaskStatus::kCompleted, ErrorCode::kOk, {}, Blob(data)}}};
  }

 private:
  void take(SessionCore::Reconnect) { told.reconnect = true; }
  void take(const SessionCore::Send& send) {
    auto message = decode(Blob(send.frame), Direction::kFromClient);
    REQUIRE(message);
    sent.push_back(std::move(*message));
  }
  void take(SessionCore::Reply& reply) {
    REQUIRE(told.replies.emplace(reply.request, std::move(reply.message)).second);
  }
  void take(const msg::Acceptance& verdict) { told.verdicts.push_back(verdict); }
  void take(const msg::Deliver::Entry& result) { told.results.push_back(result); }
  void take(const msg::Update::Entry& update) { told.updates.push_back(update); }
  void take(const LogEvent& event) { told.notices.push_back(event); }
};

}  // namespace genai::client
