// genai-ctl top
#include <curses.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/ctl/json.h"
#include "tools/ctl/screen.h"
#include "tools/ctl/session.h"
#include "tools/ctl/terminal.h"

namespace genai::ctl {
namespace {

using client::Status;

constexpr std::size_t kTasksShown = 100;
constexpr std::size_t kOnceWidth = 200, kOnceHeight = 200;

/// The terminal in curses' hands; given back whatever ends the program.
class Terminal {
 public:
  Terminal() {
    // Borders and labels are UTF-8, whatever the shell says.
    if (!std::setlocale(LC_ALL, "") || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    screen_ = newterm(nullptr, stdout, stdin);
    if (!screen_) throw std::runtime_error("this terminal is not known here: use top --once");
    cbreak();
    noecho();
    curs_set(0);
  }
  ~Terminal() {
    endwin();
    delscreen(screen_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void show(const std::vector<std::string>& lines) {
    erase();
    for (std::size_t i = 0; i < lines.size(); ++i)
      mvaddstr(static_cast<int>(i), 0, lines[i].c_str());
    refresh();
  }
  /// Waits for a key. False when the user wants to quit, or has closed the terminal.
  bool wait(int milliseconds) {
    pollfd ends[2] = {{STDOUT_FILENO, 0, 0}, {keys_end_ ? -1 : STDIN_FILENO, POLLIN, 0}};
    poll(ends, 2, milliseconds);
    if (ends[0].revents != 0) return false;
    // Also without a key: that is how curses notices another size.
    timeout(0);
    const int key = getch();
    // An end of file can be read for ever, and is no key.
    keys_end_ |= ends[1].revents != 0 && key == ERR;
    return key != 'q' && key != 'Q';
  }
  std::size_t width() const { return static_cast<std::size_t>(getmaxx(stdscr)); }
  std::size_t height() const { return static_cast<std::size_t>(getmaxy(stdscr)); }

 private:
  SCREEN* screen_ = nullptr;
  bool keys_end_ = false;  // nobody can press one: `top < /dev/null`
};

/// Looks again and again, and works out rates from one look to the next.
class Watcher {
 public:
  explicit Watcher(Session& session) : session_(session) {
    view_.endpoint = session.options.dispatcher;
  }

  /// Throws ClientError only when nothing was ever seen.
  const View& look() {
    try {
      take();
      view_.trouble.clear();
    } catch (const client::ClientError& error) {
      if (looks_ == 0) throw;
      view_.trouble = error.what();
    }
    return view_;
  }

 private:
  void take() {
    client::Client& client = session_.client;
    const client::Stats stats = client.stats();
    view_.nodes = client.nodes();
    view_.running = oldest_first(client.list(Status::kSent, kTasksShown));
    view_.waiting = oldest_first(client.list(Status::kUnscheduled, kTasksShown));
    const auto completed = [](const client::Stats& s) {
      return static_cast<double>(s.tasks[static_cast<std::size_t>(Status::kCompleted)]);
    };
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - looked_at_).count();
    if (looks_ > 0 && seconds > 0)  // forgotten histories let the count shrink
      view_.completed_per_s = std::max(0.0, (completed(stats) - completed(view_.stats)) / seconds);
    view_.stats = stats;
    looked_at_ = now;
    ++looks_;
  }
  static std::vector<client::TaskInfo> oldest_first(std::vector<client::TaskInfo> tasks) {
    std::ranges::stable_sort(tasks, std::greater<>(), &client::TaskInfo::age_ms);
    return tasks;
  }

  Session& session_;
  View view_;
  Clock::time_point looked_at_{};
  std::size_t looks_ = 0;
};

Json to_json(const View& view) {
  Json json{{"stats", ctl::to_json(view.stats)},
            {"nodes", Json::array()},
            {"running", Json::array()},
            {"waiting", Json::array()}};
  for (const auto& node : view.nodes) json["nodes"].push_back(ctl::to_json(node));
  for (const auto& task : view.running) json["running"].push_back(ctl::to_json(task));
  for (const auto& task : view.waiting) json["waiting"].push_back(ctl::to_json(task));
  return json;
}

}  // namespace

int run_top(Session& session) {
  const Options& options = session.options;
  Watcher watcher(session);
  if (options.once || options.json || !can_redraw(STDOUT_FILENO)) {
    const View& view = watcher.look();
    if (options.json)
      print(to_json(view));
    else
      for (const std::string& line : screen_lines(view, kOnceWidth, kOnceHeight))
        fmt::print("{}\n", line);
    return runtime::kExitOk;
  }
  const View* view = &watcher.look();  // before the screen is taken, so that an error stays visible
  session.catch_signals();
  Terminal terminal;
  for (;;) {
    terminal.show(screen_lines(*view, terminal.width(), terminal.height()));
    const auto again = Clock::now() + std::chrono::milliseconds(options.interval_ms);
    while (Clock::now() < again) {
      if (session.interrupted() || !terminal.wait(100)) return runtime::kExitOk;
      terminal.show(screen_lines(*view, terminal.width(), terminal.height()));
    }
    view = &watcher.look();
  }
}

}  // namespace genai::ctl
