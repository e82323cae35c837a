// What a run says of what went wrong, and when it has had enough.
#include "sync/engine.h"
#include "sync/problem.h"

namespace image_library::sync {

void Engine::Record(RepositoryRun& run, const std::string& tag, const Error& error) {
  run.batch.problems.push_back({run.name, tag, ProblemName(error.kind()), Describe(error)});
  ++result_.statistics.problems;
  NoteFailure(error);
}

// Something that people should know, though it keeps nothing from being read.
void Engine::Warn(RepositoryRun& run, const std::string& tag, const char* problem,
                  std::string detail) {
  run.batch.problems.push_back({run.name, tag, problem, std::move(detail)});
}

// A registry that stopped answering is left alone until the next run.
void Engine::NoteFailure(const Error& error) {
  if (!error.temporary()) return;
  ++failures_in_a_row_;
  if (error.kind() == ErrorKind::kRateLimited || failures_in_a_row_ >= options_.failures_to_stop)
    Stop(error);
}

void Engine::Stop(const Error& error) {
  if (stopped_) return;
  stopped_ = true;
  result_.error = Describe(error);
  result_.hint = error.hint();
}

// More than half of what a run has, for one thing alone: it would be so again the next time.
bool Engine::TookTooMuch(const Mark& before) const {
  return (limits_.budget() && (limits_.sent() - before.requests) * 2 > *limits_.budget()) ||
         deadline_.IsMoreThanHalf(deadline_.elapsed() - before.time);
}

}  // namespace image_library::sync
