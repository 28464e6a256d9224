// Bugs that the simulator must find, to show that it would find ours: compiled in by tests/sim
// only, for a program that serves nobody else. Everywhere else GENAI_PLANTED(x) is `false`.
// Plant them in .cpp files: only these are compiled once more, not those that include a header.
#pragma once

#ifdef GENAI_PLANT_BUGS

#include <cstdint>

namespace genai {

enum class Planted : std::uint8_t {
  kNone,
  // dispatcher
  kSendUncommitted,     // what promises something leaves before its commit
  kAckUncommitted,      // results are acknowledged to nodes before they are written
  kDeliverUncommitted,  // results go to clients before they are written
  kSpeakAfterFence,     // what waits for a commit leaves though another has the store
  kForgetToJournal,     // that a task failed is not written
  kTrustAnySession,     // whoever names an attempt may report on it
  kResultAfterEnd,      // a result counts though the task has ended
  kCancelAfterEnd,      // so does a cancel
  kForgetDeadline,      // tasks do not expire
  kRequeueTwice,        // a task gets into the queue twice
  kForgetRequeue,       // what a lost node was executing stays with it
  kForgetAbort,         // nobody tells the node that an attempt is over
  kReuseAttempt,        // attempts do not grow
  kAssignToSuspect,     // silent nodes get work
  kOverfill,            // more than slots and prefetch
  kLoadDrift,           // a node's load is not reduced when a task leaves it
  kCountDrift,          // a task that ends is still counted where it was
  kSeeOtherTenants,     // tenants see each other's tasks
  kForgetTakenOver,     // a node that is at another broker after all is not asked for
  kSpin,                // something is always due
  kSayAllWatched,       // PONG tells clients what they want to hear
  // broker
  kForgetEpoch,         // a dispatcher that was succeeded is let in again
  kTrustNodeId,         // a key is good for any node id
  kMalformedEndsNodes,  // a frame that cannot be read ends its session
  // node
  kRunTwice,    // a repeated assignment is run again
  kRunTooMany,  // more at once than there are slots
  // client
  kForgetToWatchAgain,  // after a restart of the dispatcher
  kCount,
};

/// The one that is planted in this run.
extern Planted planted;

}  // namespace genai

#define GENAI_PLANTED(bug) (::genai::planted == ::genai::Planted::bug)

#else
#define GENAI_PLANTED(bug) false
#endif
