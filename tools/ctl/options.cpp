#include "tools/ctl/options.h"

#include <fmt/format.h>

#include "protocol/base/limits.h"
#include "protocol/runtime/state_dir.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/keys.h"

namespace genai::ctl {
namespace {

using runtime::Choices;
using runtime::Command;
using runtime::Milliseconds;
using runtime::NotEmpty;
using runtime::OptionProblem;
using runtime::Range;

const Range kSeconds(1, limits::kMaxTtlMs / 1000);
const Range kAmount(0, UINT32_MAX);
const Range kPriorities(0, limits::kMaxPriority);
const Range kNotNegative = Range::at_least(0);

void declare_out(const Command& cmd, Options& o, const char* doc) {
  cmd.option("out", o.out, doc, NotEmpty());
  cmd.option("suffix", o.suffix,
             "Of the files in --out, such as .png (default: the one that belongs to each)");
  cmd.option("overwrite", o.overwrite,
             "Replace files of these names in --out (default: new ones get other names)");
}

void declare_pages(const Command& cmd, Options& o) {
  const auto limit =
      cmd.option("limit", o.limit, "At most so many (default: 100)", Range(1, UINT32_MAX));
  cmd.option("all", o.all, "All of them").excludes(limit);
  cmd.option("after", o.after, "Only those behind this task id");
}

void declare_submit(const Command& app, Options& options) {
  SubmitOptions& o = options.submit;
  client::TaskRequest& task = o.task;
  const Command cmd = app.subcommand("submit", "Submit tasks; with --wait or --out wait for them");
  cmd.argument("prompt", o.prompt, "The payload, as text");
  cmd.option("file", o.file, "The payload is this file", NotEmpty());
  cmd.option("stdin", o.from_stdin, "The payload is what comes on stdin");
  cmd.option("lines", o.lines, "A task for each line of this file that is not blank ('-': stdin)",
             NotEmpty());
  cmd.option("comments", o.comments, "Lines of --lines that begin with '#' are no tasks");
  cmd.option("jsonl", o.jsonl,
             "A task for each line, a JSON object: prompt or "
             "payload_base64, id, model, params, ... ('-': stdin)",
             NotEmpty());
  cmd.option("id", task.id, "The task's id (default: a new UUIDv7)", NotEmpty());
  cmd.option("model", task.model, "Only nodes that have this model", NotEmpty());
  cmd.option("gpu-type", task.gpu_type, "Only nodes with this GPU", NotEmpty());
  cmd.option("ncpu", task.ncpu, "Only nodes with so many CPUs", kAmount);
  cmd.option("ram-mib", task.ram_mib, "Only nodes with so much memory", kAmount);
  cmd.option("vram-mib", task.vram_mib, "Only nodes with so much GPU memory", kAmount);
  cmd.option("ttl-s", Milliseconds{task.ttl_ms},
             "Time until the task must have ended (default: " +
                 std::to_string(limits::kDefaultTtlMs / 1000) + ")",
             kSeconds);
  cmd.option("time-limit-s", Milliseconds{task.time_limit_ms}, "Time limit of one execution",
             kSeconds);
  cmd.option("max-attempts", task.max_attempts, "Error results before it is Failed",
             Range(1, limits::kMaxAttempts));
  cmd.option("tenant", task.tenant, "Whom its time is charged to", NotEmpty());
  cmd.option("priority", task.priority, "0 to 9, the highest first (default: 5)", kPriorities);
  cmd.option("start-in-s", Milliseconds{task.start_in_ms},
             "Not to be started before so many seconds from its acceptance", kSeconds);
  cmd.option("deadline-in-s", Milliseconds{task.deadline_in_ms},
             "Failed unless it has ended so many seconds from its acceptance", kSeconds);
  cmd.option("max-cost", task.max_cost, "Only nodes that ask for no more", kNotNegative);
  cmd.option("time-to-money-ratio", task.time_to_money_ratio,
             "What a second is worth; 0: the cheapest node (default: the fastest)", kNotNegative);
  cmd.option("work", task.work, "How much there is to do, against other tasks of the model",
             kNotNegative);
  cmd.option("param", o.params, "K=V for the node's program");
  cmd.option("label", task.label, "A name for people (default: the prompt)", NotEmpty());
  cmd.option("wait", o.wait,
             "Wait for the results: a single one goes to stdout, several stay for watch --out");
  declare_out(
      cmd, options,
      "Wait and write each result to DIR/<task_id><suffix>, several files to DIR/<task_id>/");
}

void declare_failed(const Command& app, Options& o) {
  const Command failed = app.subcommand("failed", "Tasks that used up their attempts or time");
  failed.require_subcommand();
  declare_pages(failed.subcommand("list", "List them in the order of their ids"), o);
  const Command show = failed.subcommand("show", "What became of them, and why");
  show.argument("task", o.tasks, "Task ids ('-': one on each line of stdin)").required();
  const Command replay = failed.subcommand(
      "replay", "Submit their content again under new ids; the Failed ones stay until purged");
  replay.argument("task", o.tasks, "Task ids ('-': one on each line of stdin)");
  replay.option("all", o.all, "All that are Failed now");
  const Command purge = failed.subcommand("purge", "Forget them, with payload and log");
  purge.argument("task", o.tasks, "Task ids ('-': one on each line of stdin)");
  purge.option("all", o.all, "All that are Failed now; needs --yes");
  purge.option("yes", o.yes, "Really all");
}

void declare_backup(const Command& app, Options& o) {
  const Command cmd = app.subcommand("backup", "Copy the store of a dispatcher on this machine");
  cmd.argument(
         "file", o.file,
         "The copy; restored by putting it in place of DIR/tasks.db, and FILE.segments, if it is "
         "there, in place of DIR/segments")
      .required();
  cmd.option("data-dir", o.data_dir, "The dispatcher's --data-dir (default: " + o.data_dir + ")");
  cmd.option("force", o.force, "Replace a file that exists");
}

void declare_keys(const Command& app, KeyOptions& o) {
  const Command keygen =
      app.subcommand("keygen", "Make a key: FILE is the secret, FILE.pub is not");
  keygen.argument("file", o.file, "The key file, which must not exist").required();
  const Command authorize =
      app.subcommand("authorize", "Let a key connect: as a node, client, ...");
  const Command revoke = app.subcommand("revoke", "Let it connect no more, and end what it has");
  for (const Command& command : {authorize, revoke}) {
    command.argument("folder", o.folder, "The daemon's --authorized-keys").required();
    command.argument("key", o.key, "The public key, or its file").required();
  }
  const auto node = authorize.option("node", o.node, "The node id that it is good for");
  authorize.option("tenant", o.tenant, "The tenant that it is good for, with --roles");
  const auto roles =
      authorize.option("roles", o.roles, "Of a client: submit, watch (its tenant's tasks), admin",
                       Choices{{"submit", "watch", "admin"}});
  const auto dispatcher = authorize.option("dispatcher", o.is_dispatcher, "It is a dispatcher's");
  node.excludes(roles).excludes(dispatcher);
  roles.excludes(dispatcher);
}

void declare_commands(const Command& app, Options& o) {
  declare_submit(app, o);
  const auto with_tasks = [&](const char* name, const char* doc) {
    const Command cmd = app.subcommand(name, doc);
    cmd.argument("task", o.tasks, "Task ids ('-': one on each line of stdin)").required();
    return cmd;
  };
  with_tasks("status", "What became of tasks, and why");
  with_tasks("explain", "Why a task waits, or where it went and why there");
  with_tasks("reprioritise", "Change the priority of tasks that wait")
      .option("priority", o.priority, "0 to 9, the highest first", kPriorities)
      .required();
  declare_out(with_tasks("watch", "Follow tasks until they have ended"), o,
              "Take each result and write it to DIR/<task_id><suffix>, several files to "
              "DIR/<task_id>/; without it results stay");
  const Command fetch = with_tasks("fetch", "Read results without taking them away");
  declare_out(fetch, o,
              "Write each to DIR/<task_id><suffix>, several files to DIR/<task_id>/ (default: to "
              "stdout)");
  with_tasks("delete", "Forget tasks that have ended, with their results and logs");
  with_tasks("cancel", "Cancel tasks, queued or running");
  const Command list = app.subcommand("list", "List tasks in the order of their ids");
  list.option("status", o.status, "Only tasks of this status");
  declare_pages(list, o);
  declare_failed(app, o);
  declare_backup(app, o);
  declare_keys(app, o.keys);
  const Command nodes = app.subcommand("nodes", "List the connected nodes");
  nodes.option("long", o.long_format, "With their hardware, all counters and what was measured");
  const Command top =
      app.subcommand("top", "Watch the fleet live; q quits. Not on a terminal: as with --once");
  top.option("interval-ms", o.interval_ms, "Time between two looks", Range(100, 60'000));
  top.option("once", o.once, "Print one screen and exit");
  const Command drain = app.subcommand("drain", "Give a node no more work");
  drain.argument("node", o.node, "The node's id");
  drain.option("all", o.all, "The dispatcher takes no new tasks");
  drain.option("off", o.off, "End the drain");
}

std::optional<OptionProblem> validate(const Options& o) {
  if (auto what =
          transport::connect_problem(o.dispatcher, !o.server_key.empty(), o.insecure, "server-key"))
    return OptionProblem{{"dispatcher"}, *what};
  if (auto curve = transport::curve_client(o.key_file, o.server_key); !curve)
    return OptionProblem{{"key-file", "server-key"}, curve.error().detail};
  return std::nullopt;
}

/// What no declaration says: which arguments go together.
std::string usage_problem(const Options& o) {
  if (o.command.empty()) return "a command is missing";
  if (o.command == "submit") {
    const SubmitOptions& s = o.submit;
    const int sources =
        !s.prompt.empty() + !s.file.empty() + !s.lines.empty() + !s.jsonl.empty() + s.from_stdin;
    if (sources != 1) return "submit: give one of PROMPT, --file, --stdin, --lines, --jsonl";
    if (!s.task.id.empty() && (!s.lines.empty() || !s.jsonl.empty()))
      return "submit: --id is for a single task";
    if (s.comments && s.lines.empty()) return "submit: --comments is for --lines";
  }
  if (o.command == "fetch" && o.out.empty() && o.tasks.size() > 1)
    return "fetch: several results need --out";
  if (!o.suffix.empty() && o.out.empty()) return o.command + ": --suffix is for --out";
  if (o.overwrite && o.out.empty()) return o.command + ": --overwrite is for --out";
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
  declare_commands(parser.command_line().program(), options);
  parser.on_validate([&] { return validate(options); });
  if (const auto exit_code = parser.parse(argc, argv)) return exit_code;
  options.command = parser.command_line().given_command();
  if (!options.out.empty()) options.submit.wait = true;
  options.timeout_given = parser.is_given("timeout-s");
  options.log_level = parser.log_level();
  options.log_format = parser.log_format();
  if (const std::string problem = usage_problem(options); !problem.empty())
    return parser.command_line().refuse_command(problem);
  return std::nullopt;
}

}  // namespace genai::ctl
