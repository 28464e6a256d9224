// What a process counts and measures of itself. A metric is registered by its owner, where it is
// counted; whoever shows metrics walks the registry, so a new metric is one line in its owner and
// one row in SPEC.md.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/value.h"

namespace genai {

/// Only grows, from 0 at the start of the process. The name ends in _total.
class Counter {
 public:
  void operator++() { ++value_; }
  void add(std::uint64_t n) { value_ += n; }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

/// How often which sizes were seen. The name ends in the unit.
class Histogram {
 public:
  /// `bounds` are the upper ends of the buckets, ascending; above the last there is one more.
  explicit Histogram(std::vector<double> bounds);

  void observe(double size);
  std::uint64_t count() const { return count_; }
  /// {count: uint, sum: float, buckets: [[upper end: float, how many up to it: uint], ...]}
  Value value() const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // by bucket
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

/// All metrics of one process. Names are of a-z, 0-9 and _; each is registered once: a second time
/// is a bug and aborts. Not thread-safe. Pure.
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

  /// The reference lives as long as the registry.
  Counter& counter(std::string name, std::string help);
  /// One that is counted elsewhere, read whenever somebody looks.
  void counter(std::string name, std::string help, std::function<std::uint64_t()> read);
  Histogram& histogram(std::string name, std::string help, std::vector<double> bounds);
  /// A value that goes up and down, read whenever somebody looks: a uint or a float.
  void gauge(std::string name, std::string help, std::function<Value()> read);

  /// In the order of registration.
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
