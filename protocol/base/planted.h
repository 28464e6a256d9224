// Bugs that the simulator must find, to show that it would find real ones. Only tests/sim compiles
// them in, for a program that has no other use. Everywhere else GENAI_PLANTED(x) is `false`. Plant
// them in .cpp files: only these are compiled again, not the users of a header.
#pragma once

#ifdef GENAI_PLANT_BUGS

#include <cstdint>

namespace genai {

enum class Planted : std::uint8_t {
  kNone,
  // dispatcher
  kSendUncommitted,     // promises are sent before their commit
  kAckUncommitted,      // results are acknowledged to nodes before they are written
  kDeliverUncommitted,  // results go to clients before they are written
  kSpeakAfterFence,     // messages that wait are sent though another has the store
  kForgetToJournal,     // a failed task is not written
  kTrustAnySession,     // any node may report on any attempt
  kResultAfterEnd,      // a result is accepted though the task has ended
  kCancelAfterEnd,      // a cancel is accepted though the task has ended
  kForgetDeadline,      // tasks do not expire
  kRequeueTwice,        // a task gets into the queue twice
  kForgetRequeue,       // tasks that a lost node was executing stay with it
  kForgetAbort,         // nobody tells the node that an attempt is over
  kReuseAttempt,        // the number of an attempt is used again
  kAssignToSuspect,     // silent nodes get work
  kOverfill,            // nodes get more tasks than slots and prefetch
  kLoadDrift,           // a node's load is not reduced when a task leaves it
  kCountDrift,          // a task that ends is still counted where it was
  kSeeOtherTenants,     // tenants see each other's tasks
  kForgetTakenOver,     // nobody asks whether another broker has a lost node
  kSpin,                // the machine always has something due
  kSayAllWatched,       // PONG says that a client watches all its tasks
  // broker
  kForgetEpoch,         // a dispatcher that was replaced is accepted again
  kTrustNodeId,         // a key is good for any node id
  kMalformedEndsNodes,  // a frame that cannot be read ends its session
  // node
  kRunTwice,    // a repeated assignment is run again
  kRunTooMany,  // more tasks run at once than there are slots
  // client
  kForgetToWatchAgain,  // it does not watch after a restart of the dispatcher
  kCount,
};

/// The bug that is planted in this run.
extern Planted planted;

}  // namespace genai

#define GENAI_PLANTED(bug) (::genai::planted == ::genai::Planted::bug)

#else
#define GENAI_PLANTED(bug) false
#endif
