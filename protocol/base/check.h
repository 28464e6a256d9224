// Assertions for our own bugs: on in every build, since a wrong state must not be persisted.
#pragma once

#include <cstdio>
#include <cstdlib>

#define GENAI_CHECK(condition)                                                               \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
