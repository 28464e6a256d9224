// A dispatcher on a real socket, played by a thread.
#pragma once

#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "protocol/base/limits.h"
#include "protocol/transport/socket.h"
#include "protocol/wire/messages.h"

namespace genai::client::test {

/// A fresh one; its file is removed at the end.
inline std::string endpoint() {
  struct Files {
    std::vector<std::string> paths;
    ~Files() {
      for (const std::string& path : paths) unlink(path.c_str());
    }
  };
  static Files files;
  files.paths.push_back("/tmp/genai-client-test-" + std::to_string(getpid()) + "-" +
                        std::to_string(files.paths.size()));
  return "ipc://" + files.paths.back();
}

/// Answers each frame with what `answer` makes of it, until it is destroyed.
class FakeDispatcher {
 public:
  using Answer = std::function<std::vector<Message>(const Message&)>;

  FakeDispatcher(std::string at, Answer answer)
      : thread_([this, at = std::move(at), answer = std::move(answer)] {
          transport::Context context;
          transport::Router router(context, {limits::kMaxFrameBytes, 10'000, 10'000});
          if (!router.bind(at)) return;
          transport::PollSet poll;
          poll.add(router);
          while (!stop_) {
            poll.wait(from_ms(10));
            while (auto received = router.receive()) {
              auto message = decode(received->frame, Direction::kFromClient);
              if (!message) continue;
              for (const Message& reply : answer(*message))
                router.send(received->peer, encode(reply));
            }
          }
        }) {}
  ~FakeDispatcher() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

inline std::vector<Message> echo(const Message& message) {
  std::vector<Message> replies;
  if (const auto* submit = std::get_if<msg::Submit>(&message)) {
    msg::Accepted accepted{submit->request, {}};
    msg::Deliver deliver;
    for (const auto& task : submit->tasks) {
      accepted.verdicts.push_back({task.task_id, {}, ""});
      deliver.entries.push_back({task.task_id, TaskStatus::kCompleted, {}, {}, task.payload});
    }
    replies = {accepted, deliver};
  } else if (const auto* ping = std::get_if<msg::Ping>(&message)) {
    replies = {msg::Pong{ping->request, 7, 1000}};
  } else if (const auto* stats = std::get_if<msg::StatsQuery>(&message)) {
    replies = {msg::Stats{stats->request, {{"store", "memory"}, {"epoch", 7}}}};
  } else if (const auto* drain = std::get_if<msg::Drain>(&message)) {
    replies = {msg::ErrorReply{drain->request, ErrorCode::kUnknownNode, "no such node"}};
  } else if (const auto* cancel = std::get_if<msg::Cancel>(&message)) {
    msg::Cancelled cancelled{cancel->request, {}};
    for (const TaskId& id : cancel->ids) cancelled.verdicts.push_back({id, {}, ""});
    replies = {cancelled};
  } else if (const auto* replay = std::get_if<msg::Replay>(&message)) {
    msg::Accepted accepted{replay->request, {}};
    for (const auto& entry : replay->entries)
      accepted.verdicts.push_back(
          entry.of.str() == "done" ? msg::Acceptance{entry.as, ErrorCode::kNotFailed, "Completed"}
                                   : msg::Acceptance{entry.as, {}, ""});
    replies = {accepted};
  } else if (const auto* purge = std::get_if<msg::Purge>(&message)) {
    msg::Purged purged{purge->request, {}};
    for (const TaskId& id : purge->ids) purged.verdicts.push_back({id, {}, ""});
    replies = {purged};
  } else if (const auto* list = std::get_if<msg::List>(&message)) {
    replies = {msg::Tasks{list->request, {}, true}};  // a liar: there is always more
  }
  return replies;
}

inline bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i, usleep(5000))
    if (condition()) return true;
  return false;
}

}  // namespace genai::client::test
