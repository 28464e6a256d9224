// A file of its own: inlined beside other code, these would be taken for mismatched by the
// compiler.
#include "tests/micro/allocations.h"

#include <cstdlib>
#include <new>

namespace {

// Where an allocation is counted; null: nowhere.
thread_local std::uint64_t* counter = nullptr;

}  // namespace

void* operator new(std::size_t size) {
  if (counter) ++*counter;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace genai::micro {

Counting::Counting(std::uint64_t& at) { counter = &at; }
Counting::~Counting() { counter = nullptr; }

}  // namespace genai::micro
