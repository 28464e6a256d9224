#include "dispatcher/desk/clients.h"

#include <algorithm>

namespace genai::dispatcher {
namespace {

constexpr unsigned kMaxResendFactor = 12;

}  // namespace

void Clients::watch(const std::string& peer, const std::string& key, Task& task) {
  Client& client = clients_[peer];
  client.key = key;
  client.watched.emplace(task.sequence, &task);
}

std::vector<std::string> Clients::peers() const {
  std::vector<std::string> peers;
  for (const auto& [peer, client] : clients_) peers.push_back(peer);
  return peers;
}

std::vector<std::string> Clients::peers_with(const KeySet& keys) const {
  std::vector<std::string> peers;
  for (const auto& [peer, client] : clients_)
    if (!client.key.empty() && keys.contains(client.key)) peers.push_back(peer);
  return peers;
}

void Clients::unwatch(const std::string& peer, const Task& task) {
  auto it = clients_.find(peer);
  if (it == clients_.end()) return;
  Client& client = it->second;
  client.watched.erase(task.sequence);
  forget_unacked(peer, client, task.sequence);
  if (!client.queue.empty()) ready_.insert(peer);
  if (client.watched.empty()) remove(peer);
}

std::vector<Task*> Clients::remove(const std::string& peer) {
  auto it = clients_.find(peer);
  if (it == clients_.end()) return {};
  std::vector<Task*> watched;
  for (const auto& [sequence, task] : it->second.watched) watched.push_back(task);
  set_deadline(peer, it->second, kNever);
  clients_.erase(it);
  ready_.erase(peer);
  return watched;
}

void Clients::enqueue(const std::string& peer, Task& task) {
  Client& client = clients_[peer];
  client.watched.emplace(task.sequence, &task);
  if (client.unacked.contains(task.sequence)) return;
  if (client.queued.insert(task.sequence).second) client.queue.push_back(task.sequence);
  ready_.insert(peer);
}

Task* Clients::next(const std::string& peer) {
  auto it = clients_.find(peer);
  if (it == clients_.end()) return nullptr;
  Client& client = it->second;
  while (!client.queue.empty() && (!client.watched.contains(client.queue.front()) ||
                                   client.unacked.contains(client.queue.front()))) {
    client.queued.erase(client.queue.front());
    client.queue.pop_front();
  }
  if (client.queue.empty() || client.unacked.size() >= kWindowResults ||
      client.unacked_bytes >= kWindowBytes)
    return nullptr;
  return client.watched.at(client.queue.front());
}

void Clients::sent(const std::string& peer, const Task& task, std::size_t bytes, Duration now) {
  Client& client = clients_[peer];
  client.unacked[task.sequence] = {bytes, now};
  client.sent.emplace_back(now, task.sequence);
  client.unacked_bytes += bytes;
  if (client.resend_at == kNever) {
    client.resends = 0;
    set_deadline(peer, client, now + resend_);
  }
}

std::vector<std::string> Clients::take_ready() {
  std::vector<std::string> peers(ready_.begin(), ready_.end());
  ready_.clear();
  return peers;
}

void Clients::tick(Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::string peer = *deadlines_.begin()->second.begin();
    Client& client = clients_.at(peer);
    // Only what has waited for its time: what was sent a moment ago may be acknowledged already.
    const Duration before = now - resend_ * (client.resends + 1);
    std::vector<Sequence> again;
    for (drop_acknowledged(client); !client.sent.empty() && client.sent.front().first <= before;
         drop_acknowledged(client)) {
      auto it = client.unacked.find(client.sent.front().second);
      client.unacked_bytes -= it->second.bytes;
      again.push_back(it->first);
      client.unacked.erase(it);
    }
    if (!again.empty()) {
      std::erase_if(again, [&](Sequence s) { return !client.queued.insert(s).second; });
      client.queue.insert(client.queue.begin(), again.begin(), again.end());
      client.resends = std::min(client.resends + 1, kMaxResendFactor - 1);
      ready_.insert(peer);
    }
    const Duration from = client.sent.empty() ? now : client.sent.front().first;
    set_deadline(peer, client, std::max(from + resend_ * (client.resends + 1), now + Duration(1)));
  }
}

void Clients::drop_acknowledged(Client& client) {
  const auto is_open = [&](const auto& sent) {
    const auto it = client.unacked.find(sent.second);
    return it != client.unacked.end() && it->second.at == sent.first;
  };
  while (!client.sent.empty() && !is_open(client.sent.front())) client.sent.pop_front();
}

bool Clients::is_idle() const {
  return std::ranges::all_of(clients_, [](const auto& entry) {
    return entry.second.queue.empty() && entry.second.unacked.empty();
  });
}

void Clients::set_deadline(const std::string& peer, Client& client, Duration at) {
  if (client.resend_at != kNever) {
    auto it = deadlines_.find(client.resend_at);
    it->second.erase(peer);
    if (it->second.empty()) deadlines_.erase(it);
  }
  client.resend_at = at;
  if (at != kNever) deadlines_[at].insert(peer);
}

void Clients::forget_unacked(const std::string& peer, Client& client, Sequence sequence) {
  auto it = client.unacked.find(sequence);
  if (it == client.unacked.end()) return;
  client.unacked_bytes -= it->second.bytes;
  client.unacked.erase(it);
  drop_acknowledged(client);
  client.resends = 0;
  if (client.unacked.empty()) set_deadline(peer, client, kNever);
}

}  // namespace genai::dispatcher
