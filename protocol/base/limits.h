// The limits that several parts share. Others are in the limits.h of a folder, or are a kMax... in
// their file; tests/check_limits --list prints all. A peer that passes a limit gets the error code
// that SPEC.md names there. Accepted work is never dropped to stay under a limit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genai::limits {

inline constexpr std::uint64_t kProtocolVersion = 1;

// Frames. One message is one frame. A frame of the link contains whole node frames: it is larger.
inline constexpr std::size_t kMaxFrameBytes = 64u << 20;
inline constexpr std::size_t kMaxLinkFrameBytes = kMaxFrameBytes + (1u << 20);
// For messages that carry neither payloads nor results. Their other limits need no more than this,
// and a larger frame would cost more to read than it can tell.
inline constexpr std::size_t kMaxControlFrameBytes = 1u << 20;
inline constexpr std::size_t kMaxPayloadBytes = 16u << 20;
inline constexpr std::size_t kMaxResultBytes = 48u << 20;
inline constexpr std::size_t kMaxFetchBytes = 8u << 20;  // of a result in one answer
// A sender closes a batch when it has this many bytes. A larger entry is sent alone.
inline constexpr std::size_t kBatchTargetBytes = 1u << 20;

// Shapes inside a frame.
inline constexpr std::size_t kMaxDepth = 12;
inline constexpr std::size_t kMaxBatchEntries = 4096;
inline constexpr std::size_t kMaxSnapshotEntries = 65536;
inline constexpr std::size_t kMaxStatusIds = 256;  // each answer has a whole log
inline constexpr std::size_t kMaxMapEntries = 256;
inline constexpr std::size_t kMaxArrayEntries = 65536;
inline constexpr std::size_t kMaxFrameValues = 8u << 20;  // each costs many bytes to read
inline constexpr std::size_t kMaxSpecBytes = 64u << 10;
inline constexpr std::size_t kMaxMetaBytes = 64u << 10;
inline constexpr std::size_t kMaxInfoBytes = 64u << 10;
inline constexpr std::size_t kMaxResultInfoBytes = 32u << 10;  // the dispatcher adds its own keys

// Names and texts.
inline constexpr std::size_t kMaxIdBytes = 64;
inline constexpr std::size_t kMaxNameBytes = 128;       // models, gpu types, tenants
inline constexpr std::size_t kMaxTextBytes = 4096;      // reasons, progress texts, error tails
inline constexpr std::size_t kMaxLogReasonBytes = 512;  // in a task's log
inline constexpr std::size_t kMaxModels = 4096;         // at one node

// Counts.
inline constexpr std::uint8_t kMaxPriority = 9;
inline constexpr std::uint8_t kDefaultPriority = 5;
inline constexpr std::uint32_t kMaxSlots = 1024;
inline constexpr std::size_t kMaxHeld = 4096;  // attempts at one node
inline constexpr std::uint32_t kMaxAttempts = 1000;
inline constexpr std::size_t kMaxTaskLogEntries = 64;  // the oldest in the middle are dropped

// Times.
inline constexpr std::uint64_t kMinHeartbeatMs = 10;
inline constexpr std::uint64_t kMaxHeartbeatMs = 60'000;
inline constexpr std::uint64_t kMaxTtlMs = 30ull * 24 * 3600 * 1000;
inline constexpr std::uint64_t kMaxUnixMs = 253'402'300'799'999;  // the end of the year 9999
// An accepted task should not expire because the queue is long. This is enough for a night's batch.
inline constexpr std::uint64_t kDefaultTtlMs = 24ull * 3600 * 1000;

// Rates.
inline constexpr std::uint64_t kMaxAskedPerSecond = 100'000;  // units, of one key
// Comparisons of nodes for new kinds of tasks. A connection without a key counts as one key.
inline constexpr std::uint64_t kMaxRankedPerSecond = 500'000;

// Sockets.
inline constexpr int kHandshakeIvlMs = 3000;
inline constexpr std::size_t kMaxAuthorizedKeys = 100'000;  // files in a daemon's folder
// Messages of a connection that wait to be read; more stay with their sender. They are few because
// each may be as large as a frame. Small messages come in batches.
inline constexpr int kMaxUnreadMessages = 64;
inline constexpr int kListenBacklog = 4096;
// Messages that a peer does not read wait in memory, up to this. Others are dropped and come again.
inline constexpr std::size_t kMaxUnsentBytesPerPeer = 2 * kMaxFrameBytes;
inline constexpr std::size_t kMaxUnsentBytes = std::size_t{1} << 30;  // at one socket
inline constexpr int kMaxZmqSockets = 65536;

}  // namespace genai::limits
