#include "sync/known_images.h"

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

namespace image_library::sync {

using registry::Task;

struct KnownImages::Question {
  std::vector<RepositoryDigest> digests;
  std::vector<std::optional<KnownImage>> stored;  // in the places of digests
  std::exception_ptr error;
  registry::WaitQueue waiting;
};

Task<std::optional<KnownImage>> KnownImages::Find(RepositoryDigest digest) {
  const bool first = open_ == nullptr;
  if (first) open_ = std::make_shared<Question>();
  // Owned by those who wait for it: the run may be cancelled meanwhile.
  const std::shared_ptr<Question> question = open_;
  const std::size_t place = question->digests.size();
  question->digests.push_back(std::move(digest));
  if (first) {
    try {
      co_await Answer(*question);
    } catch (...) {
      question->error = std::current_exception();
    }
    question->waiting.ResumeAll();
  } else {
    co_await question->waiting.Wait();
  }
  if (question->error) std::rethrow_exception(question->error);
  co_return std::move(question->stored.at(place));
}

// Timers end after everything else that the turn brought.
Task<void> KnownImages::Answer(Question& question) {
  std::exception_ptr failure;
  try {
    co_await transport_.Sleep(0);
  } catch (...) {
    failure = std::current_exception();
  }
  open_.reset();
  if (failure) std::rethrow_exception(failure);
  question.stored = store_.KnownImages(question.digests);
}

}  // namespace image_library::sync
