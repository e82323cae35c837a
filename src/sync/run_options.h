// How much a run does at once, and when it gives up.
#ifndef IMAGE_LIBRARY_SYNC_RUN_OPTIONS_H_
#define IMAGE_LIBRARY_SYNC_RUN_OPTIONS_H_

#include <cstddef>

namespace image_library::sync {

class AnswerWatch;

struct RunOptions {
  /// A listing that lacks more than this share of the known tags of its repository (percent) is
  /// refused: a cache whose upstream is down answers 200 with what it happens to hold.
  int max_removal_percent = 50;
  /// Repositories read side by side.
  std::size_t repositories_at_once = 16;
  /// Tags of a repository read side by side.
  std::size_t tags_at_once = 32;
  /// New images, or tags, written in one transaction ...
  std::size_t images_per_batch = 250;
  /// ... or fewer, of so many bytes of text.
  std::size_t bytes_per_batch = 1u << 20;
  /// Tags, or problems with them, read from the store at once.
  std::size_t tags_per_portion = 1000;
  /// Temporary failures in a row after which the run stops.
  int failures_to_stop = 5;
  /// How long a run may take, in seconds; 0: no limit.
  int run_timeout = 0;
  /// Only the repositories that were requested (Store::Requested) are read.
  bool requested_only = false;
  /// Sees how long the registry takes to answer; it must outlive the run. nullptr: nobody looks.
  AnswerWatch* watch = nullptr;
};

}  // namespace image_library::sync

#endif
