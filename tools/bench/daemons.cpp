#include "tools/bench/daemons.h"

namespace genai::bench {

Daemons::Daemons(const DaemonOptions& options)
    : sockets_(""),
      data_(options.data_dir),
      endpoints_{"ipc://" + sockets_.path() + "/clients", "ipc://" + sockets_.path() + "/nodes"},
      broker_("genai-broker",
              {"--nodes-endpoint", endpoints_.broker, "--link-endpoint",
               "ipc://" + sockets_.path() + "/link"},
              sockets_.path() + "/broker.log"),
      dispatcher_("genai-dispatcher",
                  {"--clients-endpoint", endpoints_.dispatcher, "--broker",
                   "ipc://" + sockets_.path() + "/link", "--store", options.store, "--data-dir",
                   data_.path() + "/data", "--max-tasks", std::to_string(options.max_tasks),
                   "--max-queued-mib", std::to_string(options.max_queued_mib)},
                  sockets_.path() + "/dispatcher.log") {}

void Daemons::check() const {
  broker_.check();
  dispatcher_.check();
}

}  // namespace genai::bench
