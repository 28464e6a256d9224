// What a dispatcher lets keys do.
#include <catch2/catch.hpp>

#include "dispatcher/desk/permissions.h"
#include "tests/unit/dispatcher/world.h"

using namespace genai;
using namespace genai::dispatcher;
using namespace genai::dispatcher::test;

namespace {

Identity client_key(const std::string& tenant, bool submit = true, bool watch = true) {
  return {.kind = Identity::Kind::kClient,
          .key = "key of " + tenant,
          .tenant = tenant,
          .may_submit = submit,
          .may_watch = watch};
}
Identity admin_key() {
  Identity who = client_key("");
  who.is_admin = true;
  return who;
}

/// A world with a task of tenant "ours" (t) and one of "theirs" (x), both waiting.
struct TwoTenants : World {
  TwoTenants() {
    as(client_key("theirs"));
    REQUIRE(submit("x", {}, msg::WatchLevel::kResult, "they").code == ErrorCode::kOk);
    as(client_key("ours"));
    REQUIRE(submit("t").code == ErrorCode::kOk);
    to_clients.clear();
  }
  void as(Identity next) { who = std::move(next); }
  std::vector<std::string> listed(ValueMap filter = {}) {
    from_client(msg::List{5, std::move(filter)});
    std::vector<std::string> ids;
    const auto page = take_to_client<msg::Tasks>().at(0);
    for (const auto& task : page.tasks) ids.push_back(get_string(task, "task_id"));
    return ids;
  }
  /// What a refused request is told.
  ErrorCode refused(const Message& message) {
    from_client(message);
    return take_only_error();
  }
};

}  // namespace

TEST_CASE("a client sees its tenant's tasks and no others") {
  TwoTenants w;
  CHECK(w.listed() == std::vector<std::string>{"t"});
  CHECK(w.listed({{"after", "a"}, {"limit", 1}}) == std::vector<std::string>{"t"});
  w.from_client(msg::StatusQuery{1, {task_id("x"), task_id("t")}});
  CHECK(w.take_to_client<msg::Tasks>().at(0).tasks.size() == 1);
  w.from_client(msg::Watch{2, msg::WatchLevel::kResult, {task_id("x")}});
  CHECK(w.take_to_client<msg::Tasks>().at(0).tasks.empty());
  CHECK(w.take_only_error() == ErrorCode::kUnknownTask);
  CHECK(w.watchers("x") == 1);
  w.as(admin_key());
  CHECK(w.listed() == std::vector<std::string>{"t", "x"});
}

TEST_CASE("a client changes its tenant's tasks and no others") {
  TwoTenants w;
  CHECK(w.cancel("x").code == ErrorCode::kUnknownTask);
  w.from_client(msg::Reprioritise{3, 9, {task_id("x")}});
  CHECK(w.take_to_client<msg::Reprioritised>().at(0).verdicts.at(0).code ==
        ErrorCode::kUnknownTask);
  w.from_client(msg::Purge{4, {task_id("x")}});
  CHECK(w.take_to_client<msg::Purged>().at(0).verdicts.at(0).code == ErrorCode::kUnknownTask);
  w.from_client(msg::Replay{5, {{task_id("x"), task_id("y")}}});
  CHECK(w.take_to_client<msg::Accepted>().at(0).verdicts.at(0).code == ErrorCode::kUnknownTask);
  CHECK(w.status("x") == TaskStatus::kUnscheduled);
  CHECK(w.task("x").log.size() == 1);
  CHECK(w.cancel("t").code == ErrorCode::kOk);
  w.as(admin_key());
  CHECK(w.cancel("x").code == ErrorCode::kOk);
}

TEST_CASE("nobody acknowledges the results of another tenant") {
  TwoTenants w;
  w.as(client_key("theirs"));
  w.cancel("x");
  w.as(client_key("ours"));
  w.fetch("x");
  CHECK(!w.is_acknowledged("x"));
  w.as(client_key("theirs"));
  w.fetch("x");
  CHECK(w.is_acknowledged("x"));
}

TEST_CASE("what is submitted belongs to the key's tenant") {
  TwoTenants w;
  CHECK(w.task("t").spec.tenant() == "ours");
  CHECK(decode_spec(w.task("t").spec.raw())->tenant == "ours");  // as a restart will read it
  TaskSpec spec;
  spec.tenant = "ours";
  CHECK(w.submit("named", spec).code == ErrorCode::kOk);
  spec.tenant = "theirs";
  CHECK(w.submit("foreign", spec).code == ErrorCode::kNotAllowed);
  CHECK(!w.core.tasks().knows(task_id("foreign")));
  CHECK(w.submit("t").code == ErrorCode::kOk);  // a repetition
  // An id that another tenant uses is taken, whatever the content.
  CHECK(w.submit("x").code == ErrorCode::kIdConflict);
  CHECK(w.watchers("x") == 1);
  w.as(admin_key());
  CHECK(w.submit("any", spec).code == ErrorCode::kOk);
  CHECK(w.task("any").spec.tenant() == "theirs");
}

TEST_CASE("what belongs to nobody is an admin's") {
  World w;
  w.submit("t");
  w.who = client_key("ours");
  CHECK(w.submit("t").code == ErrorCode::kIdConflict);
  CHECK(w.cancel("t").code == ErrorCode::kUnknownTask);
}

TEST_CASE("a request needs the role it is in") {
  TwoTenants w;
  SECTION("submit only") {
    w.as(client_key("ours", true, false));
    CHECK(w.refused(msg::List{1, {}}) == ErrorCode::kNotAllowed);
    CHECK(w.refused(msg::StatusQuery{1, {task_id("t")}}) == ErrorCode::kNotAllowed);
    w.from_client(msg::Watch{2, msg::WatchLevel::kResult, {task_id("t")}});
    CHECK(w.take_to_client<msg::Tasks>().at(0).tasks.size() == 1);
    CHECK(w.cancel("t").code == ErrorCode::kOk);
  }
  SECTION("watch only") {
    w.as(client_key("ours", false, true));
    CHECK(w.refused(msg::Cancel{1, {task_id("t")}}) == ErrorCode::kNotAllowed);
    CHECK(w.refused(msg::Submit{1, msg::WatchLevel::kNone, {World::submission("u")}}) ==
          ErrorCode::kNotAllowed);
    CHECK(w.refused(msg::Purge{1, {task_id("t")}}) == ErrorCode::kNotAllowed);
    CHECK(w.refused(msg::Replay{1, {{task_id("t"), task_id("u")}}}) == ErrorCode::kNotAllowed);
    CHECK(w.refused(msg::Reprioritise{1, 2, {task_id("t")}}) == ErrorCode::kNotAllowed);
    CHECK(w.status("t") == TaskStatus::kUnscheduled);
    CHECK(w.listed().size() == 1);
  }
  SECTION("both, which is not all") {
    for (const Message& message : {Message(msg::Drain{1, "", true}), Message(msg::NodesQuery{1}),
                                   Message(msg::StatsQuery{1})})
      CHECK(w.refused(message) == ErrorCode::kNotAllowed);
    CHECK(w.submit("after").code == ErrorCode::kOk);  // not draining
    w.as(admin_key());
    w.from_client(msg::Drain{1, "", true});
    CHECK(w.take_to_client<msg::Done>().size() == 1);
  }
}

TEST_CASE("keys of others than clients get nothing") {
  TwoTenants w;
  Identity who;
  who.kind = GENERATE(Identity::Kind::kNobody, Identity::Kind::kNode, Identity::Kind::kDispatcher);
  w.as(who);
  for (const Message& message :
       {Message(msg::Ping{7}), Message(msg::List{7, {}}), Message(msg::Cancel{7, {task_id("t")}}),
        Message(msg::Submit{7, msg::WatchLevel::kNone, {World::submission("u")}})}) {
    w.from_client(message);
    const auto errors = w.take_to_client<msg::ErrorReply>();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].code == ErrorCode::kNotAllowed);
    CHECK(errors[0].request == 7);
    CHECK(w.to_clients.empty());
  }
  CHECK(w.core.tasks().size() == 2);
  CHECK(w.status("t") == TaskStatus::kUnscheduled);
}

TEST_CASE("a revoked key gets no more results") {
  TwoTenants w;
  w.core.handle(KeysRevoked{{"key of ours"}}, w.now);
  w.step();
  CHECK(w.take_only_error() == ErrorCode::kNotAllowed);
  w.as(admin_key());
  w.from_client(msg::Cancel{1, {task_id("t"), task_id("x")}}, "admin");
  CHECK(w.take_delivered().empty());
  CHECK(w.take_delivered("they").size() == 1);
  CHECK(w.watchers("t") == 0);
}

TEST_CASE("a node reports only what it was given") {
  World w;
  w.snapshot({World::entry(1), World::entry(2)});
  w.submit("t");
  const auto [node, ref] = w.take_only_assigned();
  const unsigned liar = node == 1 ? 2 : 1;
  SECTION("an acknowledgement") {
    w.ack(liar, ref);
    CHECK(w.status("t") == TaskStatus::kScheduled);
  }
  SECTION("a refusal") {
    w.ack(liar, ref, ErrorCode::kNodeFull);
    CHECK(w.status("t") == TaskStatus::kScheduled);
  }
  w.ack(node, ref);
  const auto is_untouched = [&] {
    CHECK(w.status("t") == TaskStatus::kSent);
    CHECK(w.task("t").faults + w.task("t").losses + w.task("t").drains == 0);
    CHECK(w.task("t").attempt(1)->open);
  };
  SECTION("a result") { w.result(liar, ref, "forged"); }
  SECTION("an error") { w.error(liar, ref); }
  SECTION("a return") { w.give_back(liar, ref); }
  SECTION("an end of what was aborted") {
    w.from_node(liar, msg::AbortAck{{{ref, msg::AbortOutcome::kStopped}}});
  }
  SECTION("progress") {
    w.from_node(liar, msg::Progress{{{ref, 0.9, "nearly"}}});
    CHECK(get_double(w.status_of("t"), "fraction", -1) == 0);
  }
  SECTION("that it holds the task") { w.beat(liar, {ref}); }
  SECTION("the same under another session of the same node") {
    w.join(node + 100, 1, {ref});  // which replaces the first
    CHECK(w.task("t").current != 1);
    return;
  }
  is_untouched();
  w.result(node, ref);
  CHECK(w.status("t") == TaskStatus::kCompleted);
  CHECK(w.task("t").result.view() == "picture");
}

TEST_CASE("another key under the name of a connection gets nothing of who had it before") {
  TwoTenants w;
  w.snapshot({World::entry(1)});
  REQUIRE(w.watchers("t") == 1);
  w.as(client_key("theirs"));
  w.from_client(msg::Ping{1});
  CHECK(w.take_to_client<msg::Pong>().at(0).watched == 0);
  CHECK(w.watchers("t") == 0);
}

TEST_CASE("the tenant of a key counts towards the limits of a spec") {
  World w;
  w.who = client_key("ours");
  const auto submitted = [&](const std::string& id, const ValueMap& map) {
    TaskSpec spec;
    spec.raw = encode_map(map);
    REQUIRE(spec.raw.size() <= limits::kMaxSpecBytes);
    w.from_client(
        msg::Submit{1, msg::WatchLevel::kResult, {{task_id(id), spec, Blob(std::string("x"))}}});
    return w.take_to_client<msg::Accepted>().at(0).verdicts.at(0).code;
  };
  ValueMap most;
  for (std::size_t i = 0; i < limits::kMaxMapEntries; ++i) most["key-" + std::to_string(i)] = 1;
  CHECK(submitted("full", most) == ErrorCode::kTooLarge);
  most.erase("key-0");
  CHECK(submitted("fits", most) == ErrorCode::kOk);
  constexpr std::size_t kMapBytes = 6;  // of one key of a letter, beside its text
  CHECK(submitted("large", {{"x", std::string(limits::kMaxSpecBytes - kMapBytes, 'x')}}) ==
        ErrorCode::kTooLarge);
  // What was accepted can be read by its node.
  w.snapshot();
  w.join(1, 1);
  CHECK(w.take_only_assigned().second.task_id == task_id("fits"));
}

TEST_CASE("who only watches cannot acknowledge for others what it never got") {
  World w;
  w.snapshot();
  w.join(1, 1);
  w.who = client_key("ours");
  REQUIRE(w.submit("t", {}, msg::WatchLevel::kResult).code == ErrorCode::kOk);
  const auto ref = w.take_to_nodes<msg::Assign>().at(0).second.ref;
  w.result(1, ref);
  REQUIRE(w.status("t") == TaskStatus::kCompleted);
  w.who = client_key("ours", false, true);
  w.from_client(msg::DeliverAck{{task_id("t")}}, "watcher");
  CHECK(!w.task("t").fetched);
  CHECK(!w.is_acknowledged("t"));
  // It got this one, so it has done what it was there for.
  w.from_client(msg::Watch{1, msg::WatchLevel::kResult, {task_id("t")}}, "watcher");
  w.from_client(msg::DeliverAck{{task_id("t")}}, "watcher");
  CHECK(w.is_acknowledged("t"));
}
