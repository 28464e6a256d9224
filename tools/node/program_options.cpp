#include "tools/node/program_options.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "protocol/base/limits.h"
#include "protocol/runtime/state_dir.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/system.h"
#include "tools/node/machine.h"

namespace genai::node {
namespace {

using runtime::OptionProblem;
using runtime::Range;

constexpr char kProgram[] = "genai-node";
constexpr int kMaxTaskTimeoutS = 30 * 24 * 3600;

/// What the author of a command must know.
constexpr char kFooter[] = R"(The command of --exec:
  stdin         the payload of the task
  environment   the environment of genai-node without its own GENAI_... variables, and
                GENAI_TASK_ID, GENAI_ATTEMPT, GENAI_MODEL, GENAI_LABEL and GENAI_PARAM_<KEY>
                (lists and maps as JSON)
  result        the files in the folder $GENAI_RESULT_DIR if there is one, else the content of
                $GENAI_RESULT_FILE if it is not empty, else stdout; at most 48 MiB
  files         All regular files in $GENAI_RESULT_DIR and its subfolders, at most 256, in the
                order of their names. Links, and names that begin with a dot, are left out. A
                file NAME.meta.json beside NAME is the metadata of NAME: a JSON object such as
                {"seed": 7, "width": 1024}. Its key content_type is the type of NAME; without
                it the name, the first bytes or --content-type tell the type. The folder is
                empty at the start, and is removed with all files of the task at its end.
  descriptor 3  reports, one in a line:
                '0.35 sampling'      the progress of the task
                'load_ms 12000'      how long the model took to load
                'loaded NAME'        a model that is in memory now
                'impossible REASON'  no attempt can succeed: the task ends with this error,
                                     whatever the exit code is
  exit code     0 is success; any other is an error, and the end of stderr is its text
  its end       No process outlives the task. On a cancel, at the time limit and on a forced stop
                the command and all processes that it has started get SIGTERM, and SIGKILL 2 s
                later. Processes that still run when the command ends, or when genai-node dies,
                are killed at once, also those in sessions of their own.

A node that cannot run a task gives it back, and the task is not blamed. This happens when
$TMPDIR (or /tmp) is missing, full or not writable; when no process or descriptor is left; and
when the program at the beginning of the command is missing or not executable, and the command
ends with 126 or 127, or with 0 and no result (as a pipeline does). 126 and 127 for another
reason are errors.

Without --node-id the node gets a name HOST-RANDOM. It is stored in $STATE_DIRECTORY, in
/var/lib/genai-node (for root), or in genai-node below $XDG_STATE_HOME or ~/.local/state. A
second node on the machine at the same time gets a second name.

As process 1 of a container genai-node stays there as init, and serves in a child process.)";

/// The option that sets a member of NodeConfig.
std::string option_of(std::string member) {
  if (member == "broker_endpoint") return "broker";
  if (member == "models") return "model";
  if (member == "loaded_models") return "loaded-model";
  if (member == "drain_timeout") return "drain-timeout-s";
  std::replace(member.begin(), member.end(), '_', '-');
  return member;
}

/// `has_id`: some option gave one; else it is taken later.
std::optional<OptionProblem> validate(const Options& options, bool has_id) {
  const bool is_exec = !options.exec.command.empty();
  if (is_exec && options.is_echo)
    return OptionProblem{{"exec", "echo"}, "give either --exec or --echo, not both"};
  if (!is_exec && !options.is_echo)
    return OptionProblem{{"exec"},
                         "give either --exec 'COMMAND' or --echo: what to do with a task"};
  if (options.echo.fail_ratio + options.echo.drop_ratio > 1)
    return OptionProblem{{"echo-fail-ratio", "echo-drop-ratio"},
                         "echo-fail-ratio and echo-drop-ratio are more than 1 together"};
  if (options.exec.content_type.size() > limits::kMaxNameBytes)
    return OptionProblem{{"content-type"}, "content-type has more than 128 bytes"};
  if (const auto what =
          transport::connect_problem(options.node.broker_endpoint, !options.node.server_key.empty(),
                                     options.insecure, "server-key"))
    return OptionProblem{{"broker"}, *what};
  NodeConfig config = options.node;
  if (!has_id) config.node_id = "to-be-taken";
  if (const auto problem = config_problem(config))
    return OptionProblem{{option_of(problem->member)}, problem->what};
  return std::nullopt;
}

/// Empty where there is neither a home nor another place for state.
std::string state_folder() {
  // Of a systemd unit with StateDirectory=, whose user may have no home.
  if (const char* given = std::getenv("STATE_DIRECTORY"); given && *given == '/')
    return std::string(given, std::strcspn(given, ":"));
  std::string folder = runtime::default_state_dir(kProgram);
  return folder.starts_with('/') ? folder : "";
}

void declare_node(runtime::Options& parser, NodeConfig& node) {
  const Range amount(0, UINT32_MAX);
  parser.add("broker", node.broker_endpoint, "The broker's endpoint for nodes");
  parser.add("key-file", node.key_file, "Our secret key (genai-ctl keygen)");
  parser.add("server-key", node.server_key,
             "The broker's public key, or its file: connect to no other, encrypted");
  parser.add(
      "node-id", node.node_id,
      "Name of this node, one process per name (default: HOST-RANDOM, the same at each start)");
  parser.add("slots", node.slots, "Tasks at once", Range(1, limits::kMaxSlots));
  parser.add("model", node.models,
             "A model that can be run here; tasks that ask for one go only to nodes that name it");
  parser.add("loaded-model", node.loaded_models, "A model that is in memory");
  parser.add("gpu-type", node.gpu_type, "GPU (default: found out)");
  parser.add("ncpu", node.ncpu, "CPUs (default: found out)", amount);
  parser.add("ram-mib", node.ram_mib, "Memory (default: found out)", amount);
  parser.add("vram-mib", node.vram_mib, "GPU memory (default: found out)", amount);
  parser.add("min-cost", node.min_cost, "The least that is asked for a task", Range(0.0, 1e12));
  parser.add("drain-timeout-s", node.drain_timeout,
             "On SIGTERM: how long results wait to be taken once nothing runs any more",
             Range(0, 7 * 24 * 3600));
}

void declare_work(runtime::Options& parser, Options& options) {
  const Range ratio(0.0, 1.0);
  parser.add("exec", options.exec.command,
             "Command for /bin/sh: payload on stdin, result in $GENAI_RESULT_DIR, in "
             "$GENAI_RESULT_FILE or on stdout");
  parser.add("task-timeout-s", options.exec.task_timeout,
             "Time limit of a command; 0: only the task's own", Range(0, kMaxTaskTimeoutS));
  parser.add("content-type", options.exec.content_type,
             "MIME type of the command's results; of files: if they tell none");
  parser.add("echo", options.is_echo, "For tests: give the payload back");
  parser.add("echo-delay-ms", options.echo.delay, "How long an echo takes", Range(0, 3'600'000));
  parser.add("echo-fail-ratio", options.echo.fail_ratio, "Share of echo tasks that fail", ratio);
  parser.add("echo-drop-ratio", options.echo.drop_ratio,
             "Share of echo tasks that are forgotten after their acknowledgement", ratio);
  parser.add("seed", options.echo.seed, "Chooses which echo tasks these are (default: random)");
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  runtime::Options parser(kProgram, "Takes tasks from a broker and runs a command for each.");
  parser.command_line().program().footer(kFooter);
  declare_node(parser, options.node);
  parser.add("insecure", options.insecure,
             "Connect to a broker on another machine although nothing is encrypted");
  declare_work(parser, options);
  parser.on_validate([&] { return validate(options, parser.is_given("node-id")); });
  if (const auto exit_code = parser.parse(argc, argv)) return exit_code;
  if (!parser.is_given("seed"))
    transport::fill_random(&options.echo.seed, sizeof options.echo.seed);
  options.log_level = parser.log_level();
  options.log_format = parser.log_format();
  options.knows_ncpu = parser.is_given("ncpu");
  options.knows_ram = parser.is_given("ram-mib");
  options.knows_gpu = parser.is_given("gpu-type");
  options.knows_vram = parser.is_given("vram-mib");
  return std::nullopt;
}

void complete_with_machine(Options& options) {
  const bool ask_gpu = !options.knows_gpu || !options.knows_vram;
  const Machine machine = detect_machine(ask_gpu ? AskGpu::kYes : AskGpu::kNo);
  if (!options.knows_ncpu) options.node.ncpu = machine.ncpu;
  if (!options.knows_ram) options.node.ram_mib = machine.ram_mib;
  if (!options.knows_gpu) options.node.gpu_type = machine.gpu_type;
  if (!options.knows_vram) options.node.vram_mib = machine.vram_mib;
  if (!options.node.node_id.empty()) return;
  options.default_id = claim_default_id(state_folder(), host_name());
  options.node.node_id = options.default_id.id;
}

}  // namespace genai::node
