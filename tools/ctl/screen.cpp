#include "tools/ctl/screen.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/runtime/escape.h"
#include "tools/ctl/format.h"

namespace genai::ctl {
namespace {

using client::NodeInfo;
using client::Status;
using client::TaskInfo;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kSlotsShown = 16;

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

std::string state_of(const NodeInfo& node) {
  return cell(node.state, 16) + (node.drained ? ",drained" : "") +
         (node.probation_ms ? ",rests " + duration_text(node.probation_ms) : "");
}

/// "##--": busy and free slots; "##+1": one more is prefetched.
std::string slots_bar(const NodeInfo& node) {
  const auto slots = std::max<std::uint64_t>(node.slots, 1);
  const auto shown = std::min<std::size_t>(slots, kSlotsShown);
  const std::string full =
      bar(static_cast<double>(node.in_flight) / static_cast<double>(slots), shown);
  if (node.in_flight <= slots) return full;
  return fmt::format("{}+{}", full, node.in_flight - slots);
}

std::string store_warning(const client::Stats& stats) {
  if (stats.store_state == "low") return "   DISK NEARLY FULL: no new tasks";
  if (stats.store_state == "full") return "   DISK FULL: nothing can be written";
  return {};
}

/// With what its own metrics say of nodes, if it has told them.
std::string broker_text(const client::Stats::Broker& broker) {
  const auto metric = [&](const char* name) {
    const auto it = broker.metrics.find(name);
    return it == broker.metrics.end() ? 0 : it->second;
  };
  std::string text = broker.endpoint + " " + broker.state;
  if (!broker.metrics.empty())
    text += fmt::format(" ({:g} online, {:g} suspect, {:g} draining, {:g} lost so far)",
                        metric("nodes_online"), metric("nodes_suspect"), metric("nodes_draining"),
                        metric("lost_total"));
  return text;
}

std::vector<std::string> header(const View& view) {
  const client::Stats& s = view.stats;
  std::string brokers;
  for (const auto& broker : s.brokers) brokers += "  " + broker_text(broker);
  std::string held;
  if (s.calibrated_total)
    held = fmt::format("   estimates held {:.1f} % of {}", s.calibration * 100, s.calibrated_total);
  const std::string rate =
      view.completed_per_s ? fmt::format("{:.1f} completed/s   ", *view.completed_per_s) : "";
  std::string tasks;
  for (std::size_t i = 0; i < s.tasks.size(); ++i)
    tasks += fmt::format("{}{} {}", i ? "   " : "", name(static_cast<Status>(i)), s.tasks[i]);
  std::vector<std::string> lines{
      fmt::format("genai-dispatcher {}   epoch {}   up {}   store {}{}", view.endpoint, s.epoch,
                  duration_text(s.uptime_ms), s.store + store_warning(s),
                  s.draining ? "   DRAINING" : ""),
      tasks,
      fmt::format("{}accepted {}   delivered {}   requeued {}   results waiting {:.1f} MiB{}", rate,
                  s.accepted_total, s.delivered_total, s.requeued_total,
                  static_cast<double>(s.result_bytes) / (1 << 20), held),
      "brokers" + (brokers.empty() ? "  none" : brokers)};
  if (!view.trouble.empty()) lines.insert(lines.begin() + 1, "!! " + view.trouble);
  for (std::string& line : lines) line = runtime::escaped(line);
  return lines;
}

void append(std::vector<std::string>& lines, const std::string& title,
            const std::vector<std::string>& table, std::size_t total, std::size_t room) {
  if (table.size() <= 1 || room < 4) return;
  lines.push_back("");
  lines.push_back(fmt::format("{} ({})", title, total));
  const std::size_t rows = room - 2;
  const bool is_cut = table.size() > rows || total + 1 > table.size();  // with the table's head
  const std::size_t shown = std::min(table.size(), is_cut ? rows - 1 : rows);
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(table[i]);
  if (is_cut && total + 1 > shown)
    lines.push_back(fmt::format("... and {} more", total + 1 - shown));
}

/// Every counter and gauge, as many to a line as fit.
std::vector<std::string> metric_lines(const client::Stats& stats, std::size_t width) {
  std::vector<std::string> lines;
  for (const auto& [name, number] : stats.metrics) {
    const std::string shown = fmt::format("{} {:g}", cell(name, 64), number);
    if (lines.empty() || columns(lines.back()) + 3 + columns(shown) > width)
      lines.push_back(shown);
    else
      lines.back() += "   " + shown;
  }
  return lines;
}

std::vector<std::string> running_table(const std::vector<TaskInfo>& tasks) {
  Rows rows{{"TASK", "NODE", "PROGRESS", "AGE", "LABEL", "DOING"}};
  for (const TaskInfo& t : tasks)
    rows.push_back({cell(t.id, 64), cell(t.node_id, 24),
                    fmt::format("[{}] {:3.0f} %", bar(t.fraction, 12), t.fraction * 100),
                    duration_text(t.age_ms), cell(t.label, 32), cell(t.text, 40)});
  return table_lines(rows);
}

std::vector<std::string> waiting_table(const std::vector<TaskInfo>& tasks) {
  Rows rows{{"TASK", "AGE", "LABEL", "WAITS BECAUSE"}};
  for (const TaskInfo& t : tasks)
    rows.push_back(
        {cell(t.id, 64), duration_text(t.age_ms), cell(t.label, 32), cell(t.waiting, 100)});
  return table_lines(rows);
}

}  // namespace

std::vector<std::string> node_table(const std::vector<NodeInfo>& nodes, bool long_format) {
  Rows rows{{"NODE", "STATE", "SLOTS", "RUNS", "DONE", "FAILED", "LOST"}};
  if (long_format)
    for (const char* head :
         {"LOAD", "COST", "GIVEN", "GPU", "VRAM MiB", "RAM MiB", "CPUS", "LOADED"})
      rows[0].push_back(head);
  const bool trouble = std::ranges::any_of(nodes, [](const auto& n) { return !n.trouble.empty(); });
  if (trouble) rows[0].push_back("TROUBLE");
  rows[0].push_back("MODELS");
  for (const NodeInfo& n : nodes) {
    std::vector<std::string> row{cell(n.node_id, 32),
                                 state_of(n),
                                 slots_bar(n),
                                 std::to_string(n.in_flight),
                                 std::to_string(n.completed_total),
                                 std::to_string(n.failed_total),
                                 std::to_string(n.lost_total)};
    if (long_format)
      for (const std::string& text :
           {duration_text(n.load_ms), fmt::format("{:g}", n.min_cost),
            std::to_string(n.assigned_total), cell(n.gpu_type, 32), std::to_string(n.vram_mib),
            std::to_string(n.ram_mib), std::to_string(n.ncpu), cell(joined(n.loaded_models), 40)})
        row.push_back(text);
    if (trouble) row.push_back(cell(n.trouble, 60));
    row.push_back(cell(joined(n.models), 60));
    rows.push_back(std::move(row));
  }
  return table_lines(rows);
}

std::vector<std::string> measured_table(const std::vector<NodeInfo>& nodes) {
  Rows rows{{"NODE", "MODEL", "SIZE", "RUNS", "MEAN", "P50", "P95", "LOADING", "SUCCESS", "LOST"}};
  for (const NodeInfo& n : nodes)
    for (const NodeInfo::Measured& m : n.measured)
      rows.push_back({cell(n.node_id, 32), m.model.empty() ? "-" : cell(m.model, 40),
                      m.size ? std::to_string(m.size) : "-", fmt::format("{:.0f}", m.runs),
                      duration_text(m.run_mean_ms), duration_text(m.run_p50_ms),
                      duration_text(m.run_p95_ms), m.load_ms ? duration_text(m.load_ms) : "-",
                      fmt::format("{:.0f} %", m.success_ratio * 100), std::to_string(m.lost)});
  return table_lines(rows);
}

std::vector<std::string> tenant_table(const client::Stats& stats) {
  Rows rows{{"TENANT", "WEIGHT", "QUEUED", "RUNNING", "SECONDS USED"}};
  for (const client::Stats::Tenant& t : stats.tenants)
    rows.push_back({t.name.empty() ? "-" : cell(t.name, 40), fmt::format("{:g}", t.weight),
                    std::to_string(t.queued), std::to_string(t.running),
                    fmt::format("{:.1f}", t.seconds)});
  return table_lines(rows);
}

std::vector<std::string> screen_lines(const View& view, std::size_t width, std::size_t height) {
  std::vector<std::string> lines = header(view);
  const std::size_t room = height > lines.size() ? height - lines.size() : 0;
  append(lines, "Nodes", node_table(view.nodes, false), view.nodes.size(), room / 2);
  if (view.stats.tenants.size() > 1)
    append(lines, "Tenants", tenant_table(view.stats), view.stats.tenants.size(), room / 4);
  const auto left = [&] { return height > lines.size() ? height - lines.size() : 0; };
  const std::size_t assigned = view.stats.tasks[static_cast<std::size_t>(Status::kSent)];
  append(lines, "Running", running_table(view.running), assigned,
         view.waiting.empty() ? left() : std::max<std::size_t>(left() * 2 / 3, 4));
  append(lines, "Waiting", waiting_table(view.waiting),
         view.stats.tasks[static_cast<std::size_t>(Status::kUnscheduled)], left());
  // What nobody looks for first gets the room that is left.
  if (const auto metrics = metric_lines(view.stats, width); left() >= metrics.size() + 2) {
    lines.insert(lines.end(), {"", "Metrics"});
    lines.insert(lines.end(), metrics.begin(), metrics.end());
  }
  if (lines.size() > height) lines.resize(height);
  for (std::string& line : lines) line = clip(std::move(line), width);
  return lines;
}

}  // namespace genai::ctl
