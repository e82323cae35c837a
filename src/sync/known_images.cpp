#include "sync/known_images.h"

#include <exception>
#include <map>
#include <utility>
#include <vector>

namespace image_library::sync {

using registry::Task;

struct KnownImages::Question {
  std::vector<std::string> digests;
  std::map<std::string, KnownImage> stored;
  std::exception_ptr error;
  registry::WaitQueue waiting;
};

Task<std::optional<KnownImage>> KnownImages::Find(std::string digest) {
  const bool first = open_ == nullptr;
  if (first) open_ = std::make_shared<Question>();
  // Owned by those who wait for it: the run may be cancelled meanwhile.
  const std::shared_ptr<Question> question = open_;
  question->digests.push_back(digest);
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
  const auto found = question->stored.find(digest);
  if (found == question->stored.end()) co_return std::nullopt;
  co_return found->second;
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
  for (KnownImage& image : store_.KnownImages(question.digests)) {
    std::string digest = image.digest;
    question.stored.emplace(std::move(digest), std::move(image));
  }
}

}  // namespace image_library::sync
