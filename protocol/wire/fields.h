// The fields of each message, once: the same description counts, writes and reads them.
// An archive has a method for each kind of field (GENAI_FIELD_KINDS), and two for the marks between
// fields (SPEC.md, "Versions"):
// - optional(): fields behind it may be missing, and keep the value that the struct gives them. A
//   field whose absence would lose work is never optional.
// - appended(): fields behind it came after the first release of version 1. They are optional too,
//   and a writer leaves out those at the end that have their default, so that peers which know only
//   the first release are sent what they know. A new field goes to the end, behind this mark.
#pragma once

#include "protocol/base/limits.h"
#include "protocol/wire/messages.h"

namespace genai::wire {

using namespace limits;

// clang-format off
#define GENAI_FIELD_KINDS(X)                                      \
  X(id) X(uint) X(real) X(flag) X(text) X(bin) X(code) X(enumerated) \
  X(map) X(spec) X(new_spec) X(meta) X(nested) X(list)
// clang-format on

template <class Ar>
void fields(Ar& ar, AssignmentRef& r) {
  ar.id("task_id", r.task_id);
  ar.uint("attempt", r.attempt, 1, UINT32_MAX);
  ar.uint("epoch", r.epoch);
}

// ---- nodes
// ---------------------------------------------------------------------------------------

template <class Ar>
void fields(Ar& ar, msg::Hello& m) {
  ar.id("node_id", m.node_id);
  ar.id("session", m.session);
  ar.meta("meta", m.meta);
  ar.list("held", m.held, 0, kMaxHeld);
}
template <class Ar>
void fields(Ar& ar, msg::Heartbeat& m) {
  ar.uint("seq", m.seq);
  ar.list("held", m.held, 0, kMaxHeld);
  ar.optional();
  ar.list("loaded_models", m.loaded_models, 0, kMaxModels);
}
template <class Ar>
void fields(Ar& ar, msg::Leave& m) {
  ar.optional();
  ar.text("reason", m.reason, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Bye& m) {
  ar.optional();
  ar.text("reason", m.reason, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Welcome& m) {
  ar.id("broker", m.broker);
  ar.uint("heartbeat_ms", m.heartbeat_ms, kMinHeartbeatMs, kMaxHeartbeatMs);
  ar.uint("suspect_ms", m.suspect_ms, 1, kMaxTtlMs);
  ar.uint("lost_ms", m.lost_ms, 1, kMaxTtlMs);
}
template <class Ar>
void fields(Ar& ar, msg::HeartbeatReply& m) {
  ar.uint("seq", m.seq);
}
template <class Ar>
void fields(Ar&, msg::Goodbye&) {}

// ---- assignments
// ---------------------------------------------------------------------------------

template <class Ar>
void fields(Ar& ar, msg::Assignment& m) {
  ar.nested("ref", m.ref);
  ar.spec("spec", m.spec);
  ar.bin("payload", m.payload, kMaxPayloadBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Assign& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Abort::Entry& m) {
  ar.nested("ref", m.ref);
  ar.code("code", m.code);
}
template <class Ar>
void fields(Ar& ar, msg::Abort& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Keep& m) {
  ar.list("refs", m.refs, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::ResultAck::Entry& m) {
  ar.nested("ref", m.ref);
  ar.code("code", m.code);
}
template <class Ar>
void fields(Ar& ar, msg::ResultAck& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::AssignAck::Entry& m) {
  ar.nested("ref", m.ref);
  ar.code("code", m.code);
  ar.optional();
  ar.text("detail", m.detail, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::AssignAck& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Progress::Entry& m) {
  ar.nested("ref", m.ref);
  ar.real("fraction", m.fraction, 0, 1);
  ar.optional();
  ar.text("text", m.text, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Progress& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Result::Entry& m) {
  ar.nested("ref", m.ref);
  ar.enumerated("outcome", m.outcome, msg::kMaxOutcome);
  ar.map("info", m.info, kMaxResultInfoBytes);
  ar.bin("data", m.data, kMaxResultBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Result& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::AbortAck::Entry& m) {
  ar.nested("ref", m.ref);
  ar.enumerated("outcome", m.outcome, msg::kMaxAbortOutcome);
}
template <class Ar>
void fields(Ar& ar, msg::AbortAck& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}

// ---- link
// ----------------------------------------------------------------------------------------

template <class Ar>
void fields(Ar& ar, msg::LinkHello& m) {
  ar.id("dispatcher", m.dispatcher);
  ar.uint("epoch", m.epoch);
}
template <class Ar>
void fields(Ar& ar, msg::Parcel& m) {
  ar.id("session", m.session);
  ar.bin("frame", m.frame, kMaxFrameBytes);
}
template <class Ar>
void fields(Ar& ar, msg::ToNodes& m) {
  ar.list("parcels", m.parcels, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::ProviderEntry& m) {
  ar.id("session", m.session);
  ar.id("node_id", m.node_id);
  ar.enumerated("state", m.state, kMaxProviderState);
  ar.meta("meta", m.meta);
  ar.list("held", m.held, 0, kMaxHeld);
}
template <class Ar>
void fields(Ar& ar, msg::Snapshot& m) {
  ar.id("broker", m.broker);
  ar.uint("seq", m.seq);
  ar.uint("uptime_ms", m.uptime_ms);
  ar.list("providers", m.providers, 0, kMaxSnapshotEntries);
  ar.optional();
  ar.flag("more", m.more);
}
template <class Ar>
void fields(Ar& ar, msg::Delta::Joined& m) {
  ar.nested("provider", m.provider);
}
template <class Ar>
void fields(Ar& ar, msg::Delta::StateChanged& m) {
  ar.id("session", m.session);
  ar.enumerated("state", m.state, kMaxProviderState);
  ar.optional();
  ar.text("reason", m.reason, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Delta::Beat& m) {
  ar.id("session", m.session);
  ar.list("held", m.held, 0, kMaxHeld);
  ar.optional();
  ar.list("loaded_models", m.loaded_models, 0, kMaxModels);
}
template <class Ar>
void fields(Ar& ar, msg::Delta& m) {
  ar.id("broker", m.broker);
  ar.uint("seq", m.seq);
  ar.list("changes", m.changes, 1, kMaxSnapshotEntries);
}
template <class Ar>
void fields(Ar& ar, msg::FromNodes& m) {
  ar.list("parcels", m.parcels, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Undelivered::Entry& m) {
  ar.id("session", m.session);
  ar.code("code", m.code);
}
template <class Ar>
void fields(Ar& ar, msg::Undelivered& m) {
  ar.list("entries", m.entries, 1, kMaxSnapshotEntries);
}
template <class Ar>
void fields(Ar& ar, msg::LinkHeartbeat& m) {
  ar.id("instance", m.instance);
  ar.uint("seq", m.seq);
}

// ---- clients
// -------------------------------------------------------------------------------------

template <class Ar>
void fields(Ar& ar, msg::Submission& m) {
  ar.id("task_id", m.task_id);
  ar.new_spec("spec", m.spec);
  ar.bin("payload", m.payload, kMaxPayloadBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Submit& m) {
  ar.uint("request", m.request);
  ar.enumerated("watch", m.watch, msg::kMaxWatchLevel);
  ar.list("tasks", m.tasks, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Watch& m) {
  ar.uint("request", m.request);
  ar.enumerated("level", m.level, msg::kMaxWatchLevel);
  ar.list("ids", m.ids, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::DeliverAck& m) {
  ar.list("ids", m.ids, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Cancel& m) {
  ar.uint("request", m.request);
  ar.list("ids", m.ids, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Replay::Entry& m) {
  ar.id("of", m.of);
  ar.id("as", m.as);
}
template <class Ar>
void fields(Ar& ar, msg::Replay& m) {
  ar.uint("request", m.request);
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Purge& m) {
  ar.uint("request", m.request);
  ar.list("ids", m.ids, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Purged& m) {
  ar.uint("request", m.request);
  ar.list("verdicts", m.verdicts, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Reprioritise& m) {
  ar.uint("request", m.request);
  ar.uint("priority", m.priority, 0, kMaxPriority);
  ar.list("ids", m.ids, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Reprioritised& m) {
  ar.uint("request", m.request);
  ar.list("verdicts", m.verdicts, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::StatusQuery& m) {
  ar.uint("request", m.request);
  ar.list("ids", m.ids, 1, kMaxStatusIds);
}
template <class Ar>
void fields(Ar& ar, msg::List& m) {
  ar.uint("request", m.request);
  ar.map("filter", m.filter, kMaxSpecBytes);
}
template <class Ar>
void fields(Ar& ar, msg::NodesQuery& m) {
  ar.uint("request", m.request);
  ar.optional();
  ar.flag("measured", m.measured);
}
template <class Ar>
void fields(Ar& ar, msg::StatsQuery& m) {
  ar.uint("request", m.request);
}
template <class Ar>
void fields(Ar& ar, msg::Drain& m) {
  ar.uint("request", m.request);
  ar.text("target", m.target, kMaxIdBytes);
  ar.flag("on", m.on);
}
template <class Ar>
void fields(Ar& ar, msg::Ping& m) {
  ar.uint("request", m.request);
}
template <class Ar>
void fields(Ar& ar, msg::Verdict& m) {
  ar.id("task_id", m.task_id);
  ar.code("code", m.code);
  ar.optional();
  ar.text("detail", m.detail, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Estimate& m) {
  ar.uint("start_p50_ms", m.start_p50_ms);
  ar.uint("start_p95_ms", m.start_p95_ms);
  ar.uint("finish_p50_ms", m.finish_p50_ms);
  ar.uint("finish_p95_ms", m.finish_p95_ms);
}
template <class Ar>
void fields(Ar& ar, msg::Acceptance& m) {
  ar.id("task_id", m.task_id);
  ar.code("code", m.code);
  ar.optional();
  ar.text("detail", m.detail, kMaxTextBytes);
  ar.uint("retry_after_ms", m.retry_after_ms);
  ar.nested("estimate", m.estimate);
}
template <class Ar>
void fields(Ar& ar, msg::Accepted& m) {
  ar.uint("request", m.request);
  ar.list("verdicts", m.verdicts, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Cancelled& m) {
  ar.uint("request", m.request);
  ar.list("verdicts", m.verdicts, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Update::Entry& m) {
  ar.id("task_id", m.task_id);
  ar.enumerated("status", m.status, kMaxTaskStatus);
  ar.text("node_id", m.node_id, kMaxIdBytes);
  ar.optional();
  ar.real("fraction", m.fraction, 0, 1);
  ar.text("text", m.text, kMaxTextBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Update& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Deliver::Entry& m) {
  ar.id("task_id", m.task_id);
  ar.enumerated("status", m.status, kMaxTaskStatus);
  ar.code("code", m.code);
  ar.map("info", m.info, kMaxInfoBytes);
  ar.bin("data", m.data, kMaxResultBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Deliver& m) {
  ar.list("entries", m.entries, 1, kMaxBatchEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Tasks& m) {
  ar.uint("request", m.request);
  ar.list("tasks", m.tasks, 0, kMaxBatchEntries);
  ar.optional();
  ar.flag("more", m.more);
}
template <class Ar>
void fields(Ar& ar, msg::NodeList& m) {
  ar.uint("request", m.request);
  ar.list("nodes", m.nodes, 0, kMaxSnapshotEntries);
}
template <class Ar>
void fields(Ar& ar, msg::Stats& m) {
  ar.uint("request", m.request);
  ar.map("stats", m.stats, kMaxInfoBytes);
}
template <class Ar>
void fields(Ar& ar, msg::Done& m) {
  ar.uint("request", m.request);
}
template <class Ar>
void fields(Ar& ar, msg::Pong& m) {
  ar.uint("request", m.request);
  ar.uint("epoch", m.epoch);
  ar.uint("watched", m.watched);
}
template <class Ar>
void fields(Ar& ar, msg::ErrorReply& m) {
  ar.uint("request", m.request);
  ar.code("code", m.code);
  ar.optional();
  ar.text("detail", m.detail, kMaxTextBytes);
}

}  // namespace genai::wire
