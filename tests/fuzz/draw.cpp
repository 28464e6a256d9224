#include "tests/fuzz/draw.h"

#include <algorithm>
#include <iterator>

namespace genai::fuzz {
namespace {

template <class M>
Message make_message(Draw& draw) {
  return draw.make<M>();
}

struct Type {
  Way way;
  Message (*make)(Draw&);
};
template <class... M>
constexpr auto types_of(const std::variant<M...>*) {
  return std::array{Type{M::kKind.way, &make_message<M>}...};
}
constexpr auto kTypes = types_of(static_cast<const AnyMessage*>(nullptr));

// Seconds and more are what deadlines are made of.
constexpr std::uint64_t kSteps[] = {1, 10, 100, 1000, 5000, 60'000, 3'600'000, 86'400'000};

}  // namespace

Message Draw::message(Direction direction) {
  std::vector<const Type*> fitting;
  for (const Type& type : kTypes)
    if (travels(type.way, direction)) fitting.push_back(&type);
  inner_ = direction == Direction::kLinkToBroker ? Direction::kToNode : Direction::kFromNode;
  return fitting[in_.below(fitting.size())]->make(*this);
}

Blob Draw::frame(Direction direction) {
  const std::size_t kind = in_.below(16);
  if (kind == 0) return Blob(in_.bytes());
  std::string bytes = encode(message(direction));
  if (kind == 1) bytes[in_.word() % bytes.size()] ^= static_cast<char>(in_.byte());
  if (kind == 2) bytes.resize(in_.word() % bytes.size());
  return Blob(std::move(bytes));
}

std::string Draw::text(std::size_t max_bytes) {
  static constexpr std::string_view kTexts[] = {"",  "sdxl",   "flux",          "t0", "t1", "t2",
                                                "*", "Failed", "\xc3\xa9\n\"\\"};
  const std::size_t kind = in_.below(32);
  if (kind == 31) return std::string(std::min<std::size_t>(max_bytes, 4096), 'x');
  return std::string(kTexts[kind % std::size(kTexts)].substr(0, max_bytes));
}

std::uint64_t Draw::number(std::uint64_t min, std::uint64_t max) {
  const std::uint8_t kind = in_.byte();
  const std::uint64_t value = kind < 240 ? min + kind % 8 : in_.word();
  return std::clamp(value, min, max);
}

double Draw::cost() { return in_.one_in(4) ? TaskSpec::kUnlimited : in_.byte() / 8.0; }

Duration Draw::duration() {
  const std::uint64_t step = kSteps[in_.below(std::size(kSteps))];
  return from_ms(step * in_.below(16));
}

void Draw::code(const char*, ErrorCode& out) {
  // Also such as nobody has defined.
  const auto known = error_code(in_.below(256));
  out = known ? *known : static_cast<ErrorCode>(in_.below(256));
}

void Draw::spec(const char*, TaskSpec& out) {
  const std::uint8_t set = in_.byte();
  if (set & 1) out.needs.model = text();
  if (set & 2) out.needs.vram_mib = number(0, 8);
  if (set & 4) out.ttl_ms = std::max<std::uint64_t>(1, to_ms(duration()));
  if (set & 4) out.time_limit_ms = to_ms(duration());
  if (set & 8) out.max_attempts = static_cast<std::uint32_t>(number(0, 3));
  if (set & 16) out.tenant = text();
  if (set & 16) out.priority = static_cast<std::uint8_t>(number(0, limits::kMaxPriority));
  if (set & 32) out.not_before_ms = number(0, limits::kMaxUnixMs);
  if (set & 32) out.start_in_ms = to_ms(duration());
  if (set & 64) out.deadline_ms = number(0, limits::kMaxUnixMs);
  if (set & 64) out.deadline_in_ms = to_ms(duration());
  if (set & 128) {
    out.max_cost = cost();
    out.time_to_money_ratio = cost();
    out.work = in_.byte();
  }
  out = make_spec(out, {});
}

void Draw::meta(const char*, PublicMetaInfo& out) {
  const std::uint8_t set = in_.byte();
  if (set & 1) out.models = {"sdxl", "flux"};
  if (set & 2) out.loaded_models = {text()};
  if (set & 4) out.vram_mib = number(0, UINT32_MAX);
  if (set & 8) out.min_cost = in_.byte() / 8.0;
  out.slots = static_cast<std::uint32_t>(number(1, limits::kMaxSlots));
}

void Draw::element(ValueMap& out) {
  static constexpr const char* kKeys[] = {"run_ms", "started", "load_ms", "error", "status",
                                          "after",  "limit",   "task_id", "x"};
  for (std::size_t left = in_.below(4); left > 0; --left) {
    Value& value = out[kKeys[in_.below(std::size(kKeys))]];
    switch (in_.below(8)) {
      case 0:
        value = in_.one_in(2);
        break;
      case 1:
        value = -1.5 * in_.byte();
        break;
      case 2:
        value = text();
        break;
      case 3:
        value = ValueList{text(), Value{}, Bytes{text()}};
        break;
      case 4:
        value = static_cast<std::int64_t>(in_.word());
        break;
      default:
        value = number(0, UINT64_MAX);
    }
  }
}

void Draw::element(msg::Delta::Change& out) {
  switch (in_.below(3)) {
    case 0:
      return element(out.emplace<msg::Delta::Joined>());
    case 1:
      return element(out.emplace<msg::Delta::StateChanged>());
    default:
      return element(out.emplace<msg::Delta::Beat>());
  }
}

void Draw::element(AssignmentRef& out) {
  if (!known_.empty() && in_.one_in(2))
    out = known_[in_.below(known_.size())];
  else
    out.fields(*this);
}

}  // namespace genai::fuzz
