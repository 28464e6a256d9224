// Task records of all kinds, and a model of what a store holds.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "dispatcher/store/store.h"
#include "dispatcher/tasks/digest.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher::store {

class RandomTasks {
 public:
  explicit RandomTasks(unsigned seed) : random_(seed) {}

  std::size_t pick(std::size_t below) { return random_() % below; }

  /// Mostly small, some around the size up to which data stands in the row, a few large.
  Blob data(bool may_be_empty = true) {
    static constexpr std::size_t kSizes[] = {0, 1, 300, 4095, 4096, 4097, 100'000, 3 << 20};
    const std::size_t kind = pick(40);
    const std::size_t size = kind < 39 ? kSizes[kind % 7] : kSizes[7];
    return Blob(std::string(size || may_be_empty ? size : 7, static_cast<char>('a' + pick(26))));
  }
  std::string text() {
    static const std::string kTexts[] = {
        "",           "least loaded",           "\"quoted\" \\ back",
        "\x01\x1f\n", "Grüße, 世界 \U0001F600", std::string(512, '"')};
    return kTexts[pick(6)];
  }
  NodeId node() { return pick(4) ? *NodeId::parse("node-" + std::to_string(pick(9))) : NodeId(); }

  TaskRecord task(std::uint64_t sequence, TaskStatus status) {
    TaskRecord task;
    task.sequence = sequence;
    task.id = *TaskId::parse("task:" + std::to_string(sequence));
    TaskSpec named;
    named.label = pick(2) ? "ein Bild von Bäumen" : "";
    named.needs.model = pick(2) ? "sdxl" : "";
    named.max_attempts = std::uint32_t(pick(3));
    task.spec = make_spec(named, {{"params", ValueMap{{"seed", std::uint64_t{pick(99)}}}}});
    task.created_ms = 1'700'000'000'000 + pick(1'000'000);
    task.payload = data();
    task.digest = content_digest(task.spec.raw, task.payload.view());
    change(task, status);
    return task;
  }
  /// The same task later on.
  void change(TaskRecord& task, TaskStatus status) {
    task.status = status;
    task.faults = std::uint32_t(pick(5));
    task.losses = std::uint32_t(pick(5));
    task.drains = std::uint32_t(pick(5));
    task.priority = static_cast<int>(pick(11)) - 1;
    task.issued.clear();
    for (std::uint32_t number = 1; number <= pick(3) * pick(33); ++number) {
      SessionId::Bytes bytes;
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_());
      task.issued.push_back({number, 1'700'000'000'000 + pick(9), SessionId(bytes), node(),
                             pick(2) == 0, pick(2) == 0});
    }
    const bool assigned = status == TaskStatus::kScheduled || status == TaskStatus::kSent;
    if (assigned && task.issued.empty()) task.issued.push_back({1, 7, SessionId(), node()});
    task.current = assigned ? task.issued.back().number : 0;
    task.log.clear();
    for (std::size_t i = pick(64); i > 0; --i)
      task.log.push_back({1'700'000'000'000 + i, static_cast<TaskStatus>(pick(3)), text(), node(),
                          std::uint32_t(pick(9))});
    task.log.push_back({1'700'000'000'000, status, text(), node(), 0});
    task.info = {
        {"run_ms", std::uint64_t{pick(999)}}, {"error", text()}, {"raw", Bytes{"\x00\xff"}}};
    task.ended_ms = is_terminal(status) ? 1'700'000'500'000 + pick(9) : 0;
    task.code = status == TaskStatus::kFailed ? ErrorCode::kTaskError : ErrorCode::kOk;
    if (status == TaskStatus::kCompleted || status == TaskStatus::kAborted) task.payload = {};
    if (status == TaskStatus::kCompleted) task.result = data();
  }

 private:
  std::mt19937 random_;
};

/// What must be there after a restart.
using Model = std::map<std::uint64_t, TaskRecord>;

inline void require_equal(const std::vector<TaskRecord>& found, const Model& model) {
  REQUIRE(found.size() == model.size());
  auto expected = model.begin();
  for (const TaskRecord& task : found) {
    const TaskRecord& want = (expected++)->second;
    INFO("sequence " << want.sequence);
    REQUIRE(task.sequence == want.sequence);
    CHECK(task.id == want.id);
    CHECK(task.digest == want.digest);
    CHECK(task.spec == want.spec);
    CHECK(task.created_ms == want.created_ms);
    CHECK(task.status == want.status);
    CHECK(task.current == want.current);
    CHECK((task.faults == want.faults && task.losses == want.losses && task.drains == want.drains));
    CHECK(task.priority == want.priority);
    REQUIRE(task.issued.size() == want.issued.size());
    for (std::size_t i = 0; i < want.issued.size(); ++i) {
      const IssuedAttempt &a = task.issued[i], &b = want.issued[i];
      CHECK((a.number == b.number && a.epoch == b.epoch && a.session == b.session &&
             a.node_id == b.node_id && a.failed == b.failed && a.open == b.open));
    }
    REQUIRE(task.log.size() == want.log.size());
    for (std::size_t i = 0; i < want.log.size(); ++i) {
      const LogEntry a = task.log.at(i), b = want.log.at(i);
      CHECK((a.at_ms == b.at_ms && a.status == b.status && a.reason == b.reason &&
             a.node_id == b.node_id && a.attempt == b.attempt));
    }
    CHECK(task.code == want.code);
    CHECK(task.info == want.info);
    CHECK(task.ended_ms == want.ended_ms);
    CHECK(task.fetched == want.fetched);
    CHECK(task.payload == want.payload);
    CHECK(task.result == want.result);
  }
}

/// Random changes of the model, as a batch that makes them.
class History {
 public:
  explicit History(unsigned seed) : tasks_(seed) {}

  Batch next(Model& model) {
    using Data = Batch::Data;
    Batch batch;
    std::map<std::uint64_t, bool> touched;
    const std::size_t count = 1 + tasks_.pick(12);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t sequence = tasks_.pick(3) ? 1 + tasks_.pick(last_ + 1) : ++last_;
      if (touched[sequence]) continue;
      touched[sequence] = true;
      auto it = model.find(sequence);
      if (it == model.end()) {
        if (sequence <= last_ && sequence != last_) continue;  // erased
        last_ = std::max(last_, sequence);
        TaskRecord task = tasks_.task(sequence, static_cast<TaskStatus>(tasks_.pick(6)));
        batch.added.push_back(task);
        model.emplace(sequence, std::move(task));
        continue;
      }
      TaskRecord& task = it->second;
      if (task.status == TaskStatus::kCompleted && !task.fetched && tasks_.pick(2)) {
        batch.fetched.push_back(sequence);
        task.fetched = true;
        task.result = {};
      } else if (is_terminal(task.status)) {
        batch.erased.push_back(sequence);
        model.erase(it);
      } else {
        const bool had_payload = !task.payload.empty();
        tasks_.change(task, static_cast<TaskStatus>(tasks_.pick(6)));
        batch.changed.push_back({task,
                                 had_payload && task.payload.empty() ? Data::kClear : Data::kKeep,
                                 task.result.empty() ? Data::kKeep : Data::kSet});
      }
    }
    return batch;
  }

 private:
  RandomTasks tasks_;
  std::uint64_t last_ = 0;
};

}  // namespace genai::dispatcher::store
