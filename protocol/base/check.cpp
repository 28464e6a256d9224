#include "protocol/base/check.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace genai {
namespace {

thread_local Witness* first_witness = nullptr;

}  // namespace

Witness::Witness(std::function<std::string()> tell) : tell_(std::move(tell)), next_(first_witness) {
  first_witness = this;
}

Witness::~Witness() {
  Witness** place = &first_witness;
  while (*place && *place != this) place = &(*place)->next_;
  if (*place) *place = next_;
}

void fail_check(const char* file, int line, const char* condition, const std::string& story) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
  if (!story.empty()) std::fprintf(stderr, "%s\n", story.c_str());
  // Each is asked once: what it looks at may be broken too, and come here again.
  while (Witness* witness = first_witness) {
    first_witness = witness->next_;
    std::fprintf(stderr, "%s\n", witness->tell_().c_str());
  }
  std::abort();
}

}  // namespace genai
