// The values of an option, and the way of a value from a file, the environment or the command line
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

/// A variable whose unit is smaller than the unit of its option.
struct Scaled {
  std::variant<std::chrono::microseconds*, std::uint64_t*> variable;
  std::int64_t unit = 1;  // how many units of the variable are 1 unit of the option
};

/// The variable of an option. A duration is a whole number, at most ten years.
using OptionTarget =
    std::variant<std::int64_t*, std::int32_t*, std::uint32_t*, std::uint64_t*, std::uint8_t*,
                 double*, bool*, std::string*, std::vector<std::string>*,
                 std::vector<std::uint64_t>*, std::chrono::milliseconds*, std::chrono::seconds*,
                 std::optional<std::uint8_t>*, std::optional<std::uint32_t>*,
                 std::optional<double>*, Scaled>;

/// A number of bytes whose option counts in MiB.
struct Mebibytes {
  std::uint64_t& bytes;
};

/// A number of milliseconds whose option counts in seconds.
struct Milliseconds {
  std::uint64_t& count;
};

/// Makes the target of `variable`. The name of the option must end in its unit: "-ms" or "-s" for a
/// duration, "-s" for Milliseconds, "-mib" for Mebibytes. Throws std::logic_error if it does not.
template <class T>
OptionTarget target_of(const std::string&, T& variable) {
  return &variable;
}
OptionTarget target_of(const std::string& name, std::chrono::microseconds& variable);
OptionTarget target_of(const std::string& name, std::chrono::milliseconds& variable);
OptionTarget target_of(const std::string& name, std::chrono::seconds& variable);
OptionTarget target_of(const std::string& name, Mebibytes variable);
OptionTarget target_of(const std::string& name, Milliseconds variable);

/// Inclusive bounds of a number.
class Range {
 public:
  /// The type of the variable is the only upper bound.
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

/// The only texts that a std::string option accepts; of a list: that each entry may be.
struct Choices {
  std::vector<std::string> values;
};

/// The text must not be empty: a script whose variable is not set gives an empty text.
struct NotEmpty {};

/// The text must name a folder that exists.
struct ExistingFolder {};

using OptionLimit = std::variant<std::monostate, Range, Choices, NotEmpty, ExistingFolder>;

/// A value of a kind that no option has (a date, a table), with its description for the error.
struct OtherValue {
  std::string description;
};

/// A value from a source.
using GivenValue =
    std::variant<std::int64_t, double, bool, std::string, std::vector<std::string>, OtherValue>;

/// Reads plain text (an environment variable, an argument) as the kind of value that `target`
/// needs. A list is split at commas. Text that does not fit stays a text, which assign refuses.
GivenValue value_from_text(const OptionTarget& target, std::string_view text);

/// Reads the texts of one option on the command line, at least one: the last one counts; a list
/// takes all. Commas separate the entries of a list of Choices.
GivenValue value_from_texts(const OptionTarget& target, const OptionLimit& limit,
                            const std::vector<std::string>& texts);

/// Checks `value` against the kind of `target` and against `limit`, and stores it. If it does not
/// fit, stores nothing and returns the mistake: "must be a whole number from 1 to 5, not 'abc'".
std::optional<std::string> assign(const OptionTarget& target, const OptionLimit& limit,
                                  const GivenValue& value);

/// The result of current_text for an empty text or list, or for nothing.
inline constexpr std::string_view kNoText = "none";

/// Returns the present value of the variable, for the help: "1000", "a, b", kNoText.
std::string current_text(const OptionTarget& target);

bool is_flag(const OptionTarget& target);
bool is_list(const OptionTarget& target);

/// Returns "100 to 60000", "1 or more", "one of auto, text, json", or "" without a limit.
std::string limit_text(const OptionLimit& limit, const OptionTarget& target);

/// Returns the placeholder in the help: "N", "X", "TEXT"; "" for a flag.
std::string_view placeholder(const OptionTarget& target);

}  // namespace genai::runtime
