// The golden vectors and the malformed frames against the codec and SPEC.md.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "protocol/wire/messages.h"

using namespace genai;
using nlohmann::json;

namespace {

const std::map<std::string, Direction> kDirections = {
    {"from_node", Direction::kFromNode},
    {"to_node", Direction::kToNode},
    {"link_to_broker", Direction::kLinkToBroker},
    {"link_to_dispatcher", Direction::kLinkToDispatcher},
    {"from_client", Direction::kFromClient},
    {"to_client", Direction::kToClient}};

std::string read(const std::string& path) {
  std::ifstream file(GENAI_ROOT "/" + path);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string bytes(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

}  // namespace

TEST_CASE("every vector decodes and encodes to the same bytes") {
  const json vectors = json::parse(read("tests/golden/vectors.json"));
  std::set<std::string> names;
  for (const json& vector : vectors) {
    CAPTURE(vector["name"]);
    const std::string frame = bytes(vector["frame"]);
    auto message = decode(Blob(frame), kDirections.at(vector["direction"]));
    REQUIRE(message);
    CHECK(kind_of(*message).name == vector["name"].get<std::string>());
    CHECK(kind_of(*message).number == vector["type"].get<std::uint64_t>());
    CHECK(encode(*message) == frame);
    names.insert(vector["name"]);
  }
  CHECK(names.size() == 47);  // those of the first release
}

TEST_CASE("frames with unknown fields, and without optional ones, decode to the same") {
  const json vectors = json::parse(read("tests/golden/vectors.json"));
  const json growth = json::parse(read("tests/golden/growth.json"));
  REQUIRE(growth.size() == std::variant_size_v<AnyMessage>);
  std::size_t shortened = 0;
  for (std::size_t i = 0; i < growth.size(); ++i) {
    const json& entry = growth[i];
    CAPTURE(entry["name"]);
    if (i < vectors.size()) {
      REQUIRE(entry["name"] == vectors[i]["name"]);
      CHECK(entry["frame"] == vectors[i]["frame"]);
    }
    const std::string frame = bytes(entry["frame"]);
    const Direction direction = kDirections.at(entry["direction"]);
    const std::string longer = bytes(entry["longer"]), shorter = bytes(entry["shorter"]);
    CHECK(longer.size() > frame.size());
    const auto of_newer = decode(Blob(longer), direction),
               of_older = decode(Blob(shorter), direction);
    REQUIRE(of_newer);
    REQUIRE(of_older);
    CHECK(encode(*of_newer) == frame);
    CHECK(encode(*of_older) == bytes(entry["filled"]));
    shortened += entry["shorter"] != entry["frame"];
    // Heads are read where bodies are not.
    CHECK(peek_type(longer, direction).value() == kind_of(*of_newer).number);
    if (direction == Direction::kFromClient) CHECK(peek_request(longer) == peek_request(frame));
  }
  CHECK(shortened >= 15);
}

TEST_CASE("a vector is refused on every socket that it is not for") {
  for (const json& vector : json::parse(read("tests/golden/vectors.json"))) {
    const Blob frame(bytes(vector["frame"]));
    std::size_t allowed = 0;
    for (const auto& [name, direction] : kDirections) {
      auto message = decode(frame, direction);
      allowed += message.has_value();
      if (!message) CHECK(message.error().code == ErrorCode::kNotAllowed);
    }
    CAPTURE(vector["name"]);
    if (vector["name"] == "ERROR")
      CHECK(allowed == kDirections.size());
    else
      CHECK(allowed == (vector["name"] == "LINK_HEARTBEAT" ? 2 : 1));
  }
}

TEST_CASE("SPEC.md shows each vector and names each error code") {
  const std::string spec = read("protocol/SPEC.md");
  for (const json& vector : json::parse(read("tests/golden/growth.json"))) {
    CAPTURE(vector["name"]);
    CHECK(spec.find("\n    " + vector["frame"].get<std::string>() + "\n") != std::string::npos);
  }
  for (std::uint64_t number = 0; number < 1000; ++number)
    if (const auto code = error_code(number)) {
      CAPTURE(number);
      CHECK(spec.find("| " + std::to_string(number) + " | " + std::string(name(*code)) + " |") !=
            std::string::npos);
    }
}

TEST_CASE("every malformed frame is refused with its code") {
  const json frames = json::parse(read("tests/golden/malformed.json"));
  CHECK(frames.size() >= 40);
  for (const json& bad : frames) {
    CAPTURE(bad["name"]);
    auto message = decode(Blob(bytes(bad["frame"])), kDirections.at(bad["direction"]));
    REQUIRE(!message);
    CHECK(name(message.error().code) == bad["code"].get<std::string>());
    CHECK(!message.error().detail.empty());
  }
}
