#include "protocol/base/metrics.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"

namespace genai {

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  GENAI_CHECK(std::ranges::is_sorted(bounds_));
}

void Histogram::observe(double size) {
  const auto bucket = std::ranges::lower_bound(bounds_, size) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  ++count_;
  sum_ += size;
}

Value Histogram::value() const {
  ValueList buckets;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    below += counts_[i];
    buckets.emplace_back(ValueList{Value(bounds_[i]), Value(below)});
  }
  return ValueMap{{"count", count_}, {"sum", sum_}, {"buckets", std::move(buckets)}};
}

Counter& Metrics::counter(std::string name, std::string help) {
  Counter& counter = counters_.emplace_back();
  add(std::move(name), Kind::kCounter, std::move(help), [&counter] { return counter.value(); });
  return counter;
}

void Metrics::counter(std::string name, std::string help, std::function<std::uint64_t()> read) {
  add(std::move(name), Kind::kCounter, std::move(help), std::move(read));
}

Histogram& Metrics::histogram(std::string name, std::string help, std::vector<double> bounds) {
  Histogram& histogram = histograms_.emplace_back(std::move(bounds));
  add(std::move(name), Kind::kHistogram, std::move(help),
      [&histogram] { return histogram.value(); });
  return histogram;
}

void Metrics::gauge(std::string name, std::string help, std::function<Value()> read) {
  add(std::move(name), Kind::kGauge, std::move(help), std::move(read));
}

void Metrics::add(std::string name, Kind kind, std::string help, std::function<Value()> read) {
  GENAI_CHECK(std::ranges::none_of(all_, [&](const Metric& m) { return m.name == name; }));
  all_.push_back({std::move(name), kind, std::move(help), std::move(read)});
}

void Metrics::write(ValueMap& map) const {
  for (const Metric& metric : all_) map.insert_or_assign(metric.name, metric.read());
}

std::string_view name(Metrics::Kind kind) {
  switch (kind) {
    case Metrics::Kind::kCounter:
      return "counter";
    case Metrics::Kind::kGauge:
      return "gauge";
    case Metrics::Kind::kHistogram:
      return "histogram";
  }
  return "?";
}

}  // namespace genai
