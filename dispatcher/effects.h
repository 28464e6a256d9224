// What the core wants done: the loop does it, in this order, after handling a batch of events.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "dispatcher/tasks/data.h"
#include "protocol/base/log_event.h"
#include "protocol/wire/client.h"
#include "protocol/wire/link.h"

namespace genai::dispatcher {

/// Messages in the order in which they should leave.
struct Messages {
  struct ToBroker {
    std::size_t broker;
    LinkToBroker message;
  };
  struct ToClient {
    std::string peer;
    ClientReply message;
  };
  std::vector<ToBroker> to_brokers;
  std::vector<ToClient> to_clients;

  std::size_t size() const { return to_brokers.size() + to_clients.size(); }
  bool empty() const { return size() == 0; }
};

struct Effects {
  std::vector<LogEvent> notes;
  Messages at_once;             // promise nothing: an assignment is fenced by its epoch
  Messages durable;             // promise something: only after the changes so far were committed
  std::vector<ReadData> reads;  // of the store; Dispatcher::handle(DataRead) takes what they bring
  std::vector<std::size_t> reopen_links;  // brokers whose connection should be made anew
};

}  // namespace genai::dispatcher
