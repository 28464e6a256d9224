// Messages of every type drawn from the input: a field archive (protocol/wire/archive.h), so a new
// message or field is drawn without a word here. Ids and numbers are few, so that messages meet.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/time.h"
#include "protocol/wire/messages.h"
#include "tests/fuzz/input.h"

namespace genai::fuzz {

class Draw {
 public:
  explicit Draw(Input& in) : in_(in) {}

  /// Assignments that really exist are drawn as often as made-up ones.
  void know(const AssignmentRef& ref) {
    if (known_.size() < kMaxKnown)
      known_.push_back(ref);
    else
      known_[next_known_++ % kMaxKnown] = ref;
  }

  template <class T>
  T make() {
    T value;
    element(value);
    return value;
  }
  /// Any message that may travel so.
  Message message(Direction direction);
  /// As `direction` or with a few bytes wrong, or any bytes at all.
  Blob frame(Direction direction);
  std::string text(std::size_t max_bytes = limits::kMaxNameBytes);
  Duration duration();

  // ---- the archive

  void optional() {}
  void appended() {}
  template <class Tag>
  void id(const char*, TextId<Tag>& out) {
    element(out);
  }
  template <class Tag>
  void id(const char*, BinaryId<Tag>& out) {
    element(out);
  }
  template <class Int>
  void uint(const char*, Int& out, std::uint64_t min = 0, std::uint64_t max = UINT64_MAX) {
    out = static_cast<Int>(number(min, max));
  }
  void real(const char*, double& out, double min, double max) {
    out = min + (max - min) * static_cast<double>(in_.byte()) / 255;
  }
  void flag(const char*, bool& out) { out = in_.one_in(2); }
  void text(const char*, std::string& out, std::size_t max) { out = text(max); }
  void bin(const char* field, Blob& out, std::size_t) {
    out = field == std::string_view("frame") ? frame(inner_)
                                             : Blob(in_.one_in(4) ? in_.bytes() : text());
  }
  void code(const char*, ErrorCode& out);
  template <class E>
  void enumerated(const char*, E& out, std::uint8_t max) {
    out = static_cast<E>(in_.below(std::size_t{max} + 1));
  }
  void map(const char*, ValueMap& out, std::size_t) { element(out); }
  void spec(const char*, TaskSpec& out);
  void new_spec(const char* field, TaskSpec& out) { spec(field, out); }
  void meta(const char*, PublicMetaInfo& out);
  template <class T>
  void nested(const char*, T& out) {
    element(out);
  }
  template <class T>
  void list(const char*, std::vector<T>& out, std::size_t min, std::size_t) {
    out.resize(min + in_.below(3));
    for (T& item : out) element(item);
  }

 private:
  static constexpr std::size_t kMaxKnown = 16;

  std::uint64_t number(std::uint64_t min, std::uint64_t max);
  double cost();

  void element(std::string& out) { out = text(); }
  void element(ValueMap& out);
  void element(msg::Delta::Change& out);
  void element(AssignmentRef& out);
  template <class Tag>
  void element(TextId<Tag>& out) {
    out = *TextId<Tag>::parse(std::string("t") + static_cast<char>('0' + in_.below(8)));
  }
  template <class Tag>
  void element(BinaryId<Tag>& out) {
    typename BinaryId<Tag>::Bytes bytes;
    bytes.fill(static_cast<std::uint8_t>(1 + in_.below(4)));
    out = BinaryId<Tag>(bytes);
  }
  template <class T>
  void element(T& out) {
    out.fields(*this);
  }

  Input& in_;
  Direction inner_ = Direction::kFromNode;  // of frames within frames
  std::vector<AssignmentRef> known_;
  std::size_t next_known_ = 0;
};

}  // namespace genai::fuzz
