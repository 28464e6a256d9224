#include "tools/ctl/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "protocol/base/limits.h"
#include "protocol/runtime/state_dir.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/keys.h"

namespace genai::ctl {
namespace {

using runtime::OptionProblem;
using runtime::Range;

/// An empty value is what a script gives when its variable is not set: it would count as not given.
std::string refuse_empty(const std::string& text) {
  return text.empty() ? "must not be empty" : "";
}

void declare_out(CLI::App& cmd, Options& o, const char* doc) {
  cmd.add_option("--out", o.out, doc)->check(refuse_empty);
  cmd.add_option("--suffix", o.suffix, "Of the files in --out, such as .png");
}

/// Described in --help as the common options are.
template <class T>
CLI::Validator range(T least, T most) {
  return CLI::Range(least, most).description(fmt::format("{} to {}", least, most));
}

CLI::Validator priority() { return range(std::uint32_t{0}, std::uint32_t{limits::kMaxPriority}); }

CLI::Validator not_negative() {
  const auto check = [](std::string& text) {
    double number = 0;
    const bool ok = CLI::detail::lexical_cast(text, number) && std::isfinite(number) && number >= 0;
    return ok ? std::string() : fmt::format("must be a number of 0 or more, not '{}'", text);
  };
  return CLI::Validator("0 or more").operation(check);
}

/// The common options take N and X likewise.
void name_values(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    name_values(*command);
    for (CLI::Option* option : command->get_options()) {
      const std::string type = option->get_type_name();
      if (type.starts_with("UINT") || type.starts_with("INT")) option->type_name("N");
      if (type.starts_with("FLOAT")) option->type_name("X");
    }
  }
}

void declare_pages(CLI::App& cmd, Options& o) {
  auto* limit = cmd.add_option("--limit", o.limit, "At most so many (default: 100)")
                    ->check(range(std::uint64_t{1}, std::uint64_t{UINT32_MAX}));
  cmd.add_flag("--all", o.all, "All of them")->excludes(limit);
  cmd.add_option("--after", o.after, "Only those behind this task id");
}

void declare_submit(CLI::App& app, Options& options) {
  SubmitOptions& o = options.submit;
  const auto seconds = range(std::uint64_t{1}, limits::kMaxTtlMs / 1000);
  const auto count = range(std::uint64_t{0}, std::uint64_t{UINT32_MAX});
  auto& cmd = *app.add_subcommand("submit", "Submit tasks; with --wait or --out wait for them");
  cmd.add_option("prompt", o.prompt, "The payload, as text");
  cmd.add_option("--file", o.file, "The payload is this file")->check(refuse_empty);
  cmd.add_flag("--stdin", o.from_stdin, "The payload is what comes on stdin");
  cmd.add_option("--lines", o.lines,
                 "A task for each line of this file that is not blank ('-': stdin)")
      ->check(refuse_empty);
  cmd.add_flag("--comments", o.comments, "Lines of --lines that begin with '#' are no tasks");
  cmd.add_option("--jsonl", o.jsonl,
                 "A task for each line, a JSON object: prompt or "
                 "payload_base64, id, model, params, ... ('-': stdin)")
      ->check(refuse_empty);
  cmd.add_option("--id", o.id, "The task's id (default: a new UUIDv7)")->check(refuse_empty);
  cmd.add_option("--model", o.model, "Only nodes that have this model")->check(refuse_empty);
  cmd.add_option("--gpu-type", o.gpu_type, "Only nodes with this GPU")->check(refuse_empty);
  cmd.add_option("--ncpu", o.ncpu, "Only nodes with so many CPUs")->check(count);
  cmd.add_option("--ram-mib", o.ram_mib, "Only nodes with so much memory")->check(count);
  cmd.add_option("--vram-mib", o.vram_mib, "Only nodes with so much GPU memory")->check(count);
  cmd.add_option("--ttl-s", o.ttl_s,
                 "Time until the task must have ended (default: " +
                     std::to_string(limits::kDefaultTtlMs / 1000) + ")")
      ->check(seconds);
  cmd.add_option("--time-limit-s", o.time_limit_s, "Time limit of one execution")->check(seconds);
  cmd.add_option("--max-attempts", o.max_attempts, "Error results before it is Failed")
      ->check(range(std::uint32_t{1}, limits::kMaxAttempts));
  cmd.add_option("--tenant", o.tenant, "Whom its time is charged to")->check(refuse_empty);
  cmd.add_option("--priority", o.priority, "0 to 9, the highest first (default: 5)")
      ->check(priority());
  cmd.add_option("--start-in-s", o.start_in_s,
                 "Not to be started before so many seconds from its acceptance")
      ->check(seconds);
  cmd.add_option("--deadline-in-s", o.deadline_in_s,
                 "Failed unless it has ended so many seconds from its acceptance")
      ->check(seconds);
  cmd.add_option("--max-cost", o.max_cost, "Only nodes that ask for no more")
      ->check(not_negative());
  cmd.add_option("--time-to-money-ratio", o.time_to_money_ratio,
                 "What a second is worth; 0: the cheapest node (default: the fastest)")
      ->check(not_negative());
  cmd.add_option("--work", o.work, "How much there is to do, against other tasks of the model")
      ->check(not_negative());
  cmd.add_option("--param", o.params, "K=V for the node's program (repeatable)")
      ->allow_extra_args(false);  // what follows K=V is the prompt
  cmd.add_option("--label", o.label, "A name for people (default: the prompt)")
      ->check(refuse_empty);
  cmd.add_flag("--wait", o.wait,
               "Wait for the results: a single one goes to stdout, several stay for watch --out");
  declare_out(cmd, options, "Wait and write each result to DIR/<task_id><suffix>");
}

void declare_failed(CLI::App& app, Options& o) {
  auto& failed = *app.add_subcommand("failed", "Tasks that used up their attempts or time");
  failed.require_subcommand(1);
  declare_pages(*failed.add_subcommand("list", "List them in the order of their ids"), o);
  auto& show = *failed.add_subcommand("show", "What became of them, and why");
  show.add_option("task", o.tasks, "Task ids ('-': one on each line of stdin)")->required();
  auto& replay = *failed.add_subcommand(
      "replay", "Submit their content again under new ids; the Failed ones stay until purged");
  replay.add_option("task", o.tasks, "Task ids ('-': one on each line of stdin)");
  replay.add_flag("--all", o.all, "All that are Failed now");
  auto& purge = *failed.add_subcommand("purge", "Forget them, with payload and log");
  purge.add_option("task", o.tasks, "Task ids ('-': one on each line of stdin)");
  purge.add_flag("--all", o.all, "All that are Failed now; needs --yes");
  purge.add_flag("--yes", o.yes, "Really all");
}

void declare_backup(CLI::App& app, Options& o) {
  auto& cmd = *app.add_subcommand("backup", "Copy the store of a dispatcher on this machine");
  cmd.add_option("file", o.file, "The copy; restored by putting it in place of DIR/tasks.db")
      ->required();
  cmd.add_option("--data-dir", o.data_dir,
                 "The dispatcher's --data-dir (default: " + o.data_dir + ")");
  cmd.add_flag("--force", o.force, "Replace a file that exists");
}

void declare_keys(CLI::App& app, KeyOptions& o) {
  auto& keygen = *app.add_subcommand("keygen", "Make a key: FILE is the secret, FILE.pub is not");
  keygen.add_option("file", o.file, "The key file, which must not exist")->required();
  auto& authorize = *app.add_subcommand("authorize", "Let a key connect: as a node, client, ...");
  auto& revoke = *app.add_subcommand("revoke", "Let it connect no more, and end what it has");
  for (CLI::App* command : {&authorize, &revoke}) {
    command->add_option("folder", o.folder, "The daemon's --authorized-keys")->required();
    command->add_option("key", o.key, "The public key, or its file")->required();
  }
  auto* node = authorize.add_option("--node", o.node, "The node id that it is good for");
  authorize.add_option("--tenant", o.tenant, "The tenant that it is good for, with --roles");
  auto* roles =
      authorize
          .add_option("--roles", o.roles, "Of a client: submit, watch (its tenant's tasks), admin")
          ->delimiter(',')
          ->check(CLI::IsMember({"submit", "watch", "admin"}));
  auto* dispatcher = authorize.add_flag("--dispatcher", o.is_dispatcher, "It is a dispatcher's");
  node->excludes(roles)->excludes(dispatcher);
  roles->excludes(dispatcher);
}

void declare_commands(CLI::App& app, Options& o) {
  app.require_subcommand(0, 1);
  declare_submit(app, o);
  const auto with_tasks = [&](const char* name, const char* doc) {
    auto* cmd = app.add_subcommand(name, doc);
    cmd->add_option("task", o.tasks, "Task ids ('-': one on each line of stdin)")->required();
    return cmd;
  };
  with_tasks("status", "What became of tasks, and why");
  with_tasks("explain", "Why a task waits, or where it went and why there");
  with_tasks("reprioritise", "Change the priority of tasks that wait")
      ->add_option("--priority", o.priority, "0 to 9, the highest first")
      ->required()
      ->check(priority());
  declare_out(*with_tasks("watch", "Follow tasks until they have ended"), o,
              "Take each result and write it to DIR/<task_id><suffix>; without it results stay");
  with_tasks("cancel", "Cancel tasks, queued or running");
  auto& list = *app.add_subcommand("list", "List tasks in the order of their ids");
  list.add_option("--status", o.status, "Only tasks of this status");
  declare_pages(list, o);
  declare_failed(app, o);
  declare_backup(app, o);
  declare_keys(app, o.keys);
  auto& nodes = *app.add_subcommand("nodes", "List the connected nodes");
  nodes.add_flag("--long", o.long_format,
                 "With their hardware, all counters and what was measured");
  auto& top = *app.add_subcommand(
      "top", "Watch the fleet live; q quits. Not on a terminal: as with --once");
  top.add_option("--interval-ms", o.interval_ms, "Time between two looks")
      ->check(range(100, 60'000));
  top.add_flag("--once", o.once, "Print one screen and exit");
  auto& drain = *app.add_subcommand("drain", "Give a node no more work");
  drain.add_option("node", o.node, "The node's id");
  drain.add_flag("--all", o.all, "The dispatcher takes no new tasks");
  drain.add_flag("--off", o.off, "End the drain");
}

std::optional<OptionProblem> validate(const Options& o) {
  if (auto what =
          transport::connect_problem(o.dispatcher, !o.server_key.empty(), o.insecure, "server-key"))
    return OptionProblem{{"dispatcher"}, *what};
  if (auto curve = transport::curve_client(o.key_file, o.server_key); !curve)
    return OptionProblem{{"key-file", "server-key"}, curve.error().detail};
  return std::nullopt;
}

/// What CLI11 cannot say: which arguments go together.
std::string usage_problem(const Options& o) {
  if (o.command.empty()) return "a command is missing";
  if (o.command == "submit") {
    const SubmitOptions& s = o.submit;
    const int sources =
        !s.prompt.empty() + !s.file.empty() + !s.lines.empty() + !s.jsonl.empty() + s.from_stdin;
    if (sources != 1) return "submit: give one of PROMPT, --file, --stdin, --lines, --jsonl";
    if (!s.id.empty() && (!s.lines.empty() || !s.jsonl.empty()))
      return "submit: --id is for a single task";
    if (s.comments && s.lines.empty()) return "submit: --comments is for --lines";
  }
  if (!o.suffix.empty() && o.out.empty()) return o.command + ": --suffix is for --out";
  if (o.command == "failed replay" || o.command == "failed purge") {
    if (o.tasks.empty() != o.all) return o.command + ": give either tasks or --all";
    if (o.command == "failed purge" && o.all && !o.yes)
      return "failed purge: --all forgets every Failed task: add --yes";
  }
  if (o.command == "authorize") {
    const bool client = !o.keys.roles.empty();
    if (o.keys.node.empty() + !o.keys.is_dispatcher + !client != 2)
      return "authorize: give one of --node, --roles, --dispatcher";
    if (client != !o.keys.tenant.empty() && o.keys.roles != std::vector<std::string>{"admin"})
      return "authorize: --tenant and --roles go together; only admin needs no tenant";
  }
  if (o.command == "drain" && o.node.empty() != o.all) return "drain: give either a node or --all";
  return {};
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  runtime::Options parser("genai-ctl", "Submits tasks to a dispatcher and shows what it does.");
  parser.add("dispatcher", options.dispatcher, "The dispatcher's endpoint for clients");
  parser.add("key-file", options.key_file, "Our secret key (genai-ctl keygen)");
  parser.add("server-key", options.server_key,
             "The dispatcher's public key, or its file: connect to no other, encrypted");
  parser.add("insecure", options.insecure,
             "Connect to a dispatcher on another machine although nothing is encrypted");
  parser.add("timeout-s", options.timeout,
             "How long to wait for an answer; with submit --wait and watch: for the results, there "
             "without a limit by default",
             Range(1, 7 * 24 * 3600));
  parser.add("json", options.json, "Print JSON, one object a line");
  options.data_dir = runtime::default_state_dir("genai-dispatcher");
  declare_commands(parser.app(), options);
  name_values(parser.app());
  parser.on_validate([&] { return validate(options); });
  if (const auto exit_code = parser.parse(argc, argv)) return exit_code;
  for (const CLI::App* command : parser.app().get_subcommands()) {
    options.command = command->get_name();
    for (const CLI::App* within : command->get_subcommands())
      options.command += " " + within->get_name();
  }
  if (!options.out.empty()) options.submit.wait = true;
  options.timeout_given = parser.is_given("timeout-s");
  options.log_level = parser.log_level();
  options.log_format = parser.log_format();
  if (const std::string problem = usage_problem(options); !problem.empty()) {
    std::cerr << "genai-ctl: " << problem << " (see genai-ctl " << options.command
              << (options.command.empty() ? "--help)\n" : " --help)\n");
    return runtime::kExitUsage;
  }
  return std::nullopt;
}

}  // namespace genai::ctl
