// A running task between the handler, the loop and whoever answers later.
#include "tools/node/execution.h"

#include <catch2/catch.hpp>

#include "tests/unit/node/session.h"

namespace genai::node::test {
namespace {

const AssignmentRef kT1 = ref_of("t1");

struct Running {
  const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  const std::shared_ptr<Execution> execution = std::make_shared<Execution>(kT1, mailbox);

  Reply reply() {
    return Reply(execution, [e = execution](auto result) { e->finish(std::move(result)); });
  }
  /// What was reported, as texts.
  std::vector<std::string> reports() {
    std::vector<std::string> out;
    for (const auto& report : mailbox->take()) {
      const auto& result = std::get<Report::Finished>(report).result;
      out.push_back(result.kind == TaskResult::Kind::kOk ? result.data : result.error_text);
    }
    return out;
  }
};

using Texts = std::vector<std::string>;

TEST_CASE("the first answer counts, and is reported once") {
  Running running;
  Reply reply = running.reply();
  running.execution->handler_has_returned({});
  CHECK(running.reports().empty());
  Reply moved = std::move(reply);
  moved.finish(TaskResult::ok("first"));
  moved.finish(TaskResult::ok("second"));
  running.reply().finish(TaskResult::ok("third"));
  CHECK(running.reports() == Texts{"first"});
}

TEST_CASE("a dropped reply is an error, whether it is dropped in the handler or later") {
  Running in_handler;
  { Reply dropped = in_handler.reply(); }
  CHECK(in_handler.reports().empty());  // it may still throw
  in_handler.execution->handler_has_returned({});
  CHECK(in_handler.reports() == Texts{"the handler gave no answer"});

  Running later;
  {
    Reply dropped = later.reply();
    later.execution->handler_has_returned({});
  }
  CHECK(later.reports() == Texts{"the handler gave no answer"});

  Running assigned;
  Reply reply = assigned.reply();
  assigned.execution->handler_has_returned({});
  reply = Reply(nullptr, {});
  CHECK(assigned.reports() == Texts{"the handler gave no answer"});
}

TEST_CASE("an exception says more than the reply that it unwinds") {
  Running running;
  { Reply unwound = running.reply(); }
  running.execution->handler_has_returned("out of memory");
  CHECK(running.reports() == Texts{"the handler threw out of memory"});
}

TEST_CASE("an exception after the answer changes nothing") {
  Running running;
  running.reply().finish(TaskResult::ok("answer"));
  running.execution->handler_has_returned("too late");
  CHECK(running.reports() == Texts{"answer"});
}

TEST_CASE("an abort reaches the callback once, and never after the end") {
  Running running;
  int calls = 0;
  running.execution->on_abort([&] { ++calls; });
  CHECK(!running.execution->aborted());
  running.execution->abort();
  running.execution->abort();
  CHECK(calls == 1);
  CHECK(running.execution->aborted());
  CHECK(running.execution->wait_aborted(std::chrono::hours(1)));
  running.execution->on_abort([&] { ++calls; });  // it already is
  CHECK(calls == 2);

  Running answers;
  Reply reply = answers.reply();
  answers.execution->handler_has_returned({});
  answers.execution->on_abort([&] { reply.finish(TaskResult::error("aborted")); });
  answers.execution->abort();
  CHECK(answers.reports() == Texts{"aborted"});

  Running ended;
  ended.execution->on_abort([&] { ++calls; });
  ended.reply().finish(TaskResult::ok(""));
  ended.execution->on_abort([&] { ++calls; });
  ended.execution->abort();
  CHECK(calls == 2);
}

}  // namespace
}  // namespace genai::node::test
