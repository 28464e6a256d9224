// The figures that a process counts and measures. The owner of a metric registers it where it
// counts it. A report walks the registry, so a new metric is one line in its owner and one row in
// SPEC.md.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/value.h"

namespace genai {

/// A number that only grows, from 0 at the start of the process. Its name ends in _total.
class Counter {
 public:
  void operator++() { ++value_; }
  void add(std::uint64_t n) { value_ += n; }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

/// Counts how often which values were seen. Its name ends in the unit.
class Histogram {
 public:
  /// `bounds` are the upper ends of the buckets, in ascending order. One more bucket has the rest.
  explicit Histogram(std::vector<double> bounds);

  void observe(double size);
  std::uint64_t count() const { return count_; }
  /// Returns {count: uint, sum: float, buckets: [[upper end: float, how many up to it: uint]...]}.
  Value value() const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // by bucket
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

/// All metrics of one process. A name consists of a-z, 0-9 and _. To register a name twice is a bug
/// and aborts. Not thread-safe. Pure.
class Metrics {
 public:
  enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };
  struct Metric {
    std::string name;
    Kind kind;
    std::string help;  // one sentence, for people
    std::function<Value()> read;
  };

  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Registers a metric. The reference is valid as long as the registry.
  Counter& counter(std::string name, std::string help);
  /// Registers a counter that another object counts. Each report reads it.
  void counter(std::string name, std::string help, std::function<std::uint64_t()> read);
  Histogram& histogram(std::string name, std::string help, std::vector<double> bounds);
  /// Registers a value that goes up and down, a uint or a float. Each report reads it.
  void gauge(std::string name, std::string help, std::function<Value()> read);

  /// Returns all metrics in the order of their registration.
  const std::vector<Metric>& all() const { return all_; }
  /// Adds every metric to an open map, under its name.
  void write(ValueMap& map) const;

 private:
  void add(std::string name, Kind kind, std::string help, std::function<Value()> read);

  std::deque<Counter> counters_;  // a deque: references stay valid
  std::deque<Histogram> histograms_;
  std::vector<Metric> all_;
};

std::string_view name(Metrics::Kind kind);

}  // namespace genai
