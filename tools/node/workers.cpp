#include "tools/node/workers.h"

#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

#include "protocol/wire/codec.h"
#include "tools/values/param_value.h"

namespace genai::node {
namespace {

/// Takes the members of a Task from a spec. A member whose key is missing stays as it is.
struct SpecReader {
  const ValueMap& spec;

  void operator()(const char* key, std::string& text) const {
    text = get_string(spec, key, std::move(text));
  }
  template <class Number>
  void operator()(const char* key, Number& number) const {
    if constexpr (std::is_floating_point_v<Number>)
      number = get_double(spec, key, number);
    else
      number = static_cast<Number>(get_uint(spec, key, number));
  }
  void operator()(const char* key, std::map<std::string, Param>& params) const {
    params = values::params_from(get_map(spec, key));
  }
};

Task task_from(const SessionCore::Start& start) {
  Task task;
  task.id = start.ref.task_id.str();
  task.attempt = start.ref.attempt;
  if (const auto spec = decode_map(start.spec.raw)) Task::fields(SpecReader{*spec}, task);
  task.payload = Data(std::make_shared<const Blob>(start.payload), start.payload.view());
  return task;
}

}  // namespace

AsyncHandler answering_at_once(Handler handler) {
  return {[handler = std::move(handler)](const Task& task, Reply reply) {
    TaskResult result = handler(task, reply.context());
    reply.finish(std::move(result));
  }};
}

Workers::Workers(std::uint32_t max_threads, AsyncHandler handler, std::shared_ptr<Mailbox> mailbox)
    : max_threads_(max_threads), handler_(std::move(handler)), mailbox_(std::move(mailbox)) {}

Workers::~Workers() {
  for (const auto& [ref, execution] : executions_) execution->abort();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    jobs_.clear();
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Workers::start(SessionCore::Start task) {
  auto execution = std::make_shared<Execution>(task.ref, mailbox_);
  executions_.emplace(task.ref, execution);
  const std::lock_guard lock(mutex_);
  jobs_.push_back({std::move(task), std::move(execution)});
  if (jobs_.size() > idle_ && threads_.size() < max_threads_) add_thread();
  wake_.notify_one();
}

/// For the newest job, which goes back if there can be none.
void Workers::add_thread() {
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    jobs_.back().execution->finish(
        TaskResult::returned(std::string("cannot start a thread: ") + error.what()));
    jobs_.pop_back();
  }
}

void Workers::stop(const AssignmentRef& ref) {
  if (auto it = executions_.find(ref); it != executions_.end()) it->second->abort();
}

void Workers::forget(const AssignmentRef& ref) { executions_.erase(ref); }

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
  const auto& execution = job.execution;
  std::optional<std::string> thrown;
  try {
    handler_.call(task_from(job.task), Reply(execution, [execution](auto result) {
                    execution->finish(std::move(result));
                  }));
  } catch (const std::exception& error) {
    thrown = error.what();
  } catch (...) {
    thrown = "something that is not a std::exception";
  }
  execution->handler_has_returned(thrown);
}

}  // namespace genai::node
