// The LISTs that are being answered: one of each connection, and a few of each key.
#include "dispatcher/desk/listings.h"

#include <catch2/catch.hpp>
#include <string>

using namespace genai;
using namespace genai::dispatcher;

namespace {

Listing listing(const std::string& peer, const std::string& key = {}) {
  Identity who = Identity::anyone();
  if (!key.empty()) who = {.kind = Identity::Kind::kClient, .key = key};
  return {peer, who, std::nullopt, 100, std::nullopt, {}};
}

std::string name_of(const char* prefix, std::size_t number) {
  return prefix + std::to_string(number);
}

/// The peers in the order of their turns.
std::string turns(Listings listings) {
  std::string peers;
  for (; !listings.empty(); listings.pop()) peers += listings.front().peer;
  return peers;
}

}  // namespace

TEST_CASE("a list is found by its connection until it is answered") {
  Listings listings;
  CHECK(listings.empty());
  CHECK(listings.of("a") == nullptr);
  listings.add(listing("a"));
  listings.add(listing("b"));
  REQUIRE(listings.of("b") != nullptr);
  CHECK(listings.of("b")->peer == "b");
  listings.pop();
  CHECK(listings.of("a") == nullptr);
  CHECK(listings.of("b") != nullptr);
}

TEST_CASE("lists that are not complete take turns") {
  Listings listings;
  for (const char* peer : {"a", "b", "c"}) listings.add(listing(peer));
  CHECK(turns(listings) == "abc");
  listings.rotate();
  CHECK(turns(listings) == "bca");
  listings.front().page.more = true;  // what is known of it goes with it
  listings.rotate();
  CHECK(turns(listings) == "cab");
  CHECK(listings.of("b")->page.more);
  listings.pop();
  listings.rotate();
  CHECK(turns(listings) == "ba");
}

TEST_CASE("one key cannot have many lists under way, over however many connections") {
  Listings listings;
  for (std::size_t i = 0; i < kMaxListingsOfOne; ++i) {
    CHECK(!listings.is_full_for("key"));
    listings.add(listing(name_of("peer-", i), "key"));
  }
  CHECK(listings.is_full_for("key"));
  CHECK(!listings.is_full_for("another key"));
  CHECK(!listings.is_full_for("peer-0"));  // somebody else's name is no key
  listings.pop();
  CHECK(!listings.is_full_for("key"));
}

TEST_CASE("where no keys are asked for each connection pays for itself") {
  Listings listings;
  for (std::size_t i = 0; i < 2 * kMaxListingsOfOne; ++i) {
    CHECK(!listings.is_full_for(name_of("peer-", i)));
    listings.add(listing(name_of("peer-", i)));
  }
}

TEST_CASE("there is an end to all lists together") {
  Listings listings;
  for (std::size_t i = 0; i < kMaxListings; ++i) {
    CHECK(!listings.is_full_for("new"));
    listings.add(listing(name_of("peer-", i)));
  }
  CHECK(listings.is_full_for("new"));
}

TEST_CASE("the lists of keys that were revoked are forgotten, and no others") {
  Listings listings;
  listings.add(listing("a", "k1"));
  listings.add(listing("b", "k2"));
  listings.add(listing("c", "k1"));
  listings.add(listing("d"));
  listings.forget({"k1", "unknown"});
  CHECK(turns(listings) == "bd");
}

TEST_CASE("the list of a connection that is gone is forgotten, and a list is that of one key") {
  Listings listings;
  listings.add(listing("a", "k1"));
  listings.add(listing("b"));
  CHECK(!listings.is_anothers("a", "k1"));
  CHECK(listings.is_anothers("a", "k2"));
  CHECK(listings.is_anothers("a", ""));
  CHECK(!listings.is_anothers("b", ""));
  CHECK(!listings.is_anothers("c", "k1"));
  listings.forget_peer("a");
  listings.forget_peer("c");
  CHECK(turns(listings) == "b");
}
