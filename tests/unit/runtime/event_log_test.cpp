// What people see of what happens, however often it does.
#include "protocol/runtime/event_log.h"

#include <catch2/catch.hpp>

#include "protocol/base/limits.h"
#include "tests/unit/runtime/capture.h"

using namespace genai;
using runtime::EventLog;

TEST_CASE("what happens without end is shown for a while, and counted") {
  EventLog log;
  const LogEvent requeued{LogEvent::Level::kInfo, "task requeued", {{"task_id", std::string("t")}}};
  {
    StderrCapture shown;
    for (int i = 0; i < 1500; ++i) log.write(requeued, from_ms(0));
    CHECK(shown.lines() == 1000);
  }
  StderrCapture shown;
  log.write({LogEvent::Level::kWarn, "task failed", {}}, from_ms(0));
  CHECK(shown.lines() == 1);  // lines of other kinds go on
  log.write(requeued, from_ms(100));
  CHECK(shown.lines() == 2);
  CHECK(shown.whole().find("more_not_shown\":500") != std::string::npos);
}

TEST_CASE("what is said in a line is clipped") {
  StderrCapture shown;
  EventLog().write({LogEvent::Level::kInfo, "said", {{"reason", std::string(4096, 'r')}}},
                   from_ms(0));
  CHECK(shown.whole().find(std::string(500, 'r')) != std::string::npos);
  CHECK(shown.whole().size() < 2 * limits::kMaxLogReasonBytes);
}
