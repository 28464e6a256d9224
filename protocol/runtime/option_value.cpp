#include "protocol/runtime/option_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <type_traits>

#include "protocol/base/overloaded.h"
#include "protocol/runtime/escape.h"

namespace genai::runtime {
namespace {

template <class T>
constexpr bool kIsDuration = false;
template <class Rep, class Period>
constexpr bool kIsDuration<std::chrono::duration<Rep, Period>> = true;

template <class T>
struct Inner {
  using Type = T;
};
template <class T>
struct Inner<std::optional<T>> {
  using Type = T;
};

template <class T>
concept WholeNumber = (std::integral<T> && !std::same_as<T, bool>) || kIsDuration<T>;

using List = std::vector<std::string>;
using Numbers = std::vector<std::uint64_t>;

std::string joined(const List& list) {
  std::string out;
  for (const std::string& entry : list) out += (out.empty() ? "" : ", ") + escaped(entry);
  return out;
}

template <WholeNumber T>
constexpr Range widest() {
  if constexpr (kIsDuration<T>) {
    return Range(0, std::chrono::duration_cast<T>(std::chrono::hours(24 * 3650)).count());
  } else {
    return Range(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  }
}

template <WholeNumber T>
Range bounds(const OptionLimit& limit) {
  constexpr Range kAll = widest<T>();
  const Range* range = std::get_if<Range>(&limit);
  if (range == nullptr) return kAll;
  return Range(std::max(range->min(), kAll.min()), std::min(range->max(), kAll.max()));
}

bool is_open(const Range& range) { return range.max() == std::numeric_limits<std::int64_t>::max(); }

std::string real_text(const Range& range) {
  return is_open(range) ? fmt::format("{} or more", range.real_min())
                        : fmt::format("{} to {}", range.real_min(), range.real_max());
}

std::string given_text(const GivenValue& value) {
  return std::visit(Overloaded{
                        [](const std::string& text) { return "'" + escaped(text) + "'"; },
                        [](const List& list) { return "[" + joined(list) + "]"; },
                        [](const OtherValue& other) { return other.description; },
                        [](bool flag) { return std::string(flag ? "true" : "false"); },
                        [](auto number) { return fmt::format("{}", number); },
                    },
                    value);
}

std::optional<std::string> refuse(std::string_view wanted, const GivenValue& value) {
  return fmt::format("must be {}, not {}", wanted, given_text(value));
}

template <WholeNumber T>
std::optional<std::string> store(T& target, const OptionLimit& limit, const GivenValue& value) {
  const Range range = bounds<T>(limit);
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < range.min() || *number > range.max()) {
    return refuse(fmt::format("a whole number from {} to {}", range.min(), range.max()), value);
  }
  if constexpr (kIsDuration<T>) {
    target = T(*number);
  } else {
    target = static_cast<T>(*number);
  }
  return std::nullopt;
}

std::optional<std::string> store(double& target, const OptionLimit& limit,
                                 const GivenValue& value) {
  const Range* range = std::get_if<Range>(&limit);
  std::optional<double> number;
  if (const auto* real = std::get_if<double>(&value)) number = *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) number = static_cast<double>(*whole);
  const bool fits = number && std::isfinite(*number) &&
                    (!range || (*number >= range->real_min() && *number <= range->real_max()));
  if (!fits) {
    if (range == nullptr) return refuse("a number", value);
    const bool open = is_open(*range);
    return refuse(fmt::format("a number {} {}", open ? "of" : "from", real_text(*range)), value);
  }
  target = *number;
  return std::nullopt;
}

std::optional<std::string> store(bool& target, const OptionLimit&, const GivenValue& value) {
  const bool* flag = std::get_if<bool>(&value);
  if (flag == nullptr) return refuse("true or false", value);
  target = *flag;
  return std::nullopt;
}

std::optional<std::string> store(std::string& target, const OptionLimit& limit,
                                 const GivenValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (const auto* choices = std::get_if<Choices>(&limit)) {
    const List& allowed = choices->values;
    if (!text || std::find(allowed.begin(), allowed.end(), *text) == allowed.end()) {
      return refuse("one of " + joined(allowed), value);
    }
  }
  if (text == nullptr) return refuse("a text", value);
  if (std::holds_alternative<NotEmpty>(limit) && text->empty()) return "must not be empty";
  std::error_code ignored;
  if (std::holds_alternative<ExistingFolder>(limit) &&
      !std::filesystem::is_directory(*text, ignored)) {
    return refuse("a folder that exists", value);
  }
  target = *text;
  return std::nullopt;
}

std::optional<std::string> store(List& target, const OptionLimit& limit, const GivenValue& value) {
  List entries;
  if (const auto* list = std::get_if<List>(&value)) {
    entries = *list;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    entries = {*text};
  } else {
    return refuse("a text or a list of texts", value);
  }
  for (std::string& entry : entries) {
    if (auto wrong = store(entry, limit, GivenValue(std::string(entry)))) return wrong;
  }
  target = std::move(entries);
  return std::nullopt;
}

template <class T>
std::optional<std::string> store(std::optional<T>& target, const OptionLimit& limit,
                                 const GivenValue& value) {
  T number{};
  auto wrong = store(number, limit, value);
  if (!wrong) target = number;
  return wrong;
}

// The whole text as one number, without blanks or a '+'.
template <class T>
std::optional<T> parsed(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::string> store(Numbers& target, const OptionLimit& limit,
                                 const GivenValue& value) {
  const auto* texts = std::get_if<List>(&value);
  if (texts == nullptr) return refuse("whole numbers", value);
  Numbers numbers(texts->size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = parsed<std::int64_t>((*texts)[i]);
    const GivenValue given = number ? GivenValue(*number) : GivenValue((*texts)[i]);
    if (auto wrong = store(numbers[i], limit, given)) return wrong;
  }
  target = std::move(numbers);
  return std::nullopt;
}

List split_at_commas(std::string_view text) {
  List parts;
  while (true) {
    const std::size_t comma = text.find(',');
    if (comma != 0 && !text.empty()) parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

// In the option's unit, as a variable of T is in its own.
std::optional<std::string> store(const Scaled& target, const OptionLimit& limit,
                                 const GivenValue& value) {
  const auto whole = [&]<class T>(T* variable) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    std::int64_t most = kMost;
    if constexpr (kIsDuration<T>) most = widest<T>().max();
    std::int64_t number = 0;
    const Range* given = std::get_if<Range>(&limit);
    const Range range(given ? given->min() : 0,
                      std::min(given ? given->max() : kMost, most / target.unit));
    auto wrong = store(number, range, value);
    if (!wrong) *variable = T(number * target.unit);
    return wrong;
  };
  return std::visit(whole, target.variable);
}

void check_unit(const std::string& name, std::string_view unit) {
  if (!name.ends_with(unit))
    throw std::logic_error("option " + name + ": the name must end in " + std::string(unit));
}

}  // namespace

OptionTarget target_of(const std::string& name, std::chrono::microseconds& variable) {
  if (name.ends_with("-ms")) return Scaled{&variable, 1000};
  check_unit(name, "-s");
  return Scaled{&variable, 1'000'000};
}
OptionTarget target_of(const std::string& name, std::chrono::milliseconds& variable) {
  check_unit(name, "-ms");
  return &variable;
}
OptionTarget target_of(const std::string& name, std::chrono::seconds& variable) {
  check_unit(name, "-s");
  return &variable;
}
OptionTarget target_of(const std::string& name, Mebibytes variable) {
  check_unit(name, "-mib");
  return Scaled{&variable.bytes, std::int64_t{1} << 20};
}
OptionTarget target_of(const std::string& name, Milliseconds variable) {
  check_unit(name, "-s");
  return Scaled{&variable.count, 1000};
}

GivenValue value_from_text(const OptionTarget& target, std::string_view text) {
  const auto read = [&]<class P>(const P&) -> GivenValue {
    using T = std::remove_pointer_t<P>;
    if constexpr (WholeNumber<typename Inner<T>::Type> || std::same_as<T, Scaled>) {
      if (const auto number = parsed<std::int64_t>(text)) return *number;
    } else if constexpr (std::same_as<typename Inner<T>::Type, double>) {
      if (const auto number = parsed<double>(text)) return *number;
    } else if constexpr (std::same_as<T, bool>) {
      if (text == "true" || text == "1") return true;
      if (text == "false" || text == "0") return false;
    } else if constexpr (std::same_as<T, List> || std::same_as<T, Numbers>) {
      return split_at_commas(text);
    }
    return std::string(text);
  };
  return std::visit(read, target);
}

GivenValue value_from_texts(const OptionTarget& target, const OptionLimit& limit,
                            const List& texts) {
  if (!is_list(target)) return value_from_text(target, texts.back());
  if (!std::holds_alternative<Choices>(limit)) return texts;
  List entries;
  for (const std::string& text : texts)
    for (std::string& entry : split_at_commas(text)) entries.push_back(std::move(entry));
  return entries;
}

std::optional<std::string> assign(const OptionTarget& target, const OptionLimit& limit,
                                  const GivenValue& value) {
  return std::visit(Overloaded{
                        [&](const Scaled& scaled) { return store(scaled, limit, value); },
                        [&](auto* variable) { return store(*variable, limit, value); },
                    },
                    target);
}

std::string current_text(const OptionTarget& target) {
  const std::string text = std::visit(
      Overloaded{
          [](const std::string* value) { return escaped(*value); },
          [](const List* value) { return joined(*value); },
          [](const Numbers* value) { return fmt::format("{}", fmt::join(*value, ", ")); },
          [](const bool* value) { return std::string(*value ? "true" : "false"); },
          [](const Scaled& scaled) {
            const auto whole = [&]<class T>(const T* value) {
              if constexpr (kIsDuration<T>) {
                return value->count() / scaled.unit;
              } else {
                return static_cast<std::int64_t>(*value) / scaled.unit;
              }
            };
            return std::to_string(std::visit(whole, scaled.variable));
          },
          []<class T>(const std::optional<T>* value) {
            return *value ? fmt::format("{}", **value) : std::string();
          },
          [](const auto* value) {
            if constexpr (kIsDuration<std::remove_cvref_t<decltype(*value)>>) {
              return std::to_string(value->count());
            } else {
              return fmt::format("{}", *value);
            }
          },
      },
      target);
  return text.empty() ? std::string(kNoText) : text;
}

bool is_flag(const OptionTarget& target) { return std::holds_alternative<bool*>(target); }

bool is_list(const OptionTarget& target) {
  return std::holds_alternative<List*>(target) || std::holds_alternative<Numbers*>(target);
}

std::string limit_text(const OptionLimit& limit, const OptionTarget& target) {
  if (const auto* choices = std::get_if<Choices>(&limit)) {
    return "one of " + joined(choices->values);
  }
  const auto* range = std::get_if<Range>(&limit);
  if (range == nullptr) return "";
  const bool is_real = std::holds_alternative<double*>(target) ||
                       std::holds_alternative<std::optional<double>*>(target);
  if (is_real || is_open(*range)) return real_text(*range);
  return fmt::format("{} to {}", range->min(), range->max());
}

std::string_view placeholder(const OptionTarget& target) {
  return std::visit(
      []<class P>(const P&) -> std::string_view {
        using T = std::remove_pointer_t<P>;
        if constexpr (std::same_as<T, Scaled>) return "N";
        if constexpr (std::same_as<T, bool>) return "";
        using Number = typename Inner<T>::Type;
        if constexpr (std::same_as<Number, double>) return "X";
        return WholeNumber<Number> || std::same_as<T, Numbers> ? "N" : "TEXT";
      },
      target);
}

}  // namespace genai::runtime
