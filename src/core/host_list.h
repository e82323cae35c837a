// Lists of hosts that an administrator allows.
#ifndef IMAGE_LIBRARY_CORE_HOST_LIST_H_
#define IMAGE_LIBRARY_CORE_HOST_LIST_H_

#include <string>
#include <string_view>
#include <vector>

namespace image_library {

/// `registry.example.org`, `*.example.org`, `[::1]:5000`: a host with `*` for any characters (dots
/// too), and with a port when it is for that port only.
bool IsHostPattern(std::string_view text) noexcept;

/// The patterns of a setting, which commas and white space part.
std::vector<std::string> SplitHostPatterns(std::string_view text);

/// True when one of the patterns is for the host, whatever the case of its letters.
bool MatchesHost(const std::vector<std::string>& patterns, std::string_view host,
                 std::string_view port);

}  // namespace image_library

#endif
