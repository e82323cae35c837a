// What the library has of the images that tags point at.
#ifndef IMAGE_LIBRARY_SYNC_KNOWN_IMAGES_H_
#define IMAGE_LIBRARY_SYNC_KNOWN_IMAGES_H_

#include <optional>
#include <vector>

#include "registry/http.h"
#include "registry/task.h"
#include "sync/known.h"
#include "sync/store.h"
#include "sync/turn_work.h"

namespace image_library::sync {

/// Asks the store once for all digests that are asked for in one turn of the event loop: each call
/// of the store is a transaction.
class KnownImages {
 public:
  /// Both must outlive it.
  KnownImages(Store& store, registry::Transport& transport) : store_(store), turn_(transport) {}
  KnownImages(const KnownImages&) = delete;
  KnownImages& operator=(const KnownImages&) = delete;

  /// What is stored of a digest that a repository has a tag for; nothing when its image is not
  /// stored. Throws what the Store throws, to everyone who asked with it.
  registry::Task<std::optional<KnownImage>> Find(RepositoryDigest digest);

 private:
  struct Question {
    std::vector<RepositoryDigest> digests;
    std::vector<std::optional<KnownImage>> stored;  // in the places of digests
  };

  registry::Task<void> Answer(Question& question);

  Store& store_;
  TurnWork<Question> turn_;
};

}  // namespace image_library::sync

#endif
