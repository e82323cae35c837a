#include "sync/repository_writer.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "sync/classify_batch.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::Task;

RepositoryWriter::RepositoryWriter(RunContext& context, const RepositoryState& state)
    : context_(context), state_(state) {
  (void)TakeBatch();
}

void RepositoryWriter::Record(const std::string& tag, const Error& error) {
  Record(tag, ProblemName(error.kind()), error);
}

void RepositoryWriter::Record(const std::string& tag, const char* problem, const Error& error) {
  batch_.problems.push_back({state_.name, tag, problem, Describe(error)});
  ++context_.statistics.problems;
  context_.stop.Failed(error);
}

void RepositoryWriter::Warn(const std::string& tag, const char* problem, std::string detail) {
  batch_.problems.push_back({state_.name, tag, problem, std::move(detail)});
}

bool RepositoryWriter::WasRefused(const FoundTag& tag) {
  const auto refused = refused_.find(tag.digest);
  if (refused == refused_.end()) return false;
  Warn(tag.name, problem::kNotStored, refused->second);
  ++context_.statistics.problems;
  return true;
}

Task<void> RepositoryWriter::FlushIfFull() {
  const RunOptions& options = context_.options;
  if (std::max({batch_.images.size(), batch_.tags.size(), batch_.problems.size(),
                batch_.checked.size()}) >= options.images_per_batch ||
      batch_.bytes >= options.bytes_per_batch)
    co_await Flush();
}

// While a batch waits for the locks of other sessions, the next one waits for it.
Task<void> RepositoryWriter::Flush() {
  co_await writing_.Acquire();
  std::exception_ptr failure;
  try {
    co_await Write();
  } catch (...) {
    failure = std::current_exception();
  }
  writing_.Release();
  if (failure) std::rethrow_exception(failure);
}

Task<void> RepositoryWriter::Write() {
  if (busy_) (void)TakeBatch();
  std::erase_if(batch_.tags, [&](const FoundTag& tag) { return WasRefused(tag); });
  if (batch_.Empty()) co_return;
  Batch batch = TakeBatch();
  ClassifyBatch(batch, context_.config);
  Written written = co_await context_.writer.Write(std::move(batch));
  context_.statistics.problems += static_cast<std::int64_t>(written.problems);
  busy_ = written.busy;
  refused_.merge(written.refused);
}

Batch RepositoryWriter::TakeBatch() {
  Batch taken = std::exchange(batch_, Batch());
  has_tags_ = has_tags_ || !taken.tags.empty();
  batch_.repository = state_.name;
  batch_.rules_version = context_.config.rules_version;
  return taken;
}

}  // namespace image_library::sync
