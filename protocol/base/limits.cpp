// What must hold between the limits; whoever changes one is told here what else depends on it.
#include "protocol/base/limits.h"

namespace genai::limits {

// The largest message of each kind fits its frame. 1 KiB is for the rest of an entry.
static_assert(kMaxPayloadBytes + kMaxSpecBytes + 1024 < kMaxFrameBytes);
static_assert(kMaxResultBytes + kMaxResultInfoBytes + 1024 < kMaxFrameBytes);
static_assert(kMaxFrameBytes < kMaxLinkFrameBytes);
// A batch is closed by the entry with which it is full.
static_assert(kBatchTargetBytes + kMaxPayloadBytes + kMaxSpecBytes < kMaxFrameBytes);
static_assert(kBatchTargetBytes + kMaxResultBytes + kMaxResultInfoBytes < kMaxFrameBytes);
// Messages without payloads and results: a HELLO that names all that its node holds, a list of ids.
static_assert(kMaxMetaBytes + kMaxHeld * (kMaxIdBytes + 16) < kMaxControlFrameBytes);
static_assert(kMaxBatchEntries * (kMaxIdBytes + 16) < kMaxControlFrameBytes);
static_assert(kMaxControlFrameBytes < kMaxFrameBytes);

// Open maps: the dispatcher adds to what a node says of its result.
static_assert(kMaxResultInfoBytes < kMaxInfoBytes);
static_assert(kMaxTextBytes < kMaxResultInfoBytes);
static_assert(kMaxLogReasonBytes <= kMaxTextBytes);
static_assert(kMaxIdBytes <= kMaxNameBytes);

// Lists are arrays, and no reader takes a longer one.
static_assert(kMaxBatchEntries <= kMaxArrayEntries);
static_assert(kMaxSnapshotEntries <= kMaxArrayEntries);
static_assert(kMaxModels <= kMaxArrayEntries);
static_assert(kMaxHeld <= kMaxArrayEntries);
static_assert(kMaxStatusIds <= kMaxBatchEntries);
static_assert(kMaxArrayEntries < kMaxFrameValues);
// A node may hold more than runs: its queue, and results that nobody has acknowledged.
static_assert(kMaxSlots < kMaxHeld);

static_assert(kDefaultPriority <= kMaxPriority);
static_assert(kMinHeartbeatMs < kMaxHeartbeatMs);
static_assert(kDefaultTtlMs <= kMaxTtlMs);
static_assert(kMaxTtlMs < kMaxUnixMs);

// A peer that reads nothing leaves room for others, and one frame always fits.
static_assert(kMaxLinkFrameBytes <= kMaxUnsentBytesPerPeer);
static_assert(kMaxUnsentBytesPerPeer < kMaxUnsentBytes);

}  // namespace genai::limits
