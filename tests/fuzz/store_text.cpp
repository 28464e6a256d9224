// Any text as the lists in a task's row.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dispatcher/store/sqlite/text.h"
#include "protocol/base/check.h"

using namespace genai::dispatcher::store;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto log = parse_log(text)) {
    const std::string written = log_text(*log);
    const auto again = parse_log(written);
    GENAI_CHECK(again && log_text(*again) == written && again->size() == log->size());
  }
  if (const auto attempts = parse_attempts(text)) {
    const std::string written = attempts_text(*attempts);
    const auto again = parse_attempts(written);
    GENAI_CHECK(again && attempts_text(*again) == written && again->size() == attempts->size());
  }
  return 0;
}
