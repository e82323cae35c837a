#include "core/host_list.h"

#include "core/strings.h"

namespace image_library {
namespace {

// Position of the port in host:port, with the colon; the size of the text when there is none.
std::size_t PortOf(std::string_view text) noexcept {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  if (colon == std::string_view::npos) return text.size();
  return bracket != std::string_view::npos && colon < bracket ? text.size() : colon;
}

}  // namespace

bool IsHostPattern(std::string_view text) noexcept {
  constexpr std::string_view kHost =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*";
  const std::size_t port = PortOf(text);
  if (port < text.size() && !IsDigits(text.substr(port + 1))) return false;
  std::string_view host = text.substr(0, port);
  if (host.empty() || host.size() > 253) return false;
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
               std::string_view::npos;
  }
  return host.find_first_not_of(kHost) == std::string_view::npos;
}

std::vector<std::string> SplitHostPatterns(std::string_view text) {
  std::vector<std::string> patterns;
  for (const std::string_view part : Split(text, ", \t\r\n"))
    if (!part.empty()) patterns.emplace_back(part);
  return patterns;
}

bool MatchesHost(const std::vector<std::string>& patterns, std::string_view host,
                 std::string_view port) {
  const std::string name = Lower(host);
  for (const std::string& pattern : patterns) {
    const std::string wanted = Lower(pattern);
    const std::size_t colon = PortOf(wanted);
    if (colon < wanted.size() && std::string_view(wanted).substr(colon + 1) != port) continue;
    if (MatchesStars(std::string_view(wanted).substr(0, colon), name)) return true;
  }
  return false;
}

}  // namespace image_library
