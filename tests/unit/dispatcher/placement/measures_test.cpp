// What is measured of providers, and what is expected of them from it.
#include "dispatcher/placement/measures.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

using namespace genai::dispatcher;

namespace {

constexpr std::uint64_t kNowMs = 1'700'000'000'000;

struct Measured {
  Measures measures{false};
  ModelId sdxl = measures.model("sdxl"), flux = measures.model("flux");

  void run(Account& account, ModelId model, double run_s, int times = 1, SizeClass size = 0) {
    for (int i = 0; i < times; ++i) measures.ran(account, model, size, run_s, 0, kNowMs);
  }
  double expected(const Account& account, ModelId model, SizeClass size = 0) const {
    return measures.expect(account, model, size).run_s;
  }
};

}  // namespace

TEST_CASE("a trend is a plain mean first, then forgets exponentially") {
  std::mt19937 random(GENERATE(1u, 2u, 3u));
  std::normal_distribution<double> samples(3, 2);
  const double memory = GENERATE(4.0, 10.0);
  Trend trend;
  std::vector<double> all;
  for (int n = 1; n <= 60; ++n) {
    all.push_back(samples(random));
    trend.add(all.back(), memory);
    // Each sample's share: 1/n of a plain mean until memory is full, then each new one takes
    // 1/memory and leaves the rest to the earlier ones.
    std::vector<double> share;
    for (int i = 1; i <= n; ++i) {
      const double gain = 1 / std::min<double>(i, memory);
      for (double& s : share) s *= 1 - gain;
      share.push_back(gain);
    }
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < all.size(); ++i) mean += share[i] * all[i];
    for (std::size_t i = 0; i < all.size(); ++i)
      variance += share[i] * (all[i] - mean) * (all[i] - mean);
    CHECK(trend.mean == Approx(mean));
    CHECK(trend.variance == Approx(variance).margin(1e-9));
    CHECK(trend.weight == std::min<double>(n, memory));
  }
}

TEST_CASE("tasks within a factor of two are alike") {
  CHECK(size_class(0) == 0);
  CHECK(size_class(-1) == 0);
  CHECK(size_class(std::nan("")) == 0);
  CHECK(size_class(1) == 32);
  CHECK(size_class(1.3) == 32);
  CHECK(size_class(2) == 33);
  CHECK(size_class(1e-300) == 1);
  CHECK(size_class(1e300) == 63);
}

TEST_CASE("nothing is known of what nobody ran") {
  Measured m;
  const Expectation expected = m.measures.expect({}, m.sdxl, 0);
  CHECK_FALSE(expected.known);
  CHECK(expected.run_s == 1);
  CHECK(expected.load_s == 10);
  CHECK(expected.success == 1);
  CHECK(m.measures.expect({}, 0, 0).load_s == 0);  // no model, nothing to load
  CHECK_FALSE(m.measures.fleet_run(m.sdxl, 0));
}

TEST_CASE("a newcomer is expected to be like the fleet, and a few of its own samples decide") {
  Measured m;
  Account a, b, newcomer;
  m.run(a, m.sdxl, 10, 20);
  m.run(b, m.sdxl, 10, 20);
  CHECK(m.expected(newcomer, m.sdxl) == Approx(10));
  CHECK(*m.measures.fleet_run(m.sdxl, 0) == Approx(10));
  m.run(newcomer, m.sdxl, 40);
  // One sample of its own, and one of the fleet that its speed has shifted by half of ln 4.
  const double fleet = *m.measures.fleet_run(m.sdxl, 0);
  CHECK(m.expected(newcomer, m.sdxl) == Approx(std::sqrt(40 * fleet * 2)));
  CHECK(m.expected(newcomer, m.sdxl) < 40);
  m.run(newcomer, m.sdxl, 40, 20);
  CHECK(m.expected(newcomer, m.sdxl) == Approx(40).epsilon(0.1));
}

TEST_CASE("an odd sample does not decide, and the geometric mean is what counts") {
  Measured m;
  Account a;
  m.run(a, m.sdxl, 10, 50);
  m.run(a, m.sdxl, 1000);
  CHECK(m.expected(a, m.sdxl) < 18);
  CHECK(m.expected(a, m.sdxl) > 14);
}

TEST_CASE("what is slow with one model is expected to be slow with another") {
  Measured m;
  Account fast, slow;
  for (int i = 0; i < 30; ++i) {
    m.run(fast, m.sdxl, 10);
    m.run(slow, m.sdxl, 30);
  }
  m.run(fast, m.flux, 60, 30);
  const double expected = m.expected(slow, m.flux);
  CHECK(expected > 60 * 1.5);
  CHECK(expected < 60 * 3);
  CHECK(m.expected(Account{}, m.flux) == Approx(60));
}

TEST_CASE("run times scale with the size until that size is measured") {
  Measured m;
  Account a;
  const SizeClass small = size_class(1), large = size_class(16);
  m.run(a, m.sdxl, 2, 30, small);
  CHECK(m.expected(a, m.sdxl, small) == Approx(2));
  CHECK(m.expected(a, m.sdxl, large) == Approx(32));
  CHECK(m.expected(Account{}, m.sdxl, large) == Approx(32));
  CHECK(*m.measures.fleet_run(m.sdxl, large) == Approx(32));
  CHECK(m.expected(a, m.sdxl, 0) == Approx(2));  // not said: no scale
  m.run(a, m.sdxl, 8, 30, large);                // less than proportional
  CHECK(m.expected(a, m.sdxl, large) == Approx(8).epsilon(0.2));
  CHECK(m.expected(a, m.sdxl, small) == Approx(2).epsilon(0.2));
  // The nearest of the two decides.
  CHECK(m.expected(Account{}, m.sdxl, size_class(8)) == Approx(4).epsilon(0.01));
}

TEST_CASE("loading is expected as it was here, else as in the fleet, else as of any model") {
  Measured m;
  Account a, b;
  m.measures.ran(a, m.sdxl, 0, 5, 30, kNowMs);
  CHECK(m.measures.expect(a, m.sdxl, 0).load_s == Approx(30));
  CHECK(m.measures.expect(b, m.sdxl, 0).load_s == Approx(30));
  CHECK(m.measures.expect(b, m.flux, 0).load_s == Approx(30));
  m.measures.ran(b, m.flux, 0, 5, 3, kNowMs);
  CHECK(m.measures.expect(b, m.flux, 0).load_s == Approx(3));
  CHECK(m.measures.expect(a, m.flux, 0).load_s == Approx(3));
  m.measures.ran(b, m.sdxl, 0, 5, 0, kNowMs);  // in memory already: says nothing of loading
  CHECK(m.measures.expect(b, m.sdxl, 0).load_s == Approx(30));
}

TEST_CASE("success starts as the fleet's, follows the outcomes and recovers") {
  Measured m;
  Account good, bad, newcomer;
  m.run(good, m.sdxl, 10, 100);
  CHECK(m.measures.expect(good, m.sdxl, 0).success == 1);
  for (int i = 0; i < 10; ++i) m.measures.failed(bad, m.sdxl, i % 2 == 0, kNowMs);
  const double ratio = m.measures.expect(bad, m.sdxl, 0).success;
  CHECK(ratio > 0.05);
  CHECK(ratio < 0.5);
  CHECK(bad.find(m.sdxl)->lost == 5);
  const double fleet = m.measures.expect(newcomer, m.sdxl, 0).success;
  CHECK(fleet > 0.85);
  CHECK(fleet <= 1);
  CHECK(m.measures.expect(bad, m.flux, 0).success == 1);  // of that model only
  double last = ratio;
  for (int i = 0; i < 60; ++i) {
    m.run(bad, m.sdxl, 10);
    const double now = m.measures.expect(bad, m.sdxl, 0).success;
    CHECK(now >= last);
    last = now;
  }
  CHECK(last > 0.95);
}

TEST_CASE("each outcome makes the earlier ones count five percent less") {
  Measured m;
  Account a;
  for (int i = 0; i < 3; ++i) m.measures.failed(a, m.sdxl, false, kNowMs);
  m.run(a, m.sdxl, 10, 10);
  const ModelAccount& account = *a.find(m.sdxl);
  CHECK(account.bad == Approx((1 + 0.95 + 0.95 * 0.95) * std::pow(0.95, 10)));
  CHECK(account.good == Approx((1 - std::pow(0.95, 10)) / 0.05));
}

TEST_CASE("the same is expected after a restart") {
  Measured before;
  std::mt19937 random(7);
  std::lognormal_distribution<double> noise(0, 0.1);
  std::vector<Account> accounts(5);
  for (int round = 0; round < 40; ++round)
    for (std::size_t n = 0; n < accounts.size(); ++n) {
      const double slower = 1 + static_cast<double>(n);
      const auto run = [&](ModelId model, SizeClass size, double run_s, double load_s) {
        before.measures.ran(accounts[n], model, size, run_s * slower * noise(random), load_s,
                            kNowMs);
      };
      run(before.sdxl, 32, 4, round % 8 ? 0 : 20);
      run(before.sdxl, 34, 16, 0);
      if (n != 4) run(before.flux, 0, 30, 0);
      if (n == 3 && round % 3 == 0) before.measures.failed(accounts[n], before.sdxl, false, kNowMs);
    }
  Measured after;
  std::vector<Account> restored(accounts.size());
  for (std::size_t n = 0; n < accounts.size(); ++n)
    for (const ModelAccount& account : accounts[n].models)
      after.measures.restore(restored[n], account);
  for (std::size_t n = 0; n < accounts.size(); ++n)
    for (const ModelId model : {before.sdxl, before.flux})
      for (const SizeClass size : {SizeClass{0}, SizeClass{32}, SizeClass{34}, SizeClass{36}}) {
        if (n == 4 && model == before.flux) continue;  // its speed is not stored
        const Expectation was = before.measures.expect(accounts[n], model, size);
        const Expectation is = after.measures.expect(restored[n], model, size);
        CAPTURE(n, model, int{size});
        CHECK(is.known == was.known);
        CHECK(is.run_s == Approx(was.run_s).epsilon(0.15));
        CHECK(is.load_s == Approx(was.load_s).epsilon(0.1));
        CHECK(is.success == Approx(was.success).epsilon(0.1));
      }
}

TEST_CASE("a queue-length scheduler expects the same of everybody") {
  Measures blind(true);
  Account slow;
  blind.ran(slow, 0, 0, 100, 5, kNowMs);
  CHECK(blind.expect(slow, 0, 0).run_s == 1);
  CHECK_FALSE(blind.expect(slow, 0, 0).known);
  CHECK_FALSE(blind.fleet_run(0, 0));
}

TEST_CASE("of the models that a node has run only the latest are remembered") {
  Measures measures(false);
  Account account;
  std::vector<ModelId> models;
  for (std::uint64_t i = 0; i < 65; ++i) {
    models.push_back(measures.model("m" + std::to_string(i)));
    measures.ran(account, models.back(), 0, 1, 0, kNowMs + i);
  }
  CHECK(account.models.size() == 64);
  CHECK(account.find(models[0]) == nullptr);
  CHECK(account.find(models[1]) != nullptr);
  CHECK(account.find(models[64]) != nullptr);
}
