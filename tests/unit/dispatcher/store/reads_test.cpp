// What waits for which read, and how much is read at once.
#include "dispatcher/store/reads.h"

#include <catch2/catch.hpp>
#include <string>

using namespace genai;
using namespace genai::dispatcher;

namespace {

ForDeliver to(const std::string& peer) { return {1, 1, peer}; }

}  // namespace

TEST_CASE("reads begin in order, as many as fit into the window") {
  Reads reads;
  constexpr std::uint64_t kThird = Reads::kReadWindowBytes / 3;
  for (const char* peer : {"a", "b", "c", "d"}) reads.want(to(peer), Data::apart(7, kThird));
  const auto begun = reads.take_events();
  REQUIRE(begun.size() == 3);
  CHECK(reads.take_events().empty());
  CHECK(begun[0].key == 7);
  CHECK(begun[0].bytes == kThird);

  const ReadResult second = reads.handle({begun[1].number, Blob(std::string("b's"))});
  CHECK(std::get<ForDeliver>(second.purpose).peer == "b");
  CHECK(second.bytes->view() == "b's");
  REQUIRE(reads.take_events().size() == 1);
  reads.check();
}

TEST_CASE("what is larger than the window is read alone") {
  Reads reads;
  reads.want(to("a"), Data::apart(1, 10));
  reads.want(to("b"), Data::apart(2, 2 * Reads::kReadWindowBytes));
  reads.want(to("c"), Data::apart(3, 10));
  const auto first = reads.take_events();
  REQUIRE(first.size() == 1);
  reads.handle({first[0].number, Blob()});
  const auto large = reads.take_events();
  REQUIRE(large.size() == 1);
  CHECK(large[0].key == 2);
  reads.check();
  reads.handle({large[0].number, Blob()});
  CHECK(reads.take_events().at(0).key == 3);
}

TEST_CASE("a part is asked for as it was wanted, and its failure is handed on") {
  Reads reads;
  reads.want(to("a"), Data::apart(9, 1'000), 100, 20);
  const auto begun = reads.take_events();
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].offset == 100);
  CHECK(begun[0].bytes == 20);
  const auto failed = reads.handle(
      {begun[0].number, tl::unexpected(store::StoreError{store::Failure::kDamaged, "gone"})});
  CHECK(failed.key == 9);
  REQUIRE(!failed.bytes);
  CHECK(failed.bytes.error().detail == "gone");
}
