// Assertions against our own bugs. They are on in every build: a wrong state must not be stored.
#pragma once

#include <functional>
#include <string>

namespace genai {

/// Prints to stderr what broke, `story` if there is one, and what each Witness of this thread has
/// to tell. Then aborts.
[[noreturn]] void fail_check(const char* file, int line, const char* condition,
                             const std::string& story = {});

/// Whoever can tell what happened shortly before: what `tell` returns is printed when a check of
/// this thread fails. Ends with the object, which must die on the thread that made it.
class Witness {
 public:
  explicit Witness(std::function<std::string()> tell);
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

 private:
  friend void fail_check(const char*, int, const char*, const std::string&);
  std::function<std::string()> tell_;
  Witness* next_;
};

}  // namespace genai

#define GENAI_CHECK(condition)                                             \
  do {                                                                     \
    if (!(condition)) ::genai::fail_check(__FILE__, __LINE__, #condition); \
  } while (false)

/// The same with `story`, a text that is made only when the check fails: what is known of the thing
/// that is wrong.
#define GENAI_CHECK_STORY(condition, story)                                         \
  do {                                                                              \
    if (!(condition)) ::genai::fail_check(__FILE__, __LINE__, #condition, (story)); \
  } while (false)
