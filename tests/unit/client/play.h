// Callbacks on virtual time: a program, and the dispatcher, both played by the test.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/wire/messages.h"
#include "tools/client/calls.h"

namespace genai::client::test {

inline TaskId id(const std::string& text) { return *TaskId::parse(text); }

inline TaskRequest request_of(const std::string& text, const std::string& payload = "prompt") {
  TaskRequest request;
  request.id = text;
  request.payload = payload;
  return request;
}

/// The clock, and what travels.
struct Play {
  explicit Play(Config config = {})
      : calls(
            config, [this] { return fresh(); }, now) {}

  Now now{from_ms(1'000), from_ms(1'700'000'000'000)};
  int ids_made = 0;
  Calls calls;
  std::vector<Message> sent;
  std::vector<std::string> heard;  // what the callbacks were told
  bool has_reconnected = false;

  TaskId fresh() { return id("fresh-" + std::to_string(++ids_made)); }

  void turn() {
    calls.expire(now);
    send();
    calls.call();
    send();
    calls.check();
  }
  void send() {
    Outgoing outgoing = calls.take_outgoing();
    has_reconnected = has_reconnected || outgoing.reconnect;
    for (const std::string& frame : outgoing.frames) {
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
    calls.handle(Blob(encode(message)), now);
    turn();
  }
  template <class M>
  std::vector<M> take() {
    turn();
    std::vector<M> out;
    std::erase_if(sent, [&](Message& message) {
      auto* body = std::get_if<M>(&message);
      if (body) out.push_back(*body);
      return body != nullptr;
    });
    return out;
  }
  template <class M>
  M take_one() {
    auto all = take<M>();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  std::vector<std::string> hear() { return std::exchange(heard, {}); }

  /// Callbacks that write down what they are told.
  TaskCallbacks noting(const std::string& who = "") {
    TaskCallbacks callbacks;
    callbacks.result = [this, who](const TaskResult& result) {
      heard.push_back(who + result.id + (result.refused ? " refused " : " ended ") +
                      client::name(result.code));
    };
    callbacks.verdict = [this, who](const Verdict& verdict) {
      heard.push_back(who + verdict.id + " is " + client::name(verdict.code));
    };
    callbacks.update = [this, who](const TaskUpdate& update) {
      heard.push_back(who + update.id + " goes on");
    };
    return callbacks;
  }
  template <class T>
  Callback<T> noting_answer(const std::string& what) {
    return [this, what](const Answer<T>& answer) {
      heard.push_back(what + (answer ? " ok" : std::string(" ") + name(answer.failure().code)));
    };
  }
  std::string submit(TaskRequest request, TaskCallbacks callbacks, Watch watch = Watch::kResult) {
    std::vector<TaskRequest> one;
    one.push_back(std::move(request));
    return calls.submit(std::move(one), std::move(callbacks), watch, now).value().at(0);
  }
  void accept(const msg::Submit& submit, ErrorCode code = ErrorCode::kOk,
              std::uint64_t retry_after_ms = 0) {
    msg::Accepted accepted{submit.request, {}};
    for (const auto& task : submit.tasks)
      accepted.verdicts.push_back({task.task_id, code, "", retry_after_ms, {}});
    receive(accepted);
  }
  void deliver(const std::string& task, const std::string& data = "picture") {
    receive(msg::Deliver{{{id(task), TaskStatus::kCompleted, ErrorCode::kOk, {}, Blob(data)}}});
  }
};

}  // namespace genai::client::test
