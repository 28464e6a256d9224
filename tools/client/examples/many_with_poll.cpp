// Submits a task for each argument, and prints each result as soon as it comes: one thread, one
// connection, and nothing that blocks but poll().
//
//   many_with_poll ENDPOINT PROMPT...
#include <genai/client/session.h>
#include <poll.h>

#include <cstdio>
#include <map>

using namespace genai::client;

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  try {
    Session session({.endpoint = argv[1]});
    std::map<std::string, std::string> prompts;  // by task id
    bool good = true;

    TaskCallbacks callbacks;
    callbacks.verdict = [&](const Verdict& verdict) {
      if (verdict.ok()) std::printf("accepted: %s\n", prompts[verdict.id].c_str());
    };
    callbacks.update = [&](const TaskUpdate& update) {
      if (!update.text.empty())
        std::printf("%3.0f %% %s: %s\n", 100 * update.fraction, prompts[update.id].c_str(),
                    update.text.c_str());
    };
    callbacks.result = [&](const TaskResult& result) {
      const bool done = result.status == Status::kCompleted;
      std::printf("%s -> %s\n", prompts[result.id].c_str(),
                  done ? result.data.str().c_str() : name(result.code));
      good = good && done;
      if (!result.refused) session.acknowledge({result.id});
    };

    for (int i = 2; i < argc; ++i) {
      TaskRequest request;
      request.payload = argv[i];
      const std::string id = session.submit(request, callbacks, Watch::kProgress).value();
      prompts[id] = argv[i];
    }
    while (session.open_tasks() > 0) {
      pollfd wait{session.fd(), POLLIN, 0};
      poll(&wait, 1, -1);
      session.process();
    }
    return good ? 0 : 1;
  } catch (const ClientError& error) {
    std::fprintf(stderr, "%s: %s\n", name(error.code()), error.what());
    return 1;
  }
}
