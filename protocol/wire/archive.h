// The kinds of field: every archive has a method for each. SPEC.md, "Frames", says how each kind is
// sent.
#pragma once

// clang-format off
#define GENAI_FIELD_KINDS(X)                                      \
  X(id) X(uint) X(real) X(flag) X(text) X(bin) X(code) X(enumerated) \
  X(map) X(spec) X(new_spec) X(meta) X(nested) X(list)
// clang-format on
