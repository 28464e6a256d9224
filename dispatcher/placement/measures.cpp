#include "dispatcher/placement/measures.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "dispatcher/placement/limits.h"

namespace genai::dispatcher {
namespace {

constexpr double kMinSeconds = 0.0005;  // below it the clock and the network are measured
constexpr double kFade = 0.95;          // of earlier outcomes with each new one
constexpr double kFleetFade = 0.995;
// A fleet of which nothing is known counts as one that has brought 4.75 results in 5 tries; and a
// newcomer as one who has brought the fleet's share in 5.
constexpr double kPriorGood = 4.75, kPriorTries = 5;
// Until any node has told what loading a model takes: large models take long.
constexpr double kAssumedLoadSeconds = 10;
// Fewer failures than this are not held against anybody.
constexpr double kForgiven = 0.05;
constexpr double kFleetMemory = 100;  // samples; a provider's own is that of Trend

double log_seconds(double seconds) { return std::log(std::max(seconds, kMinSeconds)); }

/// The run time trend of the nearest size, and what to add for the difference in size.
struct Nearest {
  const Trend* trend = nullptr;
  double shift = 0;
};
Nearest nearest(const ModelAccount* account, SizeClass size) {
  Nearest best;
  int distance = 0;
  if (!account) return best;
  for (const auto& [known, trend] : account->sizes) {
    const bool comparable = known != 0 && size != 0;
    const int apart = comparable ? std::abs(int{known} - int{size}) : known == size ? 0 : 64;
    if (best.trend && apart >= distance) continue;
    distance = apart;
    best = {&trend, comparable ? std::log(2.0) * (int{size} - int{known}) : 0};
  }
  return best;
}

Trend& run_of(ModelAccount& account, SizeClass size) {
  auto it = std::ranges::find(account.sizes, size, &ModelAccount::Size::size);
  if (it == account.sizes.end()) it = account.sizes.insert(it, {size, {}});
  return it->run;
}

double success_of(const ModelAccount* account, double prior) {
  if (!account) return prior;
  return (account->good + prior * kPriorTries) / (account->good + account->bad + kPriorTries);
}

void count(ModelAccount& account, bool good, double keep) {
  account.good = account.good * keep + good;
  account.bad = account.bad * keep + !good;
}

}  // namespace

SizeClass size_class(double work) {
  if (!(work > 0)) return 0;
  return static_cast<SizeClass>(std::clamp(std::lround(std::log2(work)) + 32, 1l, 63l));
}

const ModelAccount* Account::find(ModelId model) const {
  for (const ModelAccount& account : models)
    if (account.model == model) return &account;
  return nullptr;
}

ModelId Measures::model(const std::string& name, bool asked_for) {
  if (auto it = ids_.find(name); it != ids_.end()) return it->second;
  if (names_.size() >= (asked_for ? kMaxModelNames : kMaxModelNames / 2)) return 0;
  const auto id = static_cast<ModelId>(names_.size());
  names_.push_back(name);
  ids_.emplace(name, id);
  return id;
}

ModelAccount& Measures::account_of(Account& account, ModelId model, std::uint64_t now_ms) {
  auto it = std::ranges::find(account.models, model, &ModelAccount::model);
  if (it == account.models.end()) {
    if (account.models.size() == kMaxModelsOfNode)
      account.models.erase(std::ranges::min_element(account.models, {}, &ModelAccount::updated_ms));
    it = account.models.emplace(account.models.end());
    it->model = model;
  }
  it->updated_ms = now_ms;
  it->unsaved = true;
  return *it;
}

ModelAccount& Measures::fleet_account(ModelId model) {
  if (fleet_.size() <= model) fleet_.resize(model + 1);
  fleet_[model].model = model;
  return fleet_[model];
}

const ModelAccount* Measures::find_fleet(ModelId model) const {
  return model < fleet_.size() ? &fleet_[model] : nullptr;
}

std::optional<double> Measures::fleet_run(ModelId model, SizeClass size) const {
  const Nearest fleet = nearest(find_fleet(model), size);
  if (blind_ || !fleet.trend) return std::nullopt;
  return std::exp(fleet.trend->mean + fleet.shift);
}

Expectation Measures::expect(const Account& account, ModelId model, SizeClass size) const {
  Account::Expected& last = account.expected;
  if (last.version != version_ || last.model != model || last.size != size)
    last = {version_, model, size, work_out(account, model, size)};
  return last.expectation;
}

Expectation Measures::work_out(const Account& account, ModelId model, SizeClass size) const {
  Expectation expected;
  if (blind_) return expected;
  const ModelAccount* own = account.find(model);
  const Nearest fleet = nearest(find_fleet(model), size), mine = nearest(own, size);

  double log_run = any_run_.mean, weight = 0;
  if (fleet.trend) {
    // Its speed on other models tells what to expect of it on this one; the more, the surer.
    const double slower = account.speed.mean * account.speed.weight / (account.speed.weight + 1);
    log_run = fleet.trend->mean + fleet.shift + slower;
    weight = 1;
    expected.known = true;
  }
  if (mine.trend) {
    const double w = mine.trend->weight;
    log_run = (mine.trend->mean + mine.shift) * w / (w + weight) + log_run * weight / (w + weight);
  }
  expected.run_s = std::exp(log_run);

  const ModelAccount* all = find_fleet(model);
  if (own && !own->load.empty())
    expected.load_s = std::exp(own->load.mean);
  else if (all && !all->load.empty())
    expected.load_s = std::exp(all->load.mean);
  else if (model != 0 && !any_load_.empty())
    expected.load_s = std::exp(any_load_.mean);
  else if (model != 0)
    expected.load_s = kAssumedLoadSeconds;
  const double prior = success_of(all, kPriorGood / kPriorTries);
  expected.success = std::min(1.0, success_of(own, prior) + kForgiven);
  return expected;
}

void Measures::ran(Account& account, ModelId model, SizeClass size, double run_s, double load_s,
                   std::uint64_t now_ms) {
  ++version_;
  const double log_run = log_seconds(run_s);
  ModelAccount& all = fleet_account(model);
  if (const Nearest fleet = nearest(&all, size); fleet.trend)
    account.speed.add(log_run - fleet.trend->mean - fleet.shift);
  ModelAccount& own = account_of(account, model, now_ms);
  run_of(own, size).add(log_run);
  run_of(all, size).add(log_run, kFleetMemory);
  any_run_.add(log_run, kFleetMemory);
  if (load_s > 0) {
    own.load.add(log_seconds(load_s));
    all.load.add(log_seconds(load_s), kFleetMemory);
    any_load_.add(log_seconds(load_s), kFleetMemory);
  }
  count(own, true, kFade);
  count(all, true, kFleetFade);
}

void Measures::failed(Account& account, ModelId model, bool lost, std::uint64_t now_ms) {
  ++version_;
  ModelAccount& own = account_of(account, model, now_ms);
  count(own, false, kFade);
  count(fleet_account(model), false, kFleetFade);
  if (lost) ++own.lost;
}

void Measures::restore(Account& account, ModelAccount measured) {
  ++version_;
  ModelAccount& all = fleet_account(measured.model);
  // A row of one that only ever failed has no run.
  std::erase_if(measured.sizes, [](const ModelAccount::Size& s) { return s.run.empty(); });
  for (const auto& [size, run] : measured.sizes) {
    run_of(all, size).add(run.mean, kFleetMemory);
    any_run_.add(run.mean, kFleetMemory);
  }
  if (!measured.load.empty()) {
    all.load.add(measured.load.mean, kFleetMemory);
    any_load_.add(measured.load.mean, kFleetMemory);
  }
  all.good += measured.good;
  all.bad += measured.bad;
  account_of(account, measured.model, measured.updated_ms) = std::move(measured);
}

void Measures::compare(Account& account) {
  ++version_;
  account.speed = {};
  for (const ModelAccount& own : account.models) {
    const ModelAccount* all = find_fleet(own.model);
    for (const auto& [size, run] : own.sizes)
      if (const Nearest fleet = nearest(all, size); fleet.trend)
        account.speed.add(run.mean - fleet.trend->mean - fleet.shift);
  }
}

}  // namespace genai::dispatcher
