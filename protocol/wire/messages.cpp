#include "protocol/wire/messages.h"

namespace genai {
namespace {

template <class V>
Expected<Message> decode_as(const Blob& frame) {
  auto message = decode<V>(frame);
  if (!message) return tl::unexpected(std::move(message.error()));
  return Message(std::move(*message));
}

}  // namespace

GENAI_ONE_OF_COMPILED(Message)

Expected<Message> decode(const Blob& frame, Direction direction) {
  switch (direction) {
    case Direction::kFromNode:
      return decode_as<FromNode>(frame);
    case Direction::kToNode:
      return decode_as<ToNode>(frame);
    case Direction::kLinkToBroker:
      return decode_as<LinkToBroker>(frame);
    case Direction::kLinkToDispatcher:
      return decode_as<LinkToDispatcher>(frame);
    case Direction::kFromClient:
      return decode_as<ClientRequest>(frame);
    case Direction::kToClient:
      return decode_as<ClientReply>(frame);
  }
  return fail(ErrorCode::kNotAllowed, "frame: no such direction");
}

}  // namespace genai
