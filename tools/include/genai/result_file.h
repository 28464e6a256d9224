// One file of a result.
#pragma once

#include <map>
#include <string>

#include "genai/data.h"
#include "genai/param.h"

namespace genai {

/// A result is one file without a name, or a bundle: one or more files with names.
struct ResultFile {
  // UTF-8, 1 to 255 bytes. '/' separates folders, at most 7 of them: "masks/1.png". A name does not
  // begin with '/', and has no part that is empty, "." or "..", no backslash and no control
  // character. No two names of a bundle differ only in the case of A to Z, and no name is a folder
  // of another one. Empty only for the one file of a result that is no bundle.
  std::string name;
  std::string content_type;  // MIME type, at most 128 bytes; empty: not said
  Data data;
  // Anything else that is known of the file: seed, width, height, ... A list, a map, nil or bytes
  // that another program put there arrive as a JSON text.
  std::map<std::string, Param> metadata;
};

}  // namespace genai
