// Marks the symbols that the shared libraries export. The libraries are built with
// -fvisibility=hidden: a symbol without GENAI_EXPORT is internal, and any release may change it.
#pragma once

#if defined(__GNUC__)
#define GENAI_EXPORT __attribute__((visibility("default")))
#define GENAI_LOCAL __attribute__((visibility("hidden")))  // in an exported class
#else
#define GENAI_EXPORT
#define GENAI_LOCAL
#endif
