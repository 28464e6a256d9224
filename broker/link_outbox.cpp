#include "broker/link_outbox.h"

#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/limits.h"

namespace genai::broker {
namespace {

// Upper bounds of encoded sizes, cheap to compute: only limits hang on them.
constexpr std::size_t kHeaderBytes = 5;   // of any str, bin, array or map
constexpr std::size_t kEntryBytes = 256;  // ids, keys and numbers of one entry
constexpr std::size_t kRefBytes = limits::kMaxIdBytes + 4 * kHeaderBytes;
constexpr std::size_t kSnapshotTargetBytes = limits::kMaxLinkFrameBytes / 2;

std::size_t bytes_of(const std::vector<AssignmentRef>& refs) { return refs.size() * kRefBytes; }

std::size_t bytes_of(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size() + kHeaderBytes;
  return bytes;
}

std::size_t bytes_of(const msg::ProviderEntry& entry) {
  return kEntryBytes + bytes_of(entry.meta.models) + bytes_of(entry.meta.loaded_models) +
         entry.meta.gpu_type.size() + bytes_of(entry.held);
}

struct ChangeBytes {
  std::size_t operator()(const msg::Delta::Joined& joined) const {
    return kEntryBytes + bytes_of(joined.provider);
  }
  std::size_t operator()(const msg::Delta::StateChanged& changed) const {
    return kEntryBytes + changed.reason.size();
  }
  std::size_t operator()(const msg::Delta::Beat& beat) const {
    return kEntryBytes + bytes_of(beat.held) + bytes_of(beat.loaded_models);
  }
};

}  // namespace

LinkOutbox::LinkOutbox(const InstanceId& broker, Metrics& metrics)
    : broker_(broker),
      forwarded_(metrics.counter("frames_from_nodes_total",
                                 "Frames of nodes that were passed on to the dispatcher.")),
      forwarded_bytes_(
          metrics.counter("bytes_from_nodes_total", "Bytes of the frames of nodes passed on.")),
      dropped_(metrics.counter("dropped_frames_total",
                               "Frames of nodes dropped since no dispatcher was connected.")),
      undelivered_(metrics.counter(
          "undelivered_total",
          "Frames for nodes that were not handed on: no such session, or it did not take them.")) {}

void LinkOutbox::connect(const Peer& peer, std::vector<msg::ProviderEntry> providers,
                         std::uint64_t uptime_ms) {
  // A dispatcher that only asks for a new snapshot still wants the parcels before it.
  if (peer_ == peer)
    flush();
  else
    disconnect();
  peer_ = peer;
  msg::Snapshot part{broker_, seq_, uptime_ms, {}, false};
  std::size_t bytes = kEntryBytes;
  for (msg::ProviderEntry& entry : providers) {
    bytes += bytes_of(entry);
    if (bytes > kSnapshotTargetBytes || part.providers.size() == limits::kMaxSnapshotEntries) {
      part.more = true;
      send(part);
      part = {broker_, seq_, uptime_ms, {}, false};
      bytes = kEntryBytes + bytes_of(entry);
    }
    part.providers.push_back(std::move(entry));
  }
  send(part);
}

void LinkOutbox::disconnect() {
  peer_.reset();
  open_ = std::monostate();
  open_entries_ = open_bytes_ = 0;
}

template <class M>
M& LinkOutbox::room_for(std::size_t bytes) {
  const bool full =
      open_entries_ >= limits::kMaxBatchEntries || open_bytes_ + bytes > limits::kBatchTargetBytes;
  if (!std::holds_alternative<M>(open_) || full) flush();
  if (!pending()) open_ = M();
  ++open_entries_;
  open_bytes_ += bytes;
  return std::get<M>(open_);
}

void LinkOutbox::put(msg::Delta::Change change) {
  if (!connected()) return;
  const std::size_t bytes = std::visit(ChangeBytes(), change);
  room_for<msg::Delta>(bytes).changes.push_back(std::move(change));
}

void LinkOutbox::put(msg::Parcel parcel) {
  if (!connected()) return void(++dropped_);
  ++forwarded_;
  forwarded_bytes_.add(parcel.frame.size());
  const std::size_t bytes = kEntryBytes + parcel.frame.size();
  room_for<msg::FromNodes>(bytes).parcels.push_back(std::move(parcel));
}

void LinkOutbox::put(const msg::Undelivered::Entry& entry) {
  ++undelivered_;
  if (!connected()) return;
  room_for<msg::Undelivered>(kEntryBytes).entries.push_back(entry);
}

void LinkOutbox::flush() {
  if (auto* delta = std::get_if<msg::Delta>(&open_)) {
    delta->broker = broker_;
    delta->seq = ++seq_;
    send(std::move(*delta));
  } else if (auto* parcels = std::get_if<msg::FromNodes>(&open_)) {
    send(std::move(*parcels));
  } else if (auto* undelivered = std::get_if<msg::Undelivered>(&open_)) {
    send(std::move(*undelivered));
  }
  open_ = std::monostate();
  open_entries_ = open_bytes_ = 0;
}

void LinkOutbox::put_heartbeat() {
  if (!connected()) return;
  flush();
  send(msg::LinkHeartbeat{broker_, seq_});
}

void LinkOutbox::answer(std::string_view peer, const LinkToDispatcher& message) {
  events_.push_back({Peer(peer), encode(message)});
}

void LinkOutbox::drop_events(std::string_view peer) {
  std::erase_if(events_, [&](const LinkOutput& output) { return output.peer == peer; });
}

void LinkOutbox::check() const {
  GENAI_CHECK(!pending() || connected());
  GENAI_CHECK(pending() == (open_entries_ > 0));
  GENAI_CHECK(open_entries_ <= limits::kMaxBatchEntries);
  GENAI_CHECK(open_bytes_ <= limits::kBatchTargetBytes || open_entries_ <= 1);
}

}  // namespace genai::broker
