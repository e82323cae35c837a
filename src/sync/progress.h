// Where a run that had to stop goes on.
#ifndef IMAGE_LIBRARY_SYNC_PROGRESS_H_
#define IMAGE_LIBRARY_SYNC_PROGRESS_H_

#include <string>
#include <string_view>

namespace image_library::sync {

/// Kept from one run to the next. A run that a limit may end works in two rounds: the listings of
/// all repositories with their new tags, then looks at the tags that are known. Each goes on around
/// the circle where it was left, so what was looked at longest ago comes first.
struct Progress {
  bool limited = false;    ///< the last run ended at a limit of the registry or at its deadline
  std::string listing;     ///< the repository to list first; empty: the first of all
  bool looking = false;    ///< a round of looks is under way, and goes on at ...
  std::string repository;  ///< ... this repository and ...
  std::string tag;         ///< ... this tag of it

  bool operator==(const Progress&) const = default;

  /// Empty when there is nothing to go on with.
  std::string ToText() const;
  /// A text that ToText did not write gives an empty progress.
  static Progress FromText(std::string_view text);
};

}  // namespace image_library::sync

#endif
