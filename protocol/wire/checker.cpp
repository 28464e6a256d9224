#include "protocol/wire/checker.h"

#include <cmath>

#include "protocol/base/text.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/encoded_size.h"
#include "protocol/wire/open_map.h"

namespace genai::wire {
namespace {

void check_container(std::size_t entries, std::size_t max, const Path& path, std::size_t depth) {
  if (depth >= limits::kMaxDepth || entries > max)
    refuse(ErrorCode::kTooLarge, path, "nested deeper or counting more than the limits allow");
}

void check_utf8(std::string_view text, const Path& path) {
  if (!is_valid_utf8(text)) refuse(ErrorCode::kMalformed, path, "invalid UTF-8");
}

void check_map(const ValueMap& map, const Path& path, std::size_t depth);

/// `depth`: containers around the value.
void check_value(const Value& value, const Path& path, std::size_t depth) {
  if (const auto* text = std::get_if<std::string>(&value.v)) return check_utf8(*text, path);
  if (const auto* real = std::get_if<double>(&value.v)) {
    if (!std::isfinite(*real)) refuse(ErrorCode::kBadField, path, "not a finite number");
  } else if (const auto* list = std::get_if<ValueList>(&value.v)) {
    check_container(list->size(), limits::kMaxArrayEntries, path, depth);
    for (std::size_t i = 0; i < list->size(); ++i)
      check_value((*list)[i], Path{&path, "", i}, depth + 1);
  } else if (const auto* map = std::get_if<ValueMap>(&value.v)) {
    check_map(*map, path, depth);
  }
}

void check_map(const ValueMap& map, const Path& path, std::size_t depth) {
  check_container(map.size(), limits::kMaxMapEntries, path, depth);
  std::size_t i = 0;
  for (const auto& [key, value] : map) {
    const Path entry{&path, "", i++};
    if (key.size() > limits::kMaxNameBytes)
      refuse(ErrorCode::kTooLarge, entry, "key longer than 128 bytes");
    check_utf8(key, entry);
    check_value(value, entry, depth + 1);
  }
}

void check_map_bytes(std::size_t bytes, const Path& path, std::size_t max) {
  if (bytes > max)
    refuse(ErrorCode::kTooLarge, path, "map larger than " + std::to_string(max) + " bytes");
}

}  // namespace

void Checker::refuse_id(const Path& path) {
  refuse(ErrorCode::kBadField, path, "expected 1 to 64 bytes of [A-Za-z0-9._:-]");
}

void Checker::check_uint(std::uint64_t value, const Path& path, std::uint64_t min,
                         std::uint64_t max) {
  if (value < min || value > max)
    refuse(ErrorCode::kBadField, path,
           "expected " + std::to_string(min) + " to " + std::to_string(max) + ", got " +
               std::to_string(value));
}

void Checker::check_text(const std::string& text, const Path& path, std::size_t max) {
  if (text.size() > max)
    refuse(ErrorCode::kTooLarge, path, "longer than " + std::to_string(max) + " bytes");
  check_utf8(text, path);
}

void Checker::check_entries(std::size_t count, const Path& path, std::size_t min, std::size_t max) {
  if (count < min || count > max)
    refuse(count > max ? ErrorCode::kTooLarge : ErrorCode::kBadField, path,
           "expected " + std::to_string(min) + " to " + std::to_string(max) + " entries, got " +
               std::to_string(count));
}

void Checker::real(const char* field, double value, double min, double max) {
  if (!(value >= min && value <= max))
    refuse(ErrorCode::kBadField, Path{&path_, field}, "number out of range");
}

void Checker::bin(const char* field, const Blob& blob, std::size_t max) {
  if (blob.size() > max)
    refuse(ErrorCode::kTooLarge, Path{&path_, field},
           "longer than " + std::to_string(max) + " bytes");
}

void Checker::element(ValueMap& map, const Path& path, std::size_t depth) {
  check_map(map, path, depth);
}

void Checker::map(const char* field, const ValueMap& map, std::size_t max_bytes) {
  const Path path{&path_, field};
  check_map(map, path, depth_);
  check_map_bytes(encoded_size(map), path, max_bytes);
}

void Checker::meta(const char* field, const PublicMetaInfo& meta) {
  const Path path{&path_, field};
  const MetaSize size = meta_size(meta);
  check_map_bytes(size.bytes, path, limits::kMaxMetaBytes);
  if (size.problem) refuse(size.problem->code, path, size.problem->detail);
}

/// What was read, or built by make_spec(), is msgpack already.
void Checker::check_spec(const char* field, const TaskSpec& spec, bool is_new) {
  const Path path{&path_, field};
  const std::string built = spec.raw.empty() ? encode_map(map_from(spec)) : std::string();
  const std::string_view raw = spec.raw.empty() ? std::string_view(built) : spec.raw;
  const Census census = take_census(raw, depth_);
  if (census.code != ErrorCode::kOk) refuse(census.code, path, census.problem);
  check_map_bytes(raw.size(), path, limits::kMaxSpecBytes);
  Cursor cursor(raw);
  check_canonical_map(cursor, path);
  if (const auto problem = spec_problem(raw, is_new)) refuse(problem->code, path, problem->detail);
}

}  // namespace genai::wire
