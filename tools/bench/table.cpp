#include "tools/bench/table.h"

#include <fmt/format.h>

#include <cmath>

namespace genai::bench {

std::string Table::head() const {
  std::string rule = "|";
  for (std::size_t i = 0; i < headings_.size(); ++i)
    rule += fmt::format(" {:-<{}}{} |", "", headings_[i].size() - (i > 0), i > 0 ? ":" : "");
  return row(headings_) + rule + "\n";
}

std::string Table::row(const std::vector<std::string>& cells) const {
  std::string line = "|";
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    const std::size_t width = headings_[i].size();
    line += i == 0 ? fmt::format(" {:<{}} |", cells.at(i), width)
                   : fmt::format(" {:>{}} |", cells.at(i), width);
  }
  return line + "\n";
}

std::string cell(double value, int decimals) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, decimals);
}

}  // namespace genai::bench
