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
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
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

}  // namespace image_library

#endif
