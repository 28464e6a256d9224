// What a submission's content is compared by when its id comes again.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace genai::dispatcher {

using Digest = std::array<std::uint8_t, 16>;

/// BLAKE2b-128 over the canonical spec and the payload, each preceded by its length. Collision
/// resistant, so a second submission cannot be made to pass for the first.
Digest content_digest(std::string_view spec, std::string_view payload);

/// BLAKE2b-128 of the bytes alone.
Digest digest_of(std::string_view bytes);

}  // namespace genai::dispatcher
