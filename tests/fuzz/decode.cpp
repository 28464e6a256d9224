// Any bytes as a message of one kind of peer: whatever decodes encodes to something that decodes to
// the same. GENAI_DIRECTIONS says which.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/oracle.h"

using namespace genai;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Blob frame(std::string(reinterpret_cast<const char*>(data), size));
  for (const Direction direction : {GENAI_DIRECTIONS}) {
    const auto type = peek_type(frame.view(), direction);
    peek_request(frame.view());
    const auto message = decode(frame, direction);
    if (!message) {
      GENAI_CHECK(!message.error().detail.empty());
      continue;
    }
    GENAI_CHECK(type.has_value() && *type == kind_of(*message).number);
    fuzz::check_round_trip(*message, direction);
  }
  return 0;
}
