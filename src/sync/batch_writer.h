// Writes batches so that what the database refuses keeps nothing else from being stored.
#ifndef IMAGE_LIBRARY_SYNC_BATCH_WRITER_H_
#define IMAGE_LIBRARY_SYNC_BATCH_WRITER_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "registry/http.h"
#include "registry/task.h"
#include "sync/store.h"
#include "sync/turn_work.h"

namespace image_library::sync {

/// How the writing of a batch went.
struct Written {
  bool busy = false;         ///< nothing or only part of it is stored: others hold locks
  std::size_t problems = 0;  ///< that were put on record
  /// Images that were refused, with the database's message by digest.
  std::map<std::string, std::string> refused;
};

class BatchWriter {
 public:
  /// Both must outlive it; the transport is slept on between tries.
  BatchWriter(Store& store, registry::Transport& transport)
      : store_(store), transport_(transport), turn_(transport) {}

  /// Stores the batch, a small one together with those of other repositories that come in the same
  /// turn of the event loop: whole when the database takes it, else in ever smaller parts, until
  /// those that it refuses are alone. Each is put on record as a problem (`not stored`) of its tag,
  /// or of the repository where it is of none. While others hold locks, a few tries are made with
  /// no transaction open between them; then the repository gets the problem `busy`.
  registry::Task<Written> Write(Batch batch);

 private:
  struct Atom;
  class Parts;

  // Small batches of different repositories, which are written together.
  class Gathered {
   public:
    bool Takes(const Batch& batch) const;
    // Its place in batches and written.
    std::size_t Add(Batch batch);

    std::vector<Batch> batches;
    std::vector<Written> written;

   private:
    std::size_t rows_ = 0, bytes_ = 0;
    std::set<std::string> repositories_, digests_;
  };

  registry::Task<void> WriteGathered(Gathered& gathered);
  registry::Task<Written> WriteAlone(Batch batch);
  registry::Task<void> TryToWrite(const Batch& batch);
  registry::Task<void> WriteParts(Parts& parts, std::size_t from, std::size_t to);
  registry::Task<void> WriteSplit(Batch batch, Written& written);
  registry::Task<void> RecordBusy(std::string repository);

  Store& store_;
  registry::Transport& transport_;
  TurnWork<Gathered> turn_;
  bool was_busy_ = false;
};

}  // namespace image_library::sync

#endif
