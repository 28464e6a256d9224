#include "protocol/base/content_type.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "protocol/base/text.h"

namespace genai {
namespace {

using namespace std::string_view_literals;

struct Known {
  std::string_view suffix;
  std::string_view type;
};
/// Of several suffixes of one type, the first one is the usual one.
constexpr std::array kKnown = {
    Known{".png", "image/png"},          Known{".jpg", "image/jpeg"},
    Known{".jpeg", "image/jpeg"},        Known{".webp", "image/webp"},
    Known{".gif", "image/gif"},          Known{".avif", "image/avif"},
    Known{".heic", "image/heic"},        Known{".bmp", "image/bmp"},
    Known{".tif", "image/tiff"},         Known{".tiff", "image/tiff"},
    Known{".svg", "image/svg+xml"},      Known{".exr", "image/x-exr"},
    Known{".hdr", "image/vnd.radiance"}, Known{".mp4", "video/mp4"},
    Known{".m4v", "video/mp4"},          Known{".webm", "video/webm"},
    Known{".mkv", "video/x-matroska"},   Known{".mov", "video/quicktime"},
    Known{".avi", "video/x-msvideo"},    Known{".wav", "audio/wav"},
    Known{".flac", "audio/flac"},        Known{".mp3", "audio/mpeg"},
    Known{".ogg", "audio/ogg"},          Known{".opus", "audio/ogg"},
    Known{".m4a", "audio/mp4"},          Known{".glb", "model/gltf-binary"},
    Known{".gltf", "model/gltf+json"},   Known{".obj", "model/obj"},
    Known{".stl", "model/stl"},          Known{".json", "application/json"},
    Known{".txt", "text/plain"},         Known{".md", "text/markdown"},
    Known{".csv", "text/csv"},           Known{".html", "text/html"},
    Known{".pdf", "application/pdf"},    Known{".zip", "application/zip"},
    Known{".gz", "application/gzip"},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool has_at(std::string_view data, std::size_t at, std::string_view what) {
  return data.size() >= at + what.size() && data.substr(at, what.size()) == what;
}

/// How the files of a format begin.
struct Magic {
  std::string_view bytes;
  std::string_view type;
};
constexpr std::array kMagic = {
    Magic{"\x89PNG\r\n\x1a\n"sv, "image/png"},
    Magic{"\xff\xd8\xff"sv, "image/jpeg"},
    Magic{"GIF87a"sv, "image/gif"},
    Magic{"GIF89a"sv, "image/gif"},
    Magic{"II*\0"sv, "image/tiff"},
    Magic{"MM\0*"sv, "image/tiff"},
    Magic{"\x76\x2f\x31\x01"sv, "image/x-exr"},
    Magic{"glTF"sv, "model/gltf-binary"},
    Magic{"fLaC"sv, "audio/flac"},
    Magic{"OggS"sv, "audio/ogg"},
    Magic{"ID3"sv, "audio/mpeg"},
    Magic{"%PDF-"sv, "application/pdf"},
    Magic{"PK\x03\x04"sv, "application/zip"},
    Magic{"\x1f\x8b\x08"sv, "application/gzip"},
};

/// RIFF is a container of several formats.
std::string_view type_of_riff(std::string_view data) {
  if (!has_at(data, 0, "RIFF")) return {};
  if (has_at(data, 8, "WEBP")) return "image/webp";
  if (has_at(data, 8, "WAVE")) return "audio/wav";
  if (has_at(data, 8, "AVI ")) return "video/x-msvideo";
  return {};
}

/// So is the ISO base media format, which names its brand behind "ftyp".
std::string_view type_of_iso_media(std::string_view data) {
  if (!has_at(data, 4, "ftyp") || data.size() < 12) return {};
  const std::string_view brand = data.substr(8, 4);
  if (brand == "avif" || brand == "avis") return "image/avif";
  if (brand == "heic" || brand == "heix" || brand == "mif1") return "image/heic";
  if (brand == "qt  ") return "video/quicktime";
  if (brand == "M4A ") return "audio/mp4";
  return "video/mp4";
}

/// And so is EBML, whose head names the type of the document.
std::string_view type_of_ebml(std::string_view data) {
  constexpr std::size_t kHeadBytes = 64;
  if (!has_at(data, 0, "\x1a\x45\xdf\xa3"sv)) return {};
  const std::string_view head = data.substr(0, kHeadBytes);
  if (head.find("webm") != head.npos) return "video/webm";
  if (head.find("matroska") != head.npos) return "video/x-matroska";
  return {};
}

/// A frame of MPEG audio, layer 3, whose fields have no reserved value.
bool is_mp3_frame(std::string_view data) {
  if (data.size() < 4) return false;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(data[at]); };
  const bool is_layer_3 = byte(0) == 0xff && (byte(1) & 0xe6) == 0xe2;
  const bool has_version = (byte(1) & 0x18) != 0x08;
  const unsigned bit_rate = byte(2) >> 4, sample_rate = (byte(2) >> 2) & 3u;
  return is_layer_3 && has_version && bit_rate != 0 && bit_rate != 15 && sample_rate != 3;
}

bool is_json(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos || (text[begin] != '{' && text[begin] != '[')) return false;
  return nlohmann::json::accept(text);
}

}  // namespace

std::string_view type_of_name(std::string_view name) {
  const std::size_t dot = name.find_last_of("./");
  if (dot == name.npos || name[dot] == '/') return {};
  const auto found = std::ranges::find(kKnown, lower(name.substr(dot)), &Known::suffix);
  return found == kKnown.end() ? std::string_view() : found->type;
}

std::string_view type_of_magic(std::string_view data) {
  for (const Magic& magic : kMagic)
    if (data.starts_with(magic.bytes)) return magic.type;
  for (const auto find : {type_of_riff, type_of_iso_media, type_of_ebml})
    if (const std::string_view type = find(data); !type.empty()) return type;
  return is_mp3_frame(data) ? "audio/mpeg" : std::string_view();
}

std::string_view guess_type(std::string_view name, std::string_view data) {
  if (const std::string_view type = type_of_name(name); !type.empty()) return type;
  if (const std::string_view type = type_of_magic(data); !type.empty()) return type;
  if (is_json(data)) return "application/json";
  const bool is_text = is_valid_utf8(data) && data.find('\0') == data.npos;
  return is_text ? "text/plain" : kUnknownType;
}

std::string_view suffix_of_type(std::string_view content_type) {
  std::string_view bare = content_type.substr(0, content_type.find(';'));
  while (bare.ends_with(' ')) bare.remove_suffix(1);
  const auto found = std::ranges::find(kKnown, lower(bare), &Known::type);
  return found == kKnown.end() ? std::string_view() : found->suffix;
}

}  // namespace genai
