#include "tools/node/workers.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "protocol/wire/codec.h"
#include "tools/node/json_text.h"

namespace genai::node {
namespace {

std::map<std::string, Param> params_from(const ValueMap& params) {
  std::map<std::string, Param> out;
  for (const auto& [key, value] : params)
    std::visit(
        [&, &key = key, &value = value](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_constructible_v<Param, V> && !std::is_same_v<V, std::monostate>)
            out.emplace(key, v);
          else
            out.emplace(key, json_text(value));
        },
        value.v);
  return out;
}

Task task_from(const Effects::Start& start) {
  Task task;
  task.id = start.ref.task_id.str();
  task.attempt = start.ref.attempt;
  task.model = start.spec.needs.model;
  task.label = start.spec.label;
  task.time_limit_ms = start.spec.time_limit_ms;
  if (const auto spec = decode_map(start.spec.raw))
    task.params = params_from(get_map(*spec, "params"));
  task.payload = std::string(start.payload.view());
  return task;
}

}  // namespace

Mailbox::Mailbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { close(fd_); }

void Mailbox::signal() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void Mailbox::put(Report::Kind report) {
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::move(report));
  signal();
}

void Mailbox::put_progress(Report::Progress progress) {
  const std::lock_guard lock(mutex_);
  for (Report::Kind& report : reports_) {
    auto* waiting = std::get_if<Report::Progress>(&report);
    if (waiting && waiting->ref == progress.ref) return void(*waiting = std::move(progress));
  }
  reports_.push_back(std::move(progress));
  signal();
}

std::vector<Report::Kind> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(fd_, &count, sizeof count);
  return std::exchange(reports_, {});
}

class Workers::Context : public TaskContext {
 public:
  Context(AssignmentRef ref, Mailbox& mailbox) : ref_(std::move(ref)), mailbox_(mailbox) {}

  void progress(double fraction, std::string_view text) override {
    mailbox_.put_progress({ref_, fraction, std::string(text)});
  }
  bool aborted() const override {
    const std::lock_guard lock(mutex_);
    return aborted_;
  }
  bool wait_aborted(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return aborted_; });
  }
  // The callback runs under the lock, so that it is over before detach returns.
  void on_abort(std::function<void()> callback) override {
    const std::lock_guard lock(mutex_);
    callback_ = std::move(callback);
    if (aborted_) call();
  }

  void abort() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(aborted_, true)) return;
    changed_.notify_all();
    call();
  }
  void detach() {
    const std::lock_guard lock(mutex_);
    callback_ = {};
  }

 private:
  void call() {
    if (auto callback = std::exchange(callback_, {})) callback();
  }

  const AssignmentRef ref_;
  Mailbox& mailbox_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool aborted_ = false;
  std::function<void()> callback_;
};

Workers::Workers(std::uint32_t slots, Handler handler, Mailbox& mailbox)
    : slots_(slots), handler_(std::move(handler)), mailbox_(mailbox) {}

Workers::~Workers() {
  for (const auto& [ref, context] : contexts_) context->abort();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    jobs_.clear();
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Workers::start(Effects::Start task) {
  auto context = std::make_shared<Context>(task.ref, mailbox_);
  contexts_.emplace(task.ref, context);
  const std::lock_guard lock(mutex_);
  jobs_.push_back({std::move(task), std::move(context)});
  if (jobs_.size() > idle_ && threads_.size() < slots_) add_thread();
  wake_.notify_one();
}

/// For the newest job, which goes back if there can be none.
void Workers::add_thread() {
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    mailbox_.put(Report::Finished{
        jobs_.back().task.ref,
        TaskResult::returned(std::string("cannot start a thread: ") + error.what())});
    jobs_.pop_back();
  }
}

void Workers::stop(const AssignmentRef& ref) {
  if (auto it = contexts_.find(ref); it != contexts_.end()) it->second->abort();
}

void Workers::forget(const AssignmentRef& ref) { contexts_.erase(ref); }

void Workers::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    --idle_;
    if (ending_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    run(job);
    job = {};
    lock.lock();
  }
}

void Workers::run(const Job& job) {
  TaskResult result;
  try {
    result = handler_(task_from(job.task), *job.context);
  } catch (const std::exception& error) {
    result = TaskResult::error(std::string("the handler threw: ") + error.what());
  } catch (...) {
    result = TaskResult::error("the handler threw something that is not a std::exception");
  }
  job.context->detach();
  mailbox_.put(Report::Finished{job.task.ref, std::move(result)});
}

}  // namespace genai::node
