#include "dispatcher/tasks/past_task.h"

#include <cstring>
#include <string_view>
#include <type_traits>

#include "protocol/base/check.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/encoded_size.h"

namespace genai::dispatcher {
namespace {

/// Packs one field after the other; without a place for them it only counts their bytes.
class Packer {
 public:
  explicit Packer(char* to = nullptr) : to_(to) {}
  std::size_t bytes() const { return bytes_; }

  void key(const char*, const auto& value) { put(value); }
  void fixed(const char*, const auto& value) { put(value); }
  void shown(const char*, const auto&) {}
  void changing(const char*, const auto& value) { put(value); }
  void data(const char*, const Data& value) { GENAI_CHECK(value.empty()); }

  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    add(&value, sizeof value);
  }
  void put(const TaskId&) {}  // stands behind the head
  void put(const std::string& text) { put_text(text); }
  void put(const KeptSpec& spec) {
    put_text(spec.tenant());
    put_text(spec.label());
    put_text(spec.model());
    put(spec.priority());
  }
  void put(const ValueMap& map) {
    if (map.empty()) return put_text({});
    if (to_) return put_text(encode_map(map));
    bytes_ += sizeof(std::uint32_t) + wire::encoded_size(map);
  }
  void put(const TaskLog& log) { put_text(log.raw()); }
  void put(const std::vector<IssuedAttempt>& attempts) {
    put(static_cast<std::uint32_t>(attempts.size()));
    for (const IssuedAttempt& attempt : attempts) put(attempt);
  }

 private:
  void put_text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    add(text.data(), text.size());
  }
  void add(const void* from, std::size_t size) {
    if (to_ && size != 0) std::memcpy(to_ + bytes_, from, size);
    bytes_ += size;
  }

  char* to_;
  std::size_t bytes_ = 0;
};

/// Takes them in the same order.
class Unpacker {
 public:
  explicit Unpacker(std::string_view from) : from_(from) {}
  void key(const char*, auto& value) { take(value); }
  void fixed(const char*, auto& value) { take(value); }
  void shown(const char*, const auto&) {}
  void changing(const char*, auto& value) { take(value); }
  void data(const char*, Data&) {}

  bool is_at_end() const { return from_.empty(); }

 private:
  std::string_view take_bytes(std::size_t size) {
    GENAI_CHECK(size <= from_.size());
    const std::string_view part = from_.substr(0, size);
    from_.remove_prefix(size);
    return part;
  }
  std::string_view take_text() {
    std::uint32_t size = 0;
    take(size);
    return take_bytes(size);
  }
  template <class T>
  void take(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(&value, take_bytes(sizeof value).data(), sizeof value);
  }
  void take(TaskId&) {}
  void take(std::string& text) { text = take_text(); }
  void take(KeptSpec& spec) {
    const std::string_view tenant = take_text(), label = take_text(), model = take_text();
    std::uint8_t priority = 0;
    take(priority);
    spec = KeptSpec::told(tenant, label, model, priority);
  }
  void take(ValueMap& map) {
    if (const std::string_view text = take_text(); !text.empty()) map = *decode_map(text);
  }
  void take(TaskLog& log) { log = TaskLog::from_raw(take_text()); }
  void take(std::vector<IssuedAttempt>& attempts) {
    std::uint32_t size = 0;
    take(size);
    attempts.resize(size);
    for (IssuedAttempt& attempt : attempts) take(attempt);
  }

  std::string_view from_;
};

/// What is stored of it, and what else its history tells.
template <class Ar, class AnyTask>
void past_fields(Ar& ar, AnyTask& task) {
  TaskRecord::fields(ar, task);
  ar.fixed("accepted_at", task.accepted_at);
  ar.fixed("acknowledged_at", task.acknowledged_at);
  ar.fixed("ended_at", task.ended_at);
  ar.fixed("fetched_at", task.fetched_at);
  ar.fixed("ended_by", task.ended_by);
  ar.fixed("is_told_whole", task.is_told_whole);
}

static_assert(limits::kMaxNameBytes <= UINT8_MAX && limits::kMaxIdBytes <= UINT8_MAX);

}  // namespace

PastTask::Head PastTask::head() const {
  Head head;
  std::memcpy(&head, bytes_.get(), sizeof head);
  return head;
}

PastTask::PastTask(const Task& task) {
  GENAI_CHECK(is_terminal(task.status) && task.fetched);
  const std::string_view id = task.id.view(), tenant = task.spec.tenant();
  Packer counter;
  past_fields(counter, task);
  const std::size_t before = sizeof(Head) + id.size() + tenant.size();
  const Head head{task.sequence,
                  task.fetched_at,
                  static_cast<std::uint32_t>(before + counter.bytes()),
                  task.status,
                  static_cast<std::uint8_t>(id.size()),
                  static_cast<std::uint8_t>(tenant.size())};
  bytes_ = std::make_unique_for_overwrite<char[]>(head.bytes);
  std::memcpy(bytes_.get(), &head, sizeof head);
  id.copy(bytes_.get() + sizeof head, id.size());
  tenant.copy(bytes_.get() + sizeof head + id.size(), tenant.size());
  Packer packer(bytes_.get() + before);
  past_fields(packer, task);
  GENAI_CHECK(packer.bytes() == counter.bytes());
}

std::unique_ptr<Task> PastTask::revive() const {
  auto task = std::make_unique<Task>();
  task->id = *TaskId::parse(id());
  const char* const from = tenant().data() + tenant().size();
  Unpacker unpacker({from, head().bytes - static_cast<std::size_t>(from - bytes_.get())});
  past_fields(unpacker, *task);
  GENAI_CHECK(unpacker.is_at_end());
  return task;
}

}  // namespace genai::dispatcher
