// How wrong estimates are, so that the next ones are less so.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace genai::dispatcher {

/// Follows the median and the 95th percentile of (what it took / what was estimated), and puts
/// estimates right by them. Source: stochastic approximation of a quantile (Robbins and Monro,
/// 1951), on the logarithm.
class Calibration {
 public:
  double p50(double estimate_s) const { return estimate_s * std::exp(log_p50_); }
  double p95(double estimate_s) const { return estimate_s * std::exp(log_p95_); }

  /// What p50() and p95() had said, and what came, in seconds.
  void observe(double p50_s, double p95_s, double took_s) {
    log_p50_ += kStep * (took_s <= p50_s ? -0.5 : 0.5);
    log_p95_ += kStep * (took_s <= p95_s ? -0.05 : 0.95);
    log_p50_ = std::clamp(log_p50_, -3.0, 3.0);
    log_p95_ = std::clamp(log_p95_, log_p50_, 5.0);
    held_ += took_s <= p95_s;
    ++observed_;
  }

  /// The share of those observed that took no longer than their p95.
  double held() const {
    return observed_ == 0 ? 0 : static_cast<double>(held_) / static_cast<double>(observed_);
  }
  std::uint64_t observed() const { return observed_; }

 private:
  static constexpr double kStep = 0.05;

  double log_p50_ = 0, log_p95_ = 0.7;
  std::uint64_t held_ = 0, observed_ = 0;
};

}  // namespace genai::dispatcher
