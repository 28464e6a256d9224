#include "dispatcher/store/reads.h"

#include <utility>

#include "protocol/base/check.h"

namespace genai::dispatcher {

void Reads::want(ReadPurpose purpose, const Data& data, std::uint64_t offset, std::uint64_t bytes) {
  waiting_.push_back({std::move(purpose), data.key(), offset, bytes});
}

ReadResult Reads::handle(DataRead event) {
  const auto it = under_way_.find(event.number);
  GENAI_CHECK(it != under_way_.end());
  under_way_bytes_ -= it->second.bytes;
  Wanted& wanted = it->second;
  ReadResult result{std::move(wanted.purpose), wanted.key, wanted.offset, wanted.bytes,
                    std::move(event.bytes)};
  under_way_.erase(it);
  return result;
}

std::vector<ReadData> Reads::take_events() {
  std::vector<ReadData> begun;
  while (!waiting_.empty()) {
    const std::uint64_t bytes = waiting_.front().bytes;
    if (!under_way_.empty() && under_way_bytes_ + bytes > kReadWindowBytes) break;
    const std::uint64_t number = ++last_number_;
    const auto it = under_way_.emplace(number, std::move(waiting_.front())).first;
    waiting_.pop_front();
    under_way_bytes_ += bytes;
    begun.push_back({number, it->second.key, it->second.offset, bytes});
  }
  return begun;
}

void Reads::check() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, wanted] : under_way_) bytes += wanted.bytes;
  GENAI_CHECK(bytes == under_way_bytes_);
  GENAI_CHECK(bytes <= kReadWindowBytes || under_way_.size() == 1);
}

}  // namespace genai::dispatcher
