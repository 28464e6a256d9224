// A Markdown table, written row by row while the measurement goes on.
#pragma once

#include <string>
#include <vector>

namespace genai::bench {

/// The first column is left-aligned, the others are right-aligned; each is as wide as its heading.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  /// Two lines, each with its end.
  std::string head() const;
  /// One line with its end; a cell for each heading. A longer cell makes its row wider.
  std::string row(const std::vector<std::string>& cells) const;

 private:
  const std::vector<std::string> headings_;
};

/// `value` with so many decimals, or "-" when nothing was measured.
std::string cell(double value, int decimals);

}  // namespace genai::bench
