#include "protocol/transport/unsent.h"

#include <algorithm>
#include <utility>

namespace genai::transport {

struct Unsent::Counted {
  Counted(std::string&& text, std::shared_ptr<Account> of)
      : frame(std::move(text)), bytes(frame.size() + kOverheadBytes), account(std::move(of)) {
    account->bytes += bytes;
    *account->total += bytes;
  }
  ~Counted() {
    account->bytes -= bytes;
    *account->total -= bytes;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  std::string frame;
  const std::size_t bytes;
  const std::shared_ptr<Account> account;
};

bool Unsent::has_room(std::string_view peer, std::size_t frame_bytes) const {
  const std::size_t bytes = frame_bytes + kOverheadBytes;
  const auto it = accounts_.find(peer);
  const std::size_t waiting = it == accounts_.end() ? 0 : it->second->bytes.load();
  if (waiting > 0 && waiting + bytes > per_peer_) return false;
  const std::size_t free = in_all_ - std::min<std::size_t>(*total_, in_all_);
  return waiting + bytes <= free;
}

zmq::message_t Unsent::message(std::string_view peer, std::string&& frame) {
  auto* counted = new Counted(std::move(frame), account(peer));
  return zmq::message_t(
      counted->frame.data(), counted->frame.size(),
      [](void*, void* hint) { delete static_cast<Counted*>(hint); }, counted);
}

std::shared_ptr<Unsent::Account> Unsent::account(std::string_view peer) {
  if (const auto it = accounts_.find(peer); it != accounts_.end()) return it->second;
  if (accounts_.size() >= sweep_at_) forget_idle();
  return accounts_.emplace(peer, std::make_shared<Account>(total_)).first->second;
}

void Unsent::forget_idle() {
  std::erase_if(accounts_, [](const auto& entry) { return entry.second->bytes == 0; });
  sweep_at_ = std::max<std::size_t>(64, 2 * accounts_.size());
}

}  // namespace genai::transport
