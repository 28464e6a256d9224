// The client's conversation on virtual time; the test plays the dispatcher.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>

#include "protocol/wire/messages.h"
#include "tools/client/session_core.h"

namespace genai::client {

inline TaskId id(const std::string& text) { return *TaskId::parse(text); }

struct Talk {
  explicit Talk(bool acknowledge = true) : core(now, acknowledge) {}

  Now now{from_ms(1'000), from_ms(1'700'000'000'000)};
  SessionCore core;
  std::vector<Message> sent;
  Effects effects;  // of the last turn

  void turn() {
    core.tick(now);
    effects = core.take_effects();
    for (const std::string& frame : effects.frames) {
      auto message = decode(Blob(frame), Direction::kFromClient);
      REQUIRE(message);
      sent.push_back(std::move(*message));
    }
  }
  void advance(std::uint64_t ms) {
    now.mono += from_ms(ms);
    turn();
  }
  void receive(const Message& message) {
    core.handle(Blob(encode(message)), now);
    turn();
  }
  void acknowledge(const std::vector<std::string>& texts) {
    std::vector<TaskId> ids;
    for (const std::string& text : texts) ids.push_back(id(text));
    core.acknowledge(ids);
    turn();
  }
  void submit(const std::string& text, const std::string& payload = "prompt") {
    core.submit({id(text), make_spec({}, {}), Blob(payload)}, msg::WatchLevel::kResult, now);
    turn();
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
};

}  // namespace genai::client
