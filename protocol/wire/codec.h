// Frames to messages and back: the only place that knows msgpack, with its parts in wire/.
// Decoding is strict (SPEC.md, "Frames"): nothing is believed, nothing is repaired. It takes the
// frames of other releases of version 1 (SPEC.md, "Versions"): fields that this one does not know
// are passed over, optional ones that are missing have their defaults.
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

/// V is one of the classes of node.h, link.h and client.h that end the file, such as ToNode or
/// ClientRequest: what one side may say on one socket. There encode() is declared too.
/// Payloads and inner frames of the message share the memory of `frame`, unless more than half of
/// it is fields that this release does not know: then they are copies, so that whoever keeps a
/// small payload does not keep those fields.
/// Errors: kMalformed, kUnsupportedVersion, kUnknownType, kNotAllowed, kBadField, kTooLarge; the
/// detail names the type and field, never repeats peer bytes unescaped.
///
/// Encoding throws std::length_error where a member is over its limit (our own code built it),
/// since the peer would refuse the frame.
template <class V>
Expected<V> decode(const Blob& frame);

/// The type number in a frame's head without decoding the rest; nothing when there is none. What a
/// broker needs to forward a frame it is not the judge of.
Expected<std::uint64_t> peek_type(std::string_view frame, Direction direction);

/// The request number in a frame that did not decode, for the error answer; 0 when unreadable.
std::uint64_t peek_request(std::string_view frame);

/// Of a RESULT that did not decode: the attempts whose result can never be taken, which are those
/// over a limit on bytes, or the only one that there is. None where that cannot be told.
std::vector<AssignmentRef> unreadable_results(const Blob& frame);

/// How many values the frame has, which is what reading it costs; builds nothing. kMalformed,
/// kTooLarge.
Expected<std::size_t> count_values(std::string_view frame);

/// Whether nodes say messages of this type to the dispatcher, past the broker.
bool is_node_task_type(std::uint64_t type);

/// An open map in canonical msgpack (keys sorted), as TaskSpec::raw holds it, and back.
std::string encode_map(const ValueMap& map);
Expected<ValueMap> decode_map(std::string_view raw);

/// The spec that `raw`, an open map in canonical msgpack, stands for.
Expected<TaskSpec> decode_spec(std::string_view raw);

/// Builds the spec with `raw` from its named members plus `extra` keys (params among them).
TaskSpec make_spec(TaskSpec named, const ValueMap& extra);

}  // namespace genai
