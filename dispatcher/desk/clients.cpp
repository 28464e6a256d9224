#include "dispatcher/desk/clients.h"

#include <algorithm>

namespace genai::dispatcher {
namespace {

constexpr unsigned kMaxResendFactor = 12;

}  // namespace

// ---- who watches what

Clients::Client& Clients::client_of(const std::string& peer) {
  if (Client* known = find(peer)) return *known;
  const auto it = clients_.try_emplace(peer).first;
  it->second.peer = &it->first;
  return it->second;
}

/// Null: there is none.
Clients::Client* Clients::find(const std::string& peer) {
  if (asked_for_ && *asked_for_->peer == peer) return asked_for_;
  const auto it = clients_.find(peer);
  return it == clients_.end() ? nullptr : asked_for_ = &it->second;
}

Clients::WatchId Clients::find(const Client& client, TaskHandle task) const {
  WatchId id = first_of(task);
  while (id != kNone && watches_[id].client != &client) id = watches_[id].next_of_task;
  return id;
}

Clients::WatchId Clients::add(Client& client, msg::WatchLevel level, Task& task) {
  WatchId id = free_;
  if (id == kNone) {
    id = static_cast<WatchId>(watches_.size());
    watches_.emplace_back();
  } else {
    free_ = watches_[id].next_of_task;
  }
  watches_[id] = {&task, &client, kNone, client.first, kNone, level};
  if (client.first != kNone) watches_[client.first].previous_of_client = id;
  client.first = id;
  ++client.watched;
  WatchId* last = &rows_[task.handle].first;
  while (*last != kNone) last = &watches_[*last].next_of_task;
  *last = id;
  return id;
}

void Clients::erase(WatchId id) {
  const Watch gone = watches_[id];
  if (gone.next_of_client != kNone)
    watches_[gone.next_of_client].previous_of_client = gone.previous_of_client;
  if (gone.previous_of_client != kNone)
    watches_[gone.previous_of_client].next_of_client = gone.next_of_client;
  else
    gone.client->first = gone.next_of_client;
  --gone.client->watched;
  WatchId* at = &rows_[gone.task->handle].first;
  while (*at != id) at = &watches_[*at].next_of_task;
  *at = gone.next_of_task;
  watches_[id].next_of_task = free_;
  free_ = id;
}

void Clients::watch(const std::string& peer, const std::string& key, msg::WatchLevel level,
                    Task& task) {
  Client& client = client_of(peer);
  client.key = key;
  if (const WatchId known = find(client, task.handle); known != kNone) erase(known);
  if (watchers(task) == kMaxWatchers) unwatch(*watches_[first_of(task.handle)].client, task);
  add(client, level, task);
}

std::size_t Clients::watchers(const Task& task) const {
  std::size_t count = 0;
  each_watcher(task, [&](const std::string&, msg::WatchLevel) { ++count; });
  return count;
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
  if (Client* client = find(peer)) unwatch(*client, task);
}

void Clients::unwatch(Client& client, const Task& task) {
  if (const WatchId id = find(client, task.handle); id != kNone) erase(id);
  forget_unacked(client, task.sequence);
  if (!client.queue.empty()) ready_.insert(*client.peer);
  if (client.watched == 0) remove(std::string(*client.peer));
}

void Clients::forget(TaskHandle task) {
  for (WatchId id = first_of(task); id != kNone; id = first_of(task))
    unwatch(*watches_[id].client, *watches_[id].task);
  rows_[task] = {};
}

std::vector<Task*> Clients::remove(const std::string& peer) {
  auto it = clients_.find(peer);
  if (it == clients_.end()) return {};
  Client& client = it->second;
  std::vector<Task*> watched;
  while (client.first != kNone) {
    watched.push_back(watches_[client.first].task);
    erase(client.first);
  }
  set_deadline(client, kNever);
  if (asked_for_ == &client) asked_for_ = nullptr;
  clients_.erase(it);
  ready_.erase(peer);
  return watched;
}

// ---- what goes to them

void Clients::enqueue(const std::string& peer, Task& task) {
  Client& client = client_of(peer);
  if (find(client, task.handle) == kNone) add(client, msg::WatchLevel::kResult, task);
  enqueue(client, task);
}

void Clients::enqueue(Task& task) {
  for (WatchId id = first_of(task.handle); id != kNone; id = watches_[id].next_of_task)
    enqueue(*watches_[id].client, task);
}

void Clients::enqueue(Client& client, const Task& task) {
  if (client.unacked.contains(task.sequence)) return;
  if (client.queued.insert(task.sequence).second)
    client.queue.push_back({task.sequence, task.handle});
  ready_.insert(*client.peer);
}

/// Whether it is still watched, and not on its way: a handle may be that of
/// another task by now.
bool Clients::is_waiting(const Client& client, const Queued& queued) const {
  const WatchId id = find(client, queued.task);
  return id != kNone && watches_[id].task->sequence == queued.sequence &&
         !client.unacked.contains(queued.sequence);
}

Task* Clients::next(const std::string& peer) {
  Client* const known = find(peer);
  if (!known) return nullptr;
  Client& client = *known;
  while (!client.queue.empty() && !is_waiting(client, client.queue.front())) {
    client.queued.erase(client.queue.front().sequence);
    client.queue.pop_front();
  }
  if (client.queue.empty() || client.unacked.size() >= kWindowResults ||
      client.unacked_bytes >= kWindowBytes)
    return nullptr;
  return watches_[find(client, client.queue.front().task)].task;
}

void Clients::sent(const std::string& peer, const Task& task, std::size_t bytes, Duration now) {
  Client& client = client_of(peer);
  client.unacked[task.sequence] = {bytes, now, task.handle};
  client.sent.emplace_back(now, task.sequence);
  client.unacked_bytes += bytes;
  if (client.resend_at == kNever) {
    client.resends = 0;
    set_deadline(client, now + resend_);
  }
}

std::vector<std::string> Clients::take_ready() {
  std::vector<std::string> peers(ready_.begin(), ready_.end());
  ready_.clear();
  return peers;
}

void Clients::tick(Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Client& client = clients_.at(*deadlines_.begin()->second.begin());
    // Only what has waited for its time: what was sent a moment ago may be
    // acknowledged already.
    const Duration before = now - resend_ * (client.resends + 1);
    std::vector<Queued> again;
    for (drop_acknowledged(client); !client.sent.empty() && client.sent.front().first <= before;
         drop_acknowledged(client)) {
      auto it = client.unacked.find(client.sent.front().second);
      client.unacked_bytes -= it->second.bytes;
      again.push_back({it->first, it->second.task});
      client.unacked.erase(it);
    }
    if (!again.empty()) {
      std::erase_if(again,
                    [&](const Queued& q) { return !client.queued.insert(q.sequence).second; });
      client.queue.insert(client.queue.begin(), again.begin(), again.end());
      client.resends = std::min(client.resends + 1, kMaxResendFactor - 1);
      ready_.insert(*client.peer);
    }
    const Duration from = client.sent.empty() ? now : client.sent.front().first;
    set_deadline(client, std::max(from + resend_ * (client.resends + 1), now + Duration(1)));
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

void Clients::set_deadline(Client& client, Duration at) {
  if (client.resend_at != kNever) {
    auto it = deadlines_.find(client.resend_at);
    it->second.erase(*client.peer);
    if (it->second.empty()) deadlines_.erase(it);
  }
  client.resend_at = at;
  if (at != kNever) deadlines_[at].insert(*client.peer);
}

void Clients::forget_unacked(Client& client, Sequence sequence) {
  auto it = client.unacked.find(sequence);
  if (it == client.unacked.end()) return;
  client.unacked_bytes -= it->second.bytes;
  client.unacked.erase(it);
  drop_acknowledged(client);
  client.resends = 0;
  if (client.unacked.empty()) set_deadline(client, kNever);
}

}  // namespace genai::dispatcher
