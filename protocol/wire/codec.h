// Turns frames into messages and back. Only this file and its parts in wire/ know msgpack. Decoding
// is strict (SPEC.md, "Frames"): it believes nothing and repairs nothing. It accepts the frames of
// other releases of version 1 (SPEC.md, "Versions"): it skips fields that this release does not
// know, and missing optional fields have their defaults.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/blob.h"
#include "protocol/base/errors.h"
#include "protocol/base/value.h"
#include "protocol/wire/assignment_ref.h"
#include "protocol/wire/kind.h"
#include "protocol/wire/task_spec.h"

namespace genai {

/// V is one of the classes at the end of node.h, link.h and client.h, such as ToNode or
/// ClientRequest: the messages that one side may send on one socket. encode() is declared there
/// too. Payloads and inner frames of the message share the memory of `frame`. If more than half of
/// it is fields that this release does not know, they are copies: a small payload must not keep
/// those fields in memory. Errors: kMalformed, kUnsupportedVersion, kUnknownType, kNotAllowed,
/// kBadField, kTooLarge. The detail names the type and the field, and has no unescaped bytes of the
/// peer.
///
/// Encoding throws std::length_error if a member is over its limit: our own code has made it, and
/// the peer would refuse the frame.
template <class V>
Expected<V> decode(const Blob& frame);

/// Returns the type number in the head of a frame, and reads nothing else. A broker needs no more
/// for a frame that it only passes on.
Expected<std::uint64_t> peek_type(std::string_view frame, Direction direction);

/// Returns the request number in a frame that did not decode, for the ERROR; 0 if it is unreadable.
std::uint64_t peek_request(std::string_view frame);

/// For a RESULT that did not decode. Returns the attempts whose result can never be accepted: those
/// over a limit on bytes, or the only one in the frame; none if that is not clear.
std::vector<AssignmentRef> unreadable_results(const Blob& frame);

/// Returns how many values the frame has: that is the cost of reading it. Builds nothing. Errors:
/// kMalformed, kTooLarge.
Expected<std::size_t> count_values(std::string_view frame);

/// Returns how many assignments a frame for a node has: those of an ASSIGN, else none. Reads only
/// the heads, so believe it only of a dispatcher.
std::size_t count_assignments(std::string_view frame);

/// Returns whether nodes send messages of this type to the dispatcher, through the broker.
bool is_node_task_type(std::uint64_t type);

/// Turn an open map into canonical msgpack (sorted keys), as in TaskSpec::raw, and back.
std::string encode_map(const ValueMap& map);
Expected<ValueMap> decode_map(std::string_view raw);

/// Returns the spec in `raw`, an open map in canonical msgpack.
Expected<TaskSpec> decode_spec(std::string_view raw);

/// Builds the `raw` of a spec from its named members and the `extra` keys (params is one of them).
TaskSpec make_spec(TaskSpec named, const ValueMap& extra);

}  // namespace genai
