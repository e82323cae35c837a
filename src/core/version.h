// The library's version order over image tags.
#ifndef IMAGE_LIBRARY_CORE_VERSION_H_
#define IMAGE_LIBRARY_CORE_VERSION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace image_library {

/// A tag read by the grammars of EDB (`17.4-2503191025-full`, `16.2.0-5.4.1-1`), CloudNativePG
/// (`18.6-202608170814-minimal-trixie`, `18-minimal-trixie`, `16.2-7`) and semantic versions
/// (`v1.8.5`, `18beta1`, `1.0.0-rc.2`).
struct TagVersion {
  std::vector<std::uint64_t> numbers;  ///< 17.4 -> {17, 4}; empty when the tag is no version
  std::string prerelease;              ///< `beta1`, `rc.2`; empty for a release
  std::string build;     ///< `YYYYMMDDhhmm` (UTC, as published), from a 10, 12 or 14 digit stamp
  std::string revision;  ///< a rebuild's number: `7` of `16.2-7`, `r3` of `17.4.0-debian-12-r3`
  std::string variant;   ///< what is left without the OS: `minimal`, `standard`, `full`, `5.4.1-1`
  std::string os;        ///< Debian and UBI suites: `bookworm`, `trixie`, `ubi9`, `alpine3.20` ...

  /// `17.4`, `18beta1`; empty when there are no numbers.
  std::string Text() const;
};

TagVersion ParseTagVersion(std::string_view tag);

/// A key whose bytes sort as versions do: no version first, then by numbers (17.10 after 17.4),
/// prereleases before their release, then build, revision, variant and os. Total: equal only for
/// equal tags.
std::string VersionKey(std::string_view tag);

/// Bytes that sort as the text does when each run of digits counts as a number: `rc2`, `rc10`.
std::string NaturalKey(std::string_view text);

}  // namespace image_library

#endif
