// One of the messages of one direction on one socket.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/wire/kind.h"

namespace genai {

/// A variant that knows its direction. A visitor without a branch for one of the messages does not
/// compile, unless it has a generic branch. Each variant is a class with a name (GENAI_ONE_OF).
template <Direction D, class... Ms>
class OneOf : public std::variant<Ms...> {
  static_assert((travels(Ms::kKind.way, D) && ...), "a message goes another way");

 public:
  using Messages = std::variant<Ms...>;
  static constexpr Direction kDirection = D;

  OneOf() = default;
  template <class M>
  requires(std::is_same_v<std::remove_cvref_t<M>, Ms> || ...) OneOf(M&& body)
      : std::variant<Ms...>(std::in_place_type<std::remove_cvref_t<M>>, std::forward<M>(body)) {}
};

/// The copy and destruction of so many types is compiled once: put GENAI_ONE_OF into the class, and
/// GENAI_ONE_OF_COMPILED into one source.
#define GENAI_ONE_OF(Name)          \
 public:                            \
  using OneOf::OneOf;               \
  Name();                           \
  Name(const Name&);                \
  Name(Name&&) noexcept;            \
  Name& operator=(const Name&);     \
  Name& operator=(Name&&) noexcept; \
  ~Name();

#define GENAI_ONE_OF_COMPILED(Name)                 \
  Name::Name() = default;                           \
  Name::Name(const Name&) = default;                \
  Name::Name(Name&&) noexcept = default;            \
  Name& Name::operator=(const Name&) = default;     \
  Name& Name::operator=(Name&&) noexcept = default; \
  Name::~Name() = default;

template <class... Ms>
const MessageKind& kind_of(const std::variant<Ms...>& message) {
  return std::visit([](const auto& body) -> const MessageKind& { return body.kKind; }, message);
}

}  // namespace genai
