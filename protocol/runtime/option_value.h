// What an option may hold, and how a value from a file, the environment or the command line gets
// into the program's variable.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace genai::runtime {

/// A variable that counts in a smaller unit than its option.
struct Scaled {
  std::variant<std::chrono::microseconds*, std::uint64_t*> variable;
  std::int64_t unit = 1;  // so many of the variable's units are 1 of the option's
};

/// The variable an option is bound to. Durations are given as whole numbers, at most ten years.
using OptionTarget =
    std::variant<std::int64_t*, std::int32_t*, std::uint32_t*, std::uint64_t*, std::uint8_t*,
                 double*, bool*, std::string*, std::vector<std::string>*,
                 std::vector<std::uint64_t>*, std::chrono::milliseconds*, std::chrono::seconds*,
                 std::optional<std::uint8_t>*, std::optional<std::uint32_t>*,
                 std::optional<double>*, Scaled>;

/// A number of bytes whose option is given in MiB.
struct Mebibytes {
  std::uint64_t& bytes;
};

/// The target that `variable` is for an option of that name, which ends in its unit: "-ms" or "-s"
/// for durations, "-mib" for Mebibytes. Throws std::logic_error when it does not.
template <class T>
OptionTarget target_of(const std::string&, T& variable) {
  return &variable;
}
OptionTarget target_of(const std::string& name, std::chrono::microseconds& variable);
OptionTarget target_of(const std::string& name, std::chrono::milliseconds& variable);
OptionTarget target_of(const std::string& name, std::chrono::seconds& variable);
OptionTarget target_of(const std::string& name, Mebibytes variable);

/// Inclusive bounds of a number.
class Range {
 public:
  /// No upper bound but that of the variable.
  static constexpr Range at_least(double min) { return {min, std::numeric_limits<double>::max()}; }
  template <std::integral A, std::integral B>
  constexpr Range(A min, B max)
      : min_(to_int(min)),
        max_(to_int(max)),
        real_min_(static_cast<double>(min)),
        real_max_(static_cast<double>(max)) {}
  constexpr Range(double min, double max)
      : min_(to_int(min)), max_(to_int(max)), real_min_(min), real_max_(max) {}

  constexpr std::int64_t min() const { return min_; }
  constexpr std::int64_t max() const { return max_; }
  constexpr double real_min() const { return real_min_; }
  constexpr double real_max() const { return real_max_; }

 private:
  static constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  template <std::integral T>
  static constexpr std::int64_t to_int(T value) {
    return std::cmp_greater(value, kLargest) ? kLargest : static_cast<std::int64_t>(value);
  }
  static constexpr std::int64_t to_int(double value) {
    return value >= static_cast<double>(kLargest) ? kLargest : static_cast<std::int64_t>(value);
  }

  std::int64_t min_, max_;
  double real_min_, real_max_;
};

/// The only texts that a std::string option takes, or the entries of a list.
struct Choices {
  std::vector<std::string> values;
};

/// A text that is given must not be empty: that is what a script gives whose variable is not set.
struct NotEmpty {};

/// The text names a folder that exists.
struct ExistingFolder {};

using OptionLimit = std::variant<std::monostate, Range, Choices, NotEmpty, ExistingFolder>;

/// A value of a kind that no option takes (a date, a table), described for the error message.
struct OtherValue {
  std::string description;
};

/// A value as a source gives it.
using GivenValue =
    std::variant<std::int64_t, double, bool, std::string, std::vector<std::string>, OtherValue>;

/// Reads plain text (one environment variable, one argument) as the kind of value that `target`
/// wants; a list is split at commas. Text that does not fit stays text, for assign to refuse.
GivenValue value_from_text(const OptionTarget& target, std::string_view text);

/// Reads what the command line gives for one option, at least one text: the last one counts, a list
/// takes all. Commas separate the entries of a list of Choices.
GivenValue value_from_texts(const OptionTarget& target, const OptionLimit& limit,
                            const std::vector<std::string>& texts);

/// Checks `value` against the kind of `target` and `limit` and stores it. On failure nothing is
/// stored and the result says what is wrong: "must be a whole number from 1 to 5, not 'abc'".
std::optional<std::string> assign(const OptionTarget& target, const OptionLimit& limit,
                                  const GivenValue& value);

/// What current_text says of an empty text or list, or of nothing.
inline constexpr std::string_view kNoText = "none";

/// The variable's value now, for help: "1000", "a, b", kNoText.
std::string current_text(const OptionTarget& target);

bool is_flag(const OptionTarget& target);
bool is_list(const OptionTarget& target);

/// "100 to 60000", "1 or more", "one of auto, text, json", or "" without a limit.
std::string limit_text(const OptionLimit& limit, const OptionTarget& target);

/// The placeholder in help: "N", "X", "TEXT"; "" for a flag.
std::string_view placeholder(const OptionTarget& target);

}  // namespace genai::runtime
