// Lists of hosts that an administrator allows.
#ifndef IMAGE_LIBRARY_CORE_HOST_LIST_H_
#define IMAGE_LIBRARY_CORE_HOST_LIST_H_

#include <string>
#include <string_view>
#include <vector>

namespace image_library {

/// `registry.example.org`, `*.example.org`, `[::1]:5000`: a host in which `*` matches any
/// characters, including dots. With a port it matches that port only.
bool IsHostPattern(std::string_view text) noexcept;

/// The patterns of a setting, separated by commas and white space.
std::vector<std::string> SplitHostPatterns(std::string_view text);

/// True when one of the patterns matches the host, regardless of case.
bool MatchesHost(const std::vector<std::string>& patterns, std::string_view host,
                 std::string_view port);

}  // namespace image_library

#endif
