#include "host.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace genai::sim {
namespace {

constexpr Duration kWallStart = from_ms(1'700'000'000'000);
constexpr std::size_t kMaxInbox = 20'000;

}  // namespace

Host::Host(Environment& env, std::string name)
    : env_(env),
      id_(env.hosts.size()),
      name_(std::move(name)),
      booted_(from_ms(1'000'000 + 17'000 * id_)) {
  env.hosts.push_back(this);
}

Now Host::clock() const {
  const Duration now = env_.scheduler.now();
  return {booted_ + now, kWallStart + now + wall_step_};
}

void Host::arrive(Arrival arrival) {
  if (!is_up()) return;
  require(inbox_.size() < kMaxInbox, "{}: what arrives is not read", name_);
  inbox_.push_back(std::move(arrival));
  // What arrives together is handled together.
  wake(env_.scheduler.now() + env_.rng.between(Duration(0), Duration(300)));
}

std::deque<Arrival> Host::take_arrivals() {
  std::deque<Arrival> taken;
  const std::size_t most = env_.rng.one_in(8) ? 1 + env_.rng.below(4) : inbox_.size();
  while (!inbox_.empty() && taken.size() < most) {
    env_.network->was_read(inbox_.front());
    taken.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  return taken;
}

void Host::show(const LogEvent& event) {
  if (!env_.trace.on()) return;
  std::string fields;
  for (const auto& [key, value] : event.fields)
    std::visit(
        [&, key = key](const auto& v) {
          if constexpr (fmt::is_formattable<std::decay_t<decltype(v)>>::value)
            fields += fmt::format(" {}={}", key, v);
        },
        value.v);
  env_.note("{}: {}{}", name_, event.text, fields);
}

void Host::wake(Duration when) {
  when = std::max(when, env_.scheduler.now());
  if (planned_ <= when) return;
  planned_ = when;
  env_.scheduler.at(when, [this, when] { run_planned(when); });
}

void Host::resume() {
  paused_until_ = Duration(0);
  if (is_up()) wake_now();
}

void Host::run_planned(Duration when) {
  if (planned_ != when) return;
  planned_ = kNever;
  if (!is_up()) return;
  if (is_paused()) return wake(paused_until_);
  run(clock());
  if (!is_up()) return;
  if (!inbox_.empty()) return wake_now();
  const Duration due = next_deadline();
  if (due == kNever) return;
  // A loop that is due again at once, and again, would spin.
  spins_ = due <= clock().mono && last_run_ == when ? spins_ + 1 : 0;
  require(spins_ < 1000, "{}: its loop spins", name_);
  last_run_ = when;
  wake(std::max(env_.scheduler.now(), due - booted_));
}

}  // namespace genai::sim
