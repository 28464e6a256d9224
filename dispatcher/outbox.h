// Gathers what one pass of the loop wants sent and batches it: what arose together leaves together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dispatcher/effects.h"
#include "dispatcher/fleet/session.h"
#include "dispatcher/tasks/record.h"
#include "protocol/wire/node.h"

namespace genai::dispatcher {

/// Keeps the order of messages to each node; neighbours of one type become one message.
/// Acknowledgements of results go apart: they are promises. Messages to a client leave as replies,
/// then updates, then deliveries. Not thread-safe.
class Outbox {
 public:
  /// `payload`: of the task, read if it stands apart.
  void assign(const Session& to, const TaskRecord& task, const AssignmentRef& ref, Blob payload);
  void abort(const Session& to, const AssignmentRef& ref, ErrorCode code);
  void keep(const Session& to, const AssignmentRef& ref);
  void ack_result(const Session& to, const AssignmentRef& ref, ErrorCode code);
  void error(const Session& to, Error error);

  /// What tells of tasks waits for their commit; what does not (statistics, refusals) leaves at
  /// once.
  void reply(const std::string& peer, ClientReply message);
  void update(const std::string& peer, msg::Update::Entry&& entry);
  void deliver(const std::string& peer, msg::Deliver::Entry&& entry);

  void to_broker(std::size_t broker, LinkToBroker message);
  void reopen_link(std::size_t broker) { effects_.reopen_links.push_back(broker); }
  void note(LogEvent note) { effects_.notes.push_back(std::move(note)); }

  /// All that was gathered, encoded for nodes and batched for clients; the outbox is empty then.
  Effects take();

 private:
  /// Messages to one peer, each one of Any.
  template <class Any>
  struct Queue {
    std::vector<Any> messages;
    std::size_t last_bytes = 0;  // gathered in the last message

    /// Returns a new entry of the last message if that is of the type and has room for so many
    /// bytes, else of a new one. Fill it at once.
    template <class M, class Entry>
    Entry& add(std::vector<Entry> M::*list, std::size_t bytes);
  };
  struct NodeQueue : Queue<ToNode> {
    SessionId session;
    std::size_t broker = 0;
  };
  /// In the order in which the nodes came.
  class NodeQueues {
   public:
    NodeQueue& of(const Session& session);
    /// Moves them out, as frames in parcels.
    void bundle(std::vector<Messages::ToBroker>& out);

   private:
    std::vector<NodeQueue> queues_;
    std::vector<std::uint32_t> places_;  // in it, by Session::index; old ones name another session
  };
  using ClientQueues = std::map<std::string, Queue<ClientReply>>;
  static void move_out(ClientQueues& queues, std::vector<Messages::ToClient>& out);

  NodeQueues nodes_, acks_;
  ClientQueues updates_, deliveries_;
  Effects effects_;
};

}  // namespace genai::dispatcher
