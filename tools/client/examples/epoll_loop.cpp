// A program with an event loop of its own, here epoll: it reads prompts from stdin, a line each,
// while results come. "cancel" cancels what is open.
//
//   epoll_loop ENDPOINT
#include <genai/client/session.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <string>

using namespace genai::client;

namespace {

class Program {
 public:
  explicit Program(const char* endpoint) : session_({.endpoint = endpoint}) {}

  int run() {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    add(epoll, STDIN_FILENO);
    add(epoll, session_.fd());
    while (reads_ || !open_.empty()) {
      epoll_event event{};
      if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
      if (event.data.fd != STDIN_FILENO)
        session_.process();
      else if (!read_lines())
        epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, nullptr);
    }
    session_.process();  // sends the last acknowledgement
    close(epoll);
    return 0;
  }

 private:
  static void add(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }

  bool read_lines() {
    char bytes[4096];
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got <= 0) return reads_ = false;
    input_.append(bytes, static_cast<std::size_t>(got));
    for (std::size_t end; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1))
      take(input_.substr(0, end));
    return true;
  }

  void take(const std::string& line) {
    if (line == "cancel")
      return session_.cancel({open_.begin(), open_.end()},
                             [](const Answer<std::vector<Verdict>>& verdicts) {
                               if (!verdicts) say(name(verdicts.failure().code));
                             });
    TaskRequest request;
    request.payload = line;
    const auto id = session_.submit(request, [this](const TaskResult& result) { show(result); });
    if (id)
      open_.insert(*id);
    else
      say(name(id.failure().code));
  }

  void show(const TaskResult& result) {
    const bool done = result.status == Status::kCompleted;
    say(done ? result.data.str() : std::string(name(result.status)) + ": " + name(result.code));
    session_.acknowledge({result.id});
    open_.erase(result.id);
  }

  static void say(const std::string& text) {
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
  }

  Session session_;
  std::set<std::string> open_;
  std::string input_;
  bool reads_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    return Program(argv[1]).run();
  } catch (const ClientError& error) {
    std::fprintf(stderr, "%s: %s\n", name(error.code()), error.what());
    return 1;
  }
}
