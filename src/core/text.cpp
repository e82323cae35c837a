#include "core/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace image_library {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes of the well-formed UTF-8 sequence at the start of text (Unicode, table 3-7); 0 when there
// is none. code receives the character.
std::size_t Decode(std::string_view text, char32_t* code) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    *code = first;
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF && continues(1)) {
    *code = static_cast<char32_t>((first & 0x1F) << 6 | (byte(1) & 0x3F));
    return 2;
  }
  if (first >= 0xE0 && first <= 0xEF && continues(1) && continues(2)) {
    *code = static_cast<char32_t>((first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F));
    const bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
    return *code >= 0x800 && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4 && continues(1) && continues(2) && continues(3)) {
    *code = static_cast<char32_t>((first & 0x07) << 18 | (byte(1) & 0x3F) << 12 |
                                  (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F));
    return *code >= 0x10000 && *code <= 0x10FFFF ? 4 : 0;
  }
  return 0;
}

bool IsControl(char32_t code) noexcept {
  return (code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7F && code <= 0x9F);
}

// Ends of lines and tabs, and characters by which a text can look like another: zero width, marks
// and controls of bidirectional text (Unicode, annex 9), and separators of lines and paragraphs.
bool IsDeceptive(char32_t code) noexcept {
  return code == '\t' || code == '\n' || code == 0x061C || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

}  // namespace

// Eight bytes at a time: most texts are.
bool IsPlain(std::string_view text) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t bytes;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    const std::uint64_t delete_bytes = bytes ^ (kOnes * 0x7F);
    const std::uint64_t low = (bytes - kOnes * 0x20) & ~bytes;
    if (((bytes | low | ((delete_bytes - kOnes) & ~delete_bytes)) & kHigh) != 0) return false;
    text.remove_prefix(sizeof bytes);
  }
  for (const char c : text)
    if (c < 0x20 || c > 0x7E) return false;
  return true;
}

template <bool kLine>
static std::string Scrubbed(std::string_view text, std::size_t max_bytes) {
  if (IsPlain(text)) return std::string(text.substr(0, max_bytes));
  std::string clean;
  clean.reserve(text.size() < max_bytes ? text.size() : max_bytes);
  while (!text.empty()) {
    char32_t code = 0;
    const std::size_t size = Decode(text, &code);
    const bool keep = size > 0 && !IsControl(code) && !(kLine && IsDeceptive(code));
    const std::string_view piece = keep ? text.substr(0, size) : kReplacement;
    if (clean.size() + piece.size() > max_bytes) break;
    clean += piece;
    text.remove_prefix(size > 0 ? size : 1);
  }
  return clean;
}

std::string Scrub(std::string_view text, std::size_t max_bytes) {
  return Scrubbed<false>(text, max_bytes);
}

std::string ScrubLine(std::string_view text, std::size_t max_bytes) {
  return Scrubbed<true>(text, max_bytes);
}

std::string_view WithoutSecrets(std::string_view text) noexcept {
  const std::size_t at = text.rfind('@');
  const std::size_t end = text.find_first_of("?#");
  if (at == std::string_view::npos) return text.substr(0, end);
  return end < at ? std::string_view() : text.substr(at + 1, end - at - 1);
}

bool IsUtf8(std::string_view text) noexcept {
  char32_t code = 0;
  while (!text.empty()) {
    const std::size_t size = Decode(text, &code);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string_view FirstCharacter(std::string_view text) noexcept {
  char32_t code = 0;
  const std::size_t size = Decode(text, &code);
  return text.substr(0, size > 0 ? size : 1);
}

}  // namespace image_library
