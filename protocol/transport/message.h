// A frame to send.
#pragma once

#include <string>
#include <zmq.hpp>

namespace genai::transport {

/// Makes a message of the text. The text is moved, not copied.
inline zmq::message_t message_of(std::string&& frame) {
  auto* owned = new std::string(std::move(frame));
  return zmq::message_t(
      owned->data(), owned->size(),
      [](void*, void* hint) { delete static_cast<std::string*>(hint); }, owned);
}

}  // namespace genai::transport
