// Small ASCII string helpers of core.
#ifndef IMAGE_LIBRARY_CORE_STRINGS_H_
#define IMAGE_LIBRARY_CORE_STRINGS_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace image_library {

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// True for one or more digits and nothing else.
inline bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

inline std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

inline std::string_view Trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// The parts between any of the separators; empty parts are kept, so there is always one.
inline std::vector<std::string_view> Split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find_first_of(separators);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

/// Whether text matches a pattern in which `*` stands for any text. Goes back to the last star
/// only, so its time is at most the product of both lengths.
inline bool MatchesStars(std::string_view pattern, std::string_view text) noexcept {
  std::size_t g = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (g < pattern.size() && pattern[g] == '*') {
      star = g++;
      resume = t;
    } else if (g < pattern.size() && pattern[g] == text[t]) {
      ++g, ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (g < pattern.size() && pattern[g] == '*') ++g;
  return g == pattern.size();
}

}  // namespace image_library

#endif
