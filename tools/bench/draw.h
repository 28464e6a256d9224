// Random numbers that are the same everywhere: the standard fixes its engines and their seeding,
// but not its distributions.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace genai::bench {

/// Streams of one seed are independent of each other. Not thread-safe.
class Draw {
 public:
  explicit Draw(std::uint64_t seed, std::uint32_t stream = 0) {
    std::seed_seq words{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                        stream};
    engine_.seed(words);
  }

  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  /// In [0, count); `count` is small.
  std::size_t below(std::size_t count) { return engine_() % count; }
  double exponential(double mean) { return -mean * std::log(1 - uniform()); }
  /// With median 1.
  double lognormal(double sigma) { return std::exp(sigma * normal()); }

 private:
  double normal() {  // Box-Muller
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  std::mt19937_64 engine_;
};

}  // namespace genai::bench
