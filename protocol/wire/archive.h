// The kinds of field that every archive has a method for. What each means on the wire: SPEC.md,
// "Frames".
#pragma once

// clang-format off
#define GENAI_FIELD_KINDS(X)                                      \
  X(id) X(uint) X(real) X(flag) X(text) X(bin) X(code) X(enumerated) \
  X(map) X(spec) X(new_spec) X(meta) X(nested) X(list)
// clang-format on
