// What the shared libraries show. They are built with -fvisibility=hidden, so everything that is
// not marked with GENAI_EXPORT stays inside, and may change with any release.
#pragma once

#if defined(__GNUC__)
#define GENAI_EXPORT __attribute__((visibility("default")))
#define GENAI_LOCAL __attribute__((visibility("hidden")))  // within a class that is shown
#else
#define GENAI_EXPORT
#define GENAI_LOCAL
#endif
