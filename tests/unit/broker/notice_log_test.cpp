// What people see of nodes that come and go.
#include "broker/notice_log.h"

#include <catch2/catch.hpp>

#include "tests/unit/runtime/capture.h"

using namespace genai;
using namespace genai::broker;

TEST_CASE("a fleet that comes at once is shown, who comes and goes without end is counted") {
  NoticeLog log;
  const Notice joined{Notice::Kind::kNodeJoined, *NodeId::parse("n"), {}, "", 0};
  StderrCapture all;
  {
    StderrCapture shown;
    for (int i = 0; i < 1500; ++i) log.write(joined, {from_ms(0), from_ms(0)});
    CHECK(shown.lines() == 1000);
  }
  StderrCapture shown;
  log.write({Notice::Kind::kLateLoop, {}, {}, "busy", 7}, {from_ms(0), from_ms(0)});
  CHECK(shown.lines() == 1);  // other lines go on
  log.write(joined, {from_ms(100), from_ms(100)});
  CHECK(shown.lines() == 3);
  CHECK(shown.whole().find("count\":500") != std::string::npos);
}

TEST_CASE("a line about a node has a reason only if there is one") {
  NoticeLog log;
  const NodeId node = *NodeId::parse("n");
  StderrCapture shown;
  log.write({Notice::Kind::kNodeJoined, node, {}, "", 0}, {from_ms(0), from_ms(0)});
  CHECK(shown.whole().find("reason") == std::string::npos);
  log.write({Notice::Kind::kNodeLost, node, {}, "silent", 0}, {from_ms(0), from_ms(0)});
  CHECK(shown.whole().find("\"reason\":\"silent\"") != std::string::npos);
}
