// What a file is, by its name or by its first bytes.
#include "protocol/base/content_type.h"

#include <catch2/catch.hpp>
#include <string>

using namespace genai;
using namespace std::string_literals;

TEST_CASE("the name tells the type") {
  CHECK(type_of_name("a.png") == "image/png");
  CHECK(type_of_name("dir.jpg/A.B.WebP") == "image/webp");
  CHECK(type_of_name("mesh.glb") == "model/gltf-binary");
  CHECK(type_of_name("scene.gltf") == "model/gltf+json");
  for (const char* unknown : {"", "png", "a.unknown", "dir.png/a", "a.", "."})
    CHECK(type_of_name(unknown).empty());
}

TEST_CASE("the first bytes tell the type") {
  const std::pair<std::string, std::string_view> kinds[] = {
      {"\x89PNG\r\n\x1a\n...", "image/png"},
      {"\xff\xd8\xff\xe0...", "image/jpeg"},
      {"RIFF\x24\0\0\0WEBPVP8 "s, "image/webp"},
      {"GIF89a...", "image/gif"},
      {"\0\0\0\x20"s + "ftypisom....", "video/mp4"},
      {"\0\0\0\x20"s + "ftypavif....", "image/avif"},
      {"\0\0\0\x20"s + "ftypqt  ....", "video/quicktime"},
      {"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"},
      {"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska", "video/x-matroska"},
      {"glTF\x02\0\0\0"s, "model/gltf-binary"},
      {"RIFF\x24\0\0\0WAVEfmt "s, "audio/wav"},
      {"fLaC\0\0\0\x22"s, "audio/flac"},
      {"ID3\x04\0\0"s, "audio/mpeg"},
      {"\xff\xfb\x90\x64", "audio/mpeg"},
      {"II*\0...."s, "image/tiff"}};
  for (const auto& [data, type] : kinds) {
    CHECK(type_of_magic(data) == type);
    CHECK(guess_type("", data) == type);
  }
  for (const std::string& none :
       {""s, "\x89PN"s, "RIFF"s, "RIFF1234ABCD"s, "text"s, "\xff\xfb"s, "\xff\xff\xff\xff"s,
        "\xff\xeb\x90\x64"s, "\0\0\0\x20"s + "ftyp", "\x1a\x45\xdf\xa3"s, "PK"s})
    CHECK(type_of_magic(none).empty());
}

TEST_CASE("what has no head of its own is JSON, a text or anything") {
  CHECK(guess_type("", " {\"a\": [1, 2]}\n") == "application/json");
  CHECK(guess_type("", "[draft] a lighthouse") == "text/plain");
  CHECK(guess_type("", "{\"a\": ") == "text/plain");
  CHECK(guess_type("", std::string(100'000, '[')) == "text/plain");  // however deep
  CHECK(guess_type("", "ein Würfel") == "text/plain");
  CHECK(guess_type("", "\xff\xfe\x00z"s) == kUnknownType);
  CHECK(guess_type("", "a\0b"s) == kUnknownType);
  CHECK(guess_type("a.csv", "\x89PNG\r\n\x1a\n") == "text/csv");  // the name comes first
  CHECK(guess_type("a.safetensors", "\x01\x02\xff") == kUnknownType);
}

TEST_CASE("a type has its usual suffix") {
  CHECK(suffix_of_type("image/jpeg") == ".jpg");
  CHECK(suffix_of_type("Text/Plain ; charset=utf-8") == ".txt");
  CHECK(suffix_of_type("video/mp4") == ".mp4");
  for (const char* none : {"", "application/octet-stream", "image/", "image/png2", "../../x"})
    CHECK(suffix_of_type(none).empty());
}
