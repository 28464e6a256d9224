// Any bytes as an open map, as a task spec and as a node's metadata.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/base/check.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/open_map.h"

using namespace genai;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  const auto map = decode_map(raw);
  const auto spec = decode_spec(raw);
  if (!map) {
    GENAI_CHECK(!spec);
    return 0;
  }
  const auto map_again = decode_map(encode_map(*map));
  GENAI_CHECK(map_again && *map_again == *map);
  if (spec) {
    TaskSpec again;
    GENAI_CHECK(wire::read_spec(encode_map(wire::map_from(*spec)), again));
    again.raw = spec->raw;
    GENAI_CHECK(again == *spec);
  }
  if (const auto meta = wire::meta_from(encode_map(*map))) {
    const auto again = wire::meta_from(encode_map(wire::map_from(*meta)));
    GENAI_CHECK(again && *again == *meta);
  }
  return 0;
}
