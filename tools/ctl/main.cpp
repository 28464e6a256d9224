// genai-ctl: a person's (or a script's) way to the dispatcher.
#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <new>

#include "protocol/runtime/logging.h"
#include "protocol/runtime/startup.h"
#include "tools/ctl/keys.h"
#include "tools/ctl/prompts.h"
#include "tools/ctl/session.h"

namespace {

using namespace genai;
using namespace genai::ctl;

const std::map<std::string, int (*)(Session&)> kCommands = {{"submit", run_submit},
                                                            {"status", run_status},
                                                            {"explain", run_explain},
                                                            {"reprioritise", run_reprioritise},
                                                            {"watch", run_watch},
                                                            {"cancel", run_cancel},
                                                            {"fetch", run_fetch},
                                                            {"delete", run_delete},
                                                            {"list", run_list},
                                                            {"nodes", run_nodes},
                                                            {"top", run_top},
                                                            {"drain", run_drain},
                                                            {"failed list", run_failed_list},
                                                            {"failed show", run_failed_show},
                                                            {"failed replay", run_failed_replay},
                                                            {"failed purge", run_failed_purge}};

/// Waiting for results has no limit of its own, and a live screen must stay quick.
client::Millis timeout_of(const Options& options) {
  if (options.command == "submit" && options.submit.wait && !options.timeout_given)
    return client::kForever;
  if (options.command == "top" && !options.timeout_given) return client::Millis(2000);
  return options.timeout;
}

int run_command(Options& options) {
  if (options.command == "backup") return run_backup(options);
  if (options.command == "keygen" || options.command == "authorize" || options.command == "revoke")
    return run_keys(options);
  read_task_ids(options.tasks);
  // Who only watches leaves the results to the client that they are for.
  const bool acknowledge = options.command != "watch" || !options.out.empty();
  client::Client client(
      {options.dispatcher, timeout_of(options), acknowledge, options.key_file, options.server_key});
  Session session{options, client, {}};
  return kCommands.at(options.command)(session);
}

/// Whoever ends `genai-ctl list | head -1` has seen enough, and is told nothing.
int closed_stdout() { return 128 + SIGPIPE; }

int run(Options& options) {
  const int code = run_command(options);
  if (std::cout.flush() && std::fflush(stdout) == 0) return code;
  if (stdout_is_closed()) return closed_stdout();
  complain("cannot write to stdout");
  return runtime::kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  runtime::prepare_process(runtime::Role::kTool);
  Options options;
  if (const auto exit_code = parse_options(argc, argv, options)) return *exit_code;
  runtime::init_logging("genai-ctl", options.log_level, options.log_format);
  try {
    return run(options);
  } catch (const InputError& error) {
    complain(error.what());
    return runtime::kExitUsage;
  } catch (const client::ClientError& error) {
    const bool timeout = error.code() == client::Errc::kTimeout;
    complain(timeout ? error.what() : std::string(name(error.code())) + ": " + error.what());
    return runtime::kExitFailure;
  } catch (const std::bad_alloc&) {
    complain("out of memory");
    return runtime::kExitFailure;
  } catch (const std::exception& error) {
    if (stdout_is_closed()) return closed_stdout();
    complain(error.what());
    return runtime::kExitFailure;
  }
}
