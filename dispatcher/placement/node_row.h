// What is stored of nodes: what outlives their sessions.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/base/ids.h"

namespace genai::dispatcher::store {

/// What is known of a node beyond its sessions.
struct NodeRow {
  NodeId id;
  bool drained = false;                                             // by an operator
  std::uint64_t assigned = 0, completed = 0, failed = 0, lost = 0;  // attempts, over all sessions

  friend bool operator==(const NodeRow&, const NodeRow&) = default;

  /// As TaskRecord::fields.
  template <class Ar, class... Row>
  static void fields(Ar& ar, Row&... row) {
    ar.key("node_id", row.id...);
    ar.changing("drained", row.drained...);
    ar.changing("assigned", row.assigned...);
    ar.changing("completed", row.completed...);
    ar.changing("failed", row.failed...);
    ar.changing("lost", row.lost...);
  }
};

/// What was measured of a node with tasks of one model and size (PrivateMetaInfo). Trends are of
/// ln(seconds). All rows of one node and model have the same figures but those of `run`.
struct MeasureRow {
  NodeId node;
  std::string model;      // empty: of tasks that ask for none
  std::uint8_t size = 0;  // SizeClass
  double runs = 0, run_mean = 0, run_variance = 0;
  double loads = 0, load_mean = 0, load_variance = 0;
  double good = 0, bad = 0;  // outcomes, old ones counting less
  std::uint64_t lost = 0, updated_ms = 0;

  friend bool operator==(const MeasureRow&, const MeasureRow&) = default;

  /// As TaskRecord::fields.
  template <class Ar, class... Row>
  static void fields(Ar& ar, Row&... row) {
    ar.key("node_id", row.node...);
    ar.key("model", row.model...);
    ar.key("size", row.size...);
    ar.changing("runs", row.runs...);
    ar.changing("run_mean", row.run_mean...);
    ar.changing("run_variance", row.run_variance...);
    ar.changing("loads", row.loads...);
    ar.changing("load_mean", row.load_mean...);
    ar.changing("load_variance", row.load_variance...);
    ar.changing("good", row.good...);
    ar.changing("bad", row.bad...);
    ar.changing("lost", row.lost...);
    ar.changing("updated_ms", row.updated_ms...);
  }
};

}  // namespace genai::dispatcher::store
