// Task records of all kinds, and a model of what a store holds.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "dispatcher/store/store.h"
#include "dispatcher/tasks/digest.h"
#include "protocol/wire/messages.h"

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
    Draw all(*this, true);
    TaskRecord::fields(all, task);
    task.sequence = sequence;
    task.id = *TaskId::parse("task:" + std::to_string(sequence));
    task.payload = data();
    task.digest = content_digest(task.spec.raw(), task.payload.view());
    bring_to(task, status);
    return task;
  }
  /// The same task later on.
  void change(TaskRecord& task, TaskStatus status) {
    Draw changing(*this, false);
    TaskRecord::fields(changing, task);
    bring_to(task, status);
  }

 private:
  /// Draws a value for each field, or for each that can change.
  class Draw {
   public:
    Draw(RandomTasks& random, bool all) : random_(random), all_(all) {}
    void key(const char*, std::uint64_t&) {}
    void fixed(const char*, auto& value) {
      if (all_) draw(value);
    }
    void shown(const char*, const auto&) {}
    void changing(const char*, auto& value) { draw(value); }
    void data(const char*, Data&) {}

   private:
    template <class T>
    void draw(T& number) {
      static_assert(std::is_arithmetic_v<T>);
      number = static_cast<T>(random_.pick(10));
    }
    void draw(bool& is) { is = random_.pick(2) == 0; }
    void draw(std::string& text) { text = random_.text(); }
    void draw(std::uint64_t& ms) { ms = 1'700'000'000'000 + random_.pick(1'000'000); }
    void draw(TaskId&) {}
    void draw(Digest&) {}
    void draw(TaskStatus&) {}
    void draw(ErrorCode& code) { code = random_.pick(2) ? ErrorCode::kTaskError : ErrorCode::kOk; }
    void draw(KeptSpec& spec) {
      TaskSpec named;
      named.label = random_.pick(2) ? "ein Bild von Bäumen" : "";
      named.needs.model = random_.pick(2) ? "sdxl" : "";
      named.max_attempts = std::uint32_t(random_.pick(3));
      spec = KeptSpec(
          make_spec(named, {{"params", ValueMap{{"seed", std::uint64_t{random_.pick(99)}}}}}));
    }
    void draw(std::vector<IssuedAttempt>& issued) {
      issued.clear();
      for (std::uint32_t number = 1; number <= random_.pick(3) * random_.pick(33); ++number) {
        SessionId::Bytes bytes;
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_.random_());
        issued.push_back({number, 1'700'000'000'000 + random_.pick(9), SessionId(bytes),
                          random_.node(), random_.pick(2) == 0, random_.pick(2) == 0,
                          random_.pick(2) == 0});
      }
    }
    void draw(TaskLog& log) {
      log.clear();
      for (std::size_t i = random_.pick(64); i > 0; --i)
        log.push_back({1'700'000'000'000 + i, static_cast<TaskStatus>(random_.pick(3)),
                       random_.text(), random_.node(), std::uint32_t(random_.pick(9))});
    }
    void draw(ValueMap& info) {
      info = {{"run_ms", std::uint64_t{random_.pick(999)}},
              {"error", random_.text()},
              {"raw", Bytes{"\x00\xff"}}};
    }

    RandomTasks& random_;
    const bool all_;
  };

  /// Makes its fields agree.
  void bring_to(TaskRecord& task, TaskStatus status) {
    task.status = status;
    task.priority_override = static_cast<std::int8_t>(static_cast<int>(pick(11)) - 1);
    if (task.is_assigned() && task.issued.empty())
      task.issued.push_back({1, 7, SessionId(), node()});
    task.current = task.is_assigned() ? task.issued.back().number : 0;
    task.log.push_back({1'700'000'000'000, status, text(), node(), 0});
    if (!is_terminal(status)) task.ended_ms = 0;
    if (status != TaskStatus::kFailed) task.code = ErrorCode::kOk;
    task.fetched = false;
    if (status == TaskStatus::kCompleted || status == TaskStatus::kAborted) task.payload = {};
    if (status == TaskStatus::kCompleted) task.result = data();
  }

  std::mt19937 random_;
};

/// What must be there after a restart.
using Model = std::map<std::uint64_t, TaskRecord>;

struct CheckEqual {
  void key(const char* name, const auto& a, const auto& b) { compare(name, a, b); }
  void fixed(const char* name, const auto& a, const auto& b) { compare(name, a, b); }
  void shown(const char* name, const auto& a, const auto& b) { compare(name, a, b); }
  void changing(const char* name, const auto& a, const auto& b) { compare(name, a, b); }
  void data(const char* name, const auto& a, const auto& b) { compare(name, a, b); }
  void compare(const char* name, const auto& a, const auto& b) {
    INFO(name);
    CHECK((a == b));
  }
};

inline void require_equal(const std::vector<TaskRecord>& found, const Model& model) {
  CheckEqual equal;
  REQUIRE(found.size() == model.size());
  auto expected = model.begin();
  for (const TaskRecord& task : found) {
    const TaskRecord& want = (expected++)->second;
    INFO("sequence " << want.sequence);
    TaskRecord::fields(equal, task, want);
  }
}

/// Random changes of the model, as a batch that makes them.
class History {
 public:
  explicit History(unsigned seed) : tasks_(seed) {}

  Batch next(Model& model) { return next(model, 1 + tasks_.pick(12)); }
  /// Of at most `count` tasks.
  Batch next(Model& model, std::size_t count) {
    using Data = Batch::Data;
    Batch batch;
    std::map<std::uint64_t, bool> touched;
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
