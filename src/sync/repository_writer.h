// What a run writes of one repository: batches, and the problems in them.
#ifndef IMAGE_LIBRARY_SYNC_REPOSITORY_WRITER_H_
#define IMAGE_LIBRARY_SYNC_REPOSITORY_WRITER_H_

#include <map>
#include <string>

#include "core/error.h"
#include "registry/task.h"
#include "sync/batch.h"
#include "sync/repository_state.h"
#include "sync/run_context.h"

namespace image_library::sync {

/// Collects a batch of one repository and writes it when it is full or asked to.
class RepositoryWriter {
 public:
  /// Both must outlive it.
  RepositoryWriter(RunContext& context, const RepositoryState& state);

  /// The batch that is collected. It is another one after every co_await: references to what is in
  /// it do not last.
  Batch& batch() noexcept { return batch_; }
  /// Other sessions hold locks in the repository: nothing more is written, and the next run reads
  /// the repository again.
  bool busy() const noexcept { return busy_; }

  /// Records an error of a tag (empty: of the repository) as a problem, and counts it as a failure
  /// of the run.
  void Record(const std::string& tag, const Error& error);
  void Record(const std::string& tag, const char* problem, const Error& error);
  /// Records what people should know although it keeps nothing from being read.
  void Warn(const std::string& tag, const char* problem, std::string detail);
  /// Ends the problem of the tag (empty: of the repository) that is on record.
  void EndProblem(const std::string& tag) { batch_.checked.push_back(tag); }
  /// Tags were written, or are in the batch.
  bool has_tags() const noexcept { return has_tags_ || !batch_.tags.empty(); }

  /// True when the database refused the tag's image in this run, and so would refuse the tag; this
  /// is recorded as a problem of the tag.
  bool WasRefused(const FoundTag& tag);

  registry::Task<void> Flush();
  registry::Task<void> FlushIfFull();

 private:
  registry::Task<void> Write();
  Batch TakeBatch();

  RunContext& context_;
  const RepositoryState& state_;
  Batch batch_;
  bool busy_ = false;
  bool has_tags_ = false;
  /// Batches are written one after the other: tags come after their images.
  registry::Mutex writing_;
  /// Images that the database refused, with its message by digest.
  std::map<std::string, std::string> refused_;
};

}  // namespace image_library::sync

#endif
