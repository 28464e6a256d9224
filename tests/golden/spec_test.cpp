// The tables of SPEC.md against the structs: number, name, way, fields with their kinds and marks,
// and rights.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "protocol/wire/messages.h"

using namespace genai;

namespace {

/// "name: kind", or "name?: kind" of an optional field; the fields of a list's entries follow.
using Fields = std::vector<std::string>;

/// A field archive that tells what SPEC.md should say of a struct.
class Describe {
 public:
  template <class T>
  static Fields of() {
    Describe archive;
    T value;
    value.fields(archive);
    return archive.fields_;
  }

  template <class Tag>
  void id(const char* name, TextId<Tag>&) {
    add(name, "id");
  }
  template <class Tag>
  void id(const char* name, BinaryId<Tag>&) {
    add(name, "secret");
  }
  template <class Int>
  void uint(const char* name, Int&, std::uint64_t = 0, std::uint64_t = 0) {
    add(name, "uint");
  }
  template <class E>
  void enumerated(const char* name, E&, std::uint8_t) {
    add(name, "uint");
  }
  void real(const char* name, double&, double, double) { add(name, "float"); }
  void flag(const char* name, bool&) { add(name, "bool"); }
  void text(const char* name, std::string&, std::size_t) { add(name, "str"); }
  void bin(const char* name, Blob&, std::size_t) { add(name, "bin"); }
  void code(const char* name, ErrorCode&) { add(name, "code"); }
  void map(const char* name, ValueMap&, std::size_t) { add(name, "map"); }
  void spec(const char* name, TaskSpec&) { add(name, "map"); }
  void new_spec(const char* name, TaskSpec&) { add(name, "map"); }
  void meta(const char* name, PublicMetaInfo&) { add(name, "map"); }
  template <class T>
  void nested(const char* name, T&) {
    add(name, name_of<T>());
  }
  template <class T>
  void list(const char* name, std::vector<T>&, std::size_t, std::size_t) {
    const std::string entry = name_of<T>();
    add(name, "list of " + entry);
    if constexpr (requires(T & value) { value.fields(*this); })
      if (entry == "[") {
        for (std::string& field : of<T>()) fields_.push_back(std::move(field));
      }
  }
  void optional() { mark_ = "?"; }
  void appended() { mark_ = "?"; }

 private:
  template <class T>
  static std::string name_of() {
    if constexpr (std::is_same_v<T, AssignmentRef>) return "ref";
    if constexpr (std::is_same_v<T, msg::Estimate>) return "estimate";
    if constexpr (std::is_same_v<T, msg::ProviderEntry>) return "provider";
    if constexpr (std::is_same_v<T, msg::Delta::Change>) return "change";
    if constexpr (std::is_same_v<T, TaskId>) return "id";
    if constexpr (std::is_same_v<T, std::string>) return "str";
    if constexpr (std::is_same_v<T, ValueMap>) return "map";
    return "[";
  }
  void add(const char* name, const std::string& kind) {
    fields_.push_back(name + mark_ + ": " + kind);
  }

  Fields fields_;
  std::string mark_;
};

std::string spec_text() {
  std::ifstream file(GENAI_ROOT "/protocol/SPEC.md");
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// All that looks like a field in a piece of SPEC.md.
Fields fields_in(const std::string& text) {
  static const std::regex kField(
      R"(([a-z0-9_]+\??: (?:list of (?:\w+|\[)|uint|float|bool|str|bin|map|secret|id|ref|code|estimate|provider)))");
  Fields fields;
  for (std::sregex_iterator it(text.begin(), text.end(), kField), end; it != end; ++it)
    fields.push_back((*it)[1]);
  return fields;
}

/// The cells of each row of the table of messages, by the message's name.
std::map<std::string, std::vector<std::string>> message_rows() {
  static const std::regex kRow(R"(\n\| (\d+) \| ([A-Z_]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|)");
  const std::string text = spec_text();
  std::map<std::string, std::vector<std::string>> rows;
  for (std::sregex_iterator it(text.begin(), text.end(), kRow), end; it != end; ++it)
    rows[(*it)[2]] = {(*it)[1], (*it)[3], (*it)[4]};
  return rows;
}

std::string text_of(Way way) {
  switch (way) {
    case Way::kNodeToBroker:
      return "N → B";
    case Way::kBrokerToNode:
      return "B → N";
    case Way::kNodeToDispatcher:
      return "N → D";
    case Way::kDispatcherToNode:
      return "D → N";
    case Way::kDispatcherToBroker:
      return "D → B";
    case Way::kBrokerToDispatcher:
      return "B → D";
    case Way::kBothOnLink:
      return "both";
    case Way::kClientToDispatcher:
      return "C → D";
    case Way::kDispatcherToClient:
      return "D → C";
    case Way::kAny:
      return "any";
  }
  return {};
}

/// What stands between `begin` and `end`.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  const std::size_t to = text.find(end, from + begin.size());
  REQUIRE(to != std::string::npos);
  return text.substr(from + begin.size(), to - from - begin.size());
}

template <class M>
void check_row(const std::map<std::string, std::vector<std::string>>& rows) {
  const std::string name(M::kKind.name);
  CAPTURE(name);
  REQUIRE(rows.contains(name));
  const auto& row = rows.at(name);
  CHECK(row[0] == std::to_string(M::kKind.number));
  CHECK(row[1] == text_of(M::kKind.way));
  CHECK(fields_in(row[2]) == Describe::of<M>());
}

template <class... Ms>
std::size_t check_rows(const std::variant<Ms...>*) {
  const auto rows = message_rows();
  (check_row<Ms>(rows), ...);
  return rows.size();
}

template <class M>
void check_right(const std::map<std::string, std::set<std::string>>& roles) {
  const std::string name(M::kKind.name);
  CAPTURE(name);
  if constexpr (requires { M::kKind.right; }) {
    const Right right = M::kKind.right;
    CHECK(roles.at("none").contains(name) == (right == Right::kNone));
    CHECK(roles.at("submit").contains(name) ==
          (right == Right::kSubmit || right == Right::kEither));
    CHECK(roles.at("watch").contains(name) == (right == Right::kWatch || right == Right::kEither));
  }
}

template <class... Ms>
void check_rights(const std::variant<Ms...>*) {
  const std::string text = spec_text();
  std::map<std::string, std::set<std::string>> roles;
  for (const char* role : {"none", "submit", "watch"}) {
    const std::string row = between(text, "\n| " + std::string(role) + " | ", " |");
    static const std::regex kName("[A-Z_]{4,}");
    for (std::sregex_iterator it(row.begin(), row.end(), kName), end; it != end; ++it)
      roles[role].insert(it->str());
  }
  (check_right<Ms>(roles), ...);
}

}  // namespace

TEST_CASE("SPEC.md describes each message as its struct does") {
  CHECK(check_rows(static_cast<const AnyMessage*>(nullptr)) == std::variant_size_v<AnyMessage>);
}

TEST_CASE("SPEC.md describes the structs within messages as they are") {
  const std::string text = spec_text();
  CHECK(fields_in(between(text, "    ref      = [", "\n")) == Describe::of<AssignmentRef>());
  CHECK(fields_in(between(text, "    provider = [", "\n")) == Describe::of<msg::ProviderEntry>());
  CHECK(fields_in(between(text, "    estimate = [", "\n\n")) == Describe::of<msg::Estimate>());
  CHECK(fields_in(between(text, "/ [1, ", "/ [2, ")) == Describe::of<msg::Delta::StateChanged>());
  CHECK(fields_in(between(text, "/ [2, ", "    estimate")) == Describe::of<msg::Delta::Beat>());
}

TEST_CASE("SPEC.md gives each request to the roles that its struct names") {
  check_rights(static_cast<const AnyMessage*>(nullptr));
}
