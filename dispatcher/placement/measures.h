// PrivateMetaInfo: what the dispatcher measures of each provider, per model and size of the task,
// and what it expects of it next.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dispatcher/placement/trend.h"
#include "protocol/base/ids.h"

namespace genai::dispatcher {

/// Models as small numbers. 0: none asked for.
using ModelId = std::uint32_t;

/// Tasks of one model are alike if their `work` is within a factor of two: log2 of it, rounded,
/// plus 32, from 1 to 63. 0: not said.
using SizeClass = std::uint8_t;
SizeClass size_class(double work);

/// One account per model that a provider was given, at most 64.
struct ModelAccount {
  struct Size {
    SizeClass size = 0;
    Trend run;  // of ln(seconds) without loading
  };
  ModelId model = 0;
  std::vector<Size> sizes;
  Trend load;                // of ln(seconds) of loading
  double good = 0, bad = 0;  // outcomes; each makes the earlier ones count 5 % less
  std::uint64_t lost = 0;    // attempts that were lost with the provider
  std::uint64_t updated_ms = 0;
  bool unsaved = false;
};

/// What a task is expected to take at a provider.
struct Expectation {
  double run_s = 1;    // median, without loading
  double load_s = 0;   // median, if the model is not in memory
  double success = 1;  // ratio, above 0
  bool known = false;  // whether anything was measured of such tasks, anywhere
};

struct Account {
  std::vector<ModelAccount> models;  // few
  Trend speed;  // of ln(run time / that of the fleet for such tasks): how much slower it is

  /// What Measures last expected of it: it is asked several times in a row.
  struct Expected {
    std::uint64_t version = 0;  // of the measures
    ModelId model = 0;
    SizeClass size = 0;
    Expectation expectation;
  };
  mutable Expected expected;

  const ModelAccount* find(ModelId model) const;
};

/// Not thread-safe. Pure. Times are seconds.
///
/// What is known of a provider is weighed against what is known of the fleet (shrinkage: as if one
/// more sample had been the fleet's mean times the provider's speed), so that a newcomer starts
/// with an honest guess, and a single odd sample does not decide.
class Measures {
 public:
  /// `blind`: measures, but expects the same of everybody: placement by queue length.
  explicit Measures(bool blind) : blind_(blind) {}

  /// 0 also when there are too many; those that tasks ask for have room of their own.
  ModelId model(const std::string& name, bool asked_for = true);
  const std::string& name(ModelId model) const { return names_[model]; }

  Expectation expect(const Account& account, ModelId model, SizeClass size) const;
  /// Of a newcomer.
  Expectation expect(ModelId model, SizeClass size) const { return work_out({}, model, size); }
  /// Grows with everything that is measured: until then all is expected as before.
  std::uint64_t version() const { return version_; }
  /// The median run time of the whole fleet, if such a task was ever measured.
  std::optional<double> fleet_run(ModelId model, SizeClass size) const;

  /// An execution took `run_s` after `load_s` of loading (0: none).
  void ran(Account& account, ModelId model, SizeClass size, double run_s, double load_s,
           std::uint64_t now_ms);
  /// An execution ended with an error, or was lost with the provider.
  void failed(Account& account, ModelId model, bool lost, std::uint64_t now_ms);
  /// Takes up what an earlier process measured: first of all providers, then each is compared
  /// with the fleet.
  void restore(Account& account, ModelAccount measured);
  void compare(Account& account);

 private:
  Expectation work_out(const Account& account, ModelId model, SizeClass size) const;
  ModelAccount& fleet_account(ModelId model);
  const ModelAccount* find_fleet(ModelId model) const;
  ModelAccount& account_of(Account& account, ModelId model, std::uint64_t now_ms);

  bool blind_;
  std::uint64_t version_ = 1;
  std::vector<std::string> names_{""};
  std::unordered_map<std::string, ModelId> ids_{{"", 0}};
  std::vector<ModelAccount> fleet_;  // of all providers together, by model
  Trend any_run_, any_load_;         // of all models together
};

}  // namespace genai::dispatcher
