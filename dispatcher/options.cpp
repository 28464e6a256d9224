#include "dispatcher/options.h"

#include "dispatcher/placement/quota.h"
#include "protocol/runtime/options.h"
#include "protocol/runtime/state_dir.h"
#include "protocol/security/options.h"
#include "protocol/transport/endpoint.h"
#include "protocol/transport/keys.h"

namespace genai::dispatcher {
namespace {

using runtime::Choices;
using runtime::Mebibytes;
using runtime::OptionProblem;
using runtime::Range;

std::optional<std::string> broker_keys_problem(const Options& options) {
  const auto& keys = options.broker_keys;
  if (keys.empty()) return std::nullopt;
  if (keys.size() != 1 && keys.size() != options.brokers.size())
    return "give one key for all brokers, or one for each in their order";
  if (options.security.key_file.empty())
    return "broker-key needs a key-file, the key to be known by";
  for (const std::string& key : keys)
    if (const auto known = transport::public_key_of(key); !known) return known.error().detail;
  return std::nullopt;
}

std::optional<OptionProblem> validate(const Options& options) {
  if (auto problem = transport::security_problem("clients-endpoint", options.clients_endpoint,
                                                 options.security))
    return problem;
  if (auto problem = transport::security_problem(options.security)) return problem;
  if (options.brokers.empty()) return OptionProblem{{"broker"}, "at least one must be given"};
  if (auto what = broker_keys_problem(options)) return OptionProblem{{"broker-key"}, *what};
  for (const std::string& broker : options.brokers)
    if (auto what = transport::connect_problem(broker, !options.broker_keys.empty(),
                                               options.security.insecure, "broker-key"))
      return OptionProblem{{"broker"}, *what};
  for (const std::string& tenant : options.tenants)
    if (auto quota = parse_quota(tenant); !quota) return OptionProblem{{"tenant"}, quota.error()};
  if (options.config.heartbeat >= options.config.lost)
    return OptionProblem{{"heartbeat-interval-ms", "lost-ms"},
                         "heartbeat-interval-ms must be less than lost-ms"};
  return std::nullopt;
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  Config& config = options.config;
  runtime::Options parser(
      "genai-dispatcher",
      "Takes tasks from clients and gives each to the node where it is done soonest.");
  config.max_result_bytes = 0;  // the usual ones: the store says how many these are
  const Range wait_ms(11, 3'600'000);
  parser.add("clients-endpoint", options.clients_endpoint, "Where clients connect");
  parser.add("broker", options.brokers, "Link endpoint of a broker; repeatable");
  parser.add("store", options.store.kind,
             "sqlite: accepted tasks survive any crash; memory: they end with the process",
             Choices{store::kinds()});
  parser.add("data-dir", options.store.data_dir,
             "Folder of the sqlite store (default: /var/lib/genai-dispatcher for root, else "
             "~/.local/state/genai-dispatcher)");
  parser.add("reserve-mib", Mebibytes{options.store.reserve_bytes},
             "Room kept there so that results still get in when the disk is full",
             Range(0, 1 << 20));
  parser.add("min-free-mib", Mebibytes{options.store.min_free_bytes},
             "Free room on that disk below which new tasks are refused", Range(0, 1 << 20));
  parser.add("heartbeat-interval-ms", config.heartbeat, "Time between two heartbeats on a link",
             Range(10, 60'000));
  parser.add("lost-ms", config.lost,
             "Silence after which a broker is down, and grace for its nodes to come back", wait_ms);
  parser.add("prefetch", config.prefetch,
             "Tasks given to a node beyond its slots while the backlog is long", Range(0, 64));
  parser.add("priority-step-s", config.priority_step,
             "How much longer a task must wait to make up for one step of priority",
             Range(0, 24 * 3600));
  parser.add("tenant", options.tenants,
             "NAME:weight=1:queued=0:running=0:mib=0: share and quotas of a tenant (0: none); "
             "NAME * is all others; repeatable");
  parser.add("max-faults", config.max_faults,
             "Error results after which a task is Failed, unless it says max_attempts",
             Range(1, limits::kMaxAttempts));
  parser.add("max-losses", config.max_losses,
             "Times a task may be lost with its node, or dropped by it, before it is Failed",
             Range(1, limits::kMaxAttempts));
  parser.add("max-crashes", config.max_crashes,
             "Nodes that may be lost while they execute a task before it is quarantined (Failed)",
             Range(1, limits::kMaxAttempts));
  parser.add("max-drains", config.max_drains,
             "Nodes that may give a task back, or leave with it, before it is Failed",
             Range(1, limits::kMaxAttempts));
  parser.add("assign-ack-ms", config.assign_ack,
             "Time a node has to acknowledge an assignment before the task is requeued", wait_ms);
  parser.add("time-limit-s", config.time_limit,
             "Time limit of one execution, unless the task says time_limit_ms",
             Range(1, 30 * 24 * 3600));
  parser.add("resend-ms", config.resend, "Time after which an unacknowledged result is sent again",
             wait_ms);
  parser.add("max-tasks", config.max_tasks, "Tasks that are not terminal, at most",
             Range(1, 100'000'000));
  parser.add("max-queued-mib", Mebibytes{config.max_queued_bytes},
             "Payloads and specs of those tasks, at most", Range(1, 1 << 20));
  parser.add("result-retention-s", config.result_retention,
             "How long a result waits for its client", Range(1, 30 * 24 * 3600));
  parser.add("max-result-mib", Mebibytes{config.max_result_bytes},
             "Waiting results, at most; 0: 50 GiB or half the disk, whichever is less (--store "
             "memory: 1 GiB)",
             Range(0, 1 << 30));
  parser.add("max-result-memory-mib", Mebibytes{config.max_result_memory},
             "Of these, what is not on the disk: small results and what is known of each",
             Range(1, 1 << 20));
  parser.add("failed-retention-s", config.failed_retention,
             "How long a Failed task can be replayed", Range(1, 365 * 24 * 3600));
  parser.add("max-failed-mib", Mebibytes{config.max_failed_bytes},
             "Failed tasks with their payloads and specs, at most", Range(1, 1 << 20));
  parser.add("history-retention-s", config.history_retention,
             "How long a fetched task can still be asked about, and its id is known",
             Range(1, 30 * 24 * 3600));
  parser.add("max-history", config.max_history, "Fetched tasks kept, at most",
             Range(0, 100'000'000));
  parser.add("drain-timeout-s", options.drain_timeout,
             "On SIGTERM without a durable store: how long accepted tasks may still take",
             Range(0, 7 * 24 * 3600));
  transport::add_options(parser, options.security);
  parser.add(
      "broker-key", options.broker_keys,
      "Public key (or its file) of the brokers, or one for each --broker in order; repeatable");
  parser.on_validate([&] { return validate(options); });
  if (const auto exit_code = parser.parse(argc, argv)) return exit_code;
  for (const std::string& tenant : options.tenants) {
    auto [name, quota] = *parse_quota(tenant);
    config.quotas.insert_or_assign(std::move(name), quota);
  }
  if (options.store.data_dir.empty())
    options.store.data_dir = runtime::default_state_dir("genai-dispatcher");
  options.log_level = parser.log_level();
  options.log_format = parser.log_format();
  return std::nullopt;
}

}  // namespace genai::dispatcher
