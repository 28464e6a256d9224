// All messages, for code that does not know the direction of a frame: tests, fuzzers, simulation.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/wire/client.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/link.h"
#include "protocol/wire/node.h"

namespace genai {
namespace wire {

/// A variant of all messages of several variants, each once.
template <class Sum, class... Variants>
struct Union {
  using type = Sum;
};
template <class... Ms, class M, class... Left, class... Variants>
struct Union<std::variant<Ms...>, std::variant<M, Left...>, Variants...> {
  static constexpr bool kIsIn = (std::is_same_v<M, Ms> || ...);
  using Sum = std::conditional_t<kIsIn, std::variant<Ms...>, std::variant<Ms..., M>>;
  using type = typename Union<Sum, std::variant<Left...>, Variants...>::type;
};
template <class... Ms, class... Variants>
struct Union<std::variant<Ms...>, std::variant<>, Variants...> {
  using type = typename Union<std::variant<Ms...>, Variants...>::type;
};

template <class M, class Variant>
inline constexpr bool kIsAlternative = false;
template <class M, class... Ms>
inline constexpr bool kIsAlternative<M, std::variant<Ms...>> = (std::is_same_v<M, Ms> || ...);

}  // namespace wire

using AnyMessage =
    wire::Union<std::variant<>, FromNode::Messages, ToNode::Messages, LinkToBroker::Messages,
                LinkToDispatcher::Messages, ClientRequest::Messages, ClientReply::Messages>::type;

/// A class of its own, so that the copy and destruction of so many types is compiled once.
class Message : public AnyMessage {
 public:
  Message();
  Message(const Message&);
  Message(Message&&) noexcept;
  Message& operator=(const Message&);
  Message& operator=(Message&&) noexcept;
  ~Message();

  template <class M>
  requires(wire::kIsAlternative<std::remove_cvref_t<M>, AnyMessage>) Message(M&& body)
      : AnyMessage(std::in_place_type<std::remove_cvref_t<M>>, std::forward<M>(body)) {}
  template <Direction D, class... Ms>
  Message(OneOf<D, Ms...> message) {
    std::visit([this](auto& body) { emplace<std::decay_t<decltype(body)>>(std::move(body)); },
               message);
  }
};

/// A template so that a body is never taken for one of these: the OneOf that it belongs to is
/// encoded.
template <std::same_as<Message> M>
std::string encode(const M& message);

Expected<Message> decode(const Blob& frame, Direction direction);

}  // namespace genai
