#include "dispatcher/tasks/digest.h"

#include <sodium.h>

namespace genai::dispatcher {
namespace {

void add(crypto_generichash_state& state, std::string_view bytes) {
  std::array<std::uint8_t, 8> length;
  for (std::size_t i = 0; i < length.size(); ++i)
    length[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(bytes.size()) >> (8 * i));
  crypto_generichash_update(&state, length.data(), length.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
}

/// Before it libsodium does not know what the processor can do: three times the instructions.
void make_ready() { [[maybe_unused]] static const int ready = sodium_init(); }

}  // namespace

Digest digest_of(std::string_view bytes) {
  make_ready();
  Digest digest;
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return digest;
}

Digest content_digest(std::string_view spec, std::string_view payload) {
  make_ready();
  Digest digest;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, digest.size());
  add(state, spec);
  add(state, payload);
  crypto_generichash_final(&state, digest.data(), digest.size());
  return digest;
}

}  // namespace genai::dispatcher
