// The screen of `genai-ctl top` as lines of text: pure, for any size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "genai/client.h"

namespace genai::ctl {

/// One look at a dispatcher.
struct View {
  std::string endpoint;
  std::string trouble;  // why there is nothing newer; empty: all is well
  client::Stats stats;
  std::optional<double> completed_per_s;  // from the second look on
  std::vector<client::NodeInfo> nodes;
  std::vector<client::TaskInfo> running, waiting;  // the oldest first
};

/// At most `height` lines of at most `width` columns. Nodes get up to half of the room.
std::vector<std::string> screen_lines(const View& view, std::size_t width, std::size_t height);

/// A table of nodes; `long_format`: with hardware and all counters.
std::vector<std::string> node_table(const std::vector<client::NodeInfo>& nodes, bool long_format);

/// What was measured of them, a line for each model and size; only a head if there is nothing.
std::vector<std::string> measured_table(const std::vector<client::NodeInfo>& nodes);

}  // namespace genai::ctl
