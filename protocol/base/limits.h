// The limits that several parts share; those of one file stand there, named kMax. All of them:
// tests/check_limits --list. A peer that goes over one gets the coded error that SPEC.md names
// beside it; accepted work is never evicted to stay under one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genai::limits {

inline constexpr std::uint64_t kProtocolVersion = 1;

// Frames. One message is one frame; a link frame wraps whole node frames, so it is larger.
inline constexpr std::size_t kMaxFrameBytes = 64u << 20;
inline constexpr std::size_t kMaxLinkFrameBytes = kMaxFrameBytes + (1u << 20);
// All that carries neither payloads nor results: no such message needs more at its other limits,
// and reading what is larger would cost more than it says.
inline constexpr std::size_t kMaxControlFrameBytes = 1u << 20;
inline constexpr std::size_t kMaxPayloadBytes = 16u << 20;
inline constexpr std::size_t kMaxResultBytes = 48u << 20;
// A sender closes a batch once it holds this much; one larger entry still travels, alone.
inline constexpr std::size_t kBatchTargetBytes = 1u << 20;

// Shapes inside a frame.
inline constexpr std::size_t kMaxDepth = 12;
inline constexpr std::size_t kMaxBatchEntries = 4096;
inline constexpr std::size_t kMaxSnapshotEntries = 65536;
inline constexpr std::size_t kMaxStatusIds = 256;  // each answer carries a whole log
inline constexpr std::size_t kMaxMapEntries = 256;
inline constexpr std::size_t kMaxArrayEntries = 65536;
inline constexpr std::size_t kMaxFrameValues = 8u << 20;  // each costs many times its byte to read
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
inline constexpr std::size_t kMaxHeld = 4096;  // assignments at one node
inline constexpr std::uint32_t kMaxAttempts = 1000;
inline constexpr std::size_t kMaxTaskLogEntries = 64;  // the oldest in the middle are folded

// Times.
inline constexpr std::uint64_t kMinHeartbeatMs = 10;
inline constexpr std::uint64_t kMaxHeartbeatMs = 60'000;
inline constexpr std::uint64_t kMaxTtlMs = 30ull * 24 * 3600 * 1000;
inline constexpr std::uint64_t kMaxUnixMs = 253'402'300'799'999;  // the end of the year 9999
// A task that was accepted should not vanish because the queue is long: this is an overnight batch.
inline constexpr std::uint64_t kDefaultTtlMs = 24ull * 3600 * 1000;

// Rates.
inline constexpr std::uint64_t kMaxAskedPerSecond = 100'000;  // of a key, or a connection without
// Likewise, for its new kinds of tasks: nodes that are compared for each.
inline constexpr std::uint64_t kMaxRankedPerSecond = 500'000;

// Sockets.
inline constexpr int kHandshakeIvlMs = 3000;
inline constexpr std::size_t kMaxAuthorizedKeys = 100'000;  // files in a daemon's folder
// Messages of a connection that wait to be read; more stay with their sender. Each may be as large
// as a frame, so few: what is small comes in batches.
inline constexpr int kMaxUnreadMessages = 64;
inline constexpr int kListenBacklog = 4096;
// Answers that a peer does not read wait in memory; what does not fit is asked for, or sent, again.
inline constexpr std::size_t kMaxUnsentBytesPerPeer = 2 * kMaxFrameBytes;
inline constexpr std::size_t kMaxUnsentBytes = std::size_t{1} << 30;  // at one socket
inline constexpr int kMaxZmqSockets = 65536;

}  // namespace genai::limits
