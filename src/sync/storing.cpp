// What a run writes, and when.
#include <algorithm>
#include <exception>
#include <utility>

#include "sync/engine.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::Task;

bool Engine::IsFull(const Batch& batch) const {
  return std::max(batch.images.size(), batch.tags.size()) >= options_.images_per_batch ||
         batch.bytes >= options_.bytes_per_batch;
}

// While a batch waits for others' locks, the next one of its repository waits for it.
Task<void> Engine::Flush(RepositoryRun& run) {
  co_await run.writing.Acquire();
  std::exception_ptr failure;
  try {
    co_await WriteBatch(run);
  } catch (...) {
    failure = std::current_exception();
  }
  run.writing.Release();
  if (failure) std::rethrow_exception(failure);
}

Task<void> Engine::WriteBatch(RepositoryRun& run) {
  if (run.busy) (void)run.TakeBatch();
  std::erase_if(run.batch.tags, [&](const FoundTag& tag) { return WasRefused(run, tag); });
  if (run.batch.Empty()) co_return;
  Batch batch = run.TakeBatch();
  Written written = co_await writer_.Write(std::move(batch));
  result_.statistics.problems += static_cast<std::int64_t>(written.problems);
  run.busy = written.busy;
  run.not_stored.merge(written.refused);
}

// Another batch had the image, and the database refused it: so it would be with every tag of it.
bool Engine::WasRefused(RepositoryRun& run, const FoundTag& tag) {
  const auto refused = run.not_stored.find(tag.digest);
  if (refused == run.not_stored.end()) return false;
  Warn(run, tag.name, problem::kNotStored, refused->second);
  ++result_.statistics.problems;
  return true;
}

}  // namespace image_library::sync
