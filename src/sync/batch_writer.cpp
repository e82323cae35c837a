#include "sync/batch_writer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/text.h"
#include "sync/problem.h"

namespace image_library::sync {

using registry::Task;

namespace {

constexpr int kTries = 3;
constexpr int kPauseMs = 500;
constexpr std::size_t kMaxMessage = 1000;
// What batches that are written together have at most: a larger one is written alone.
constexpr std::size_t kMostRowsTogether = 200;
constexpr std::size_t kMostBytesTogether = 512u << 10;
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

}  // namespace

// What is stored or refused as one, by its places in the batch: a tag with its image, or one entry
// of another list.
struct BatchWriter::Atom {
  std::size_t image = kNone, tag = kNone, completed = kNone, gone_child = kNone, answer = kNone,
              referrer = kNone, missing = kNone, referrers_checked = kNone, checked = kNone,
              problem = kNone, evidence = kNone;
  bool refused_removals = false, listing = false;
};

// A batch in atoms, in the order in which they have to be written.
class BatchWriter::Parts {
 public:
  explicit Parts(const Batch& batch) : batch_(batch) {
    std::set<std::size_t> with_image;
    for (std::size_t i = 0; i < batch.images.size(); ++i) {
      const std::size_t before = atoms_.size();
      for (std::size_t tag = 0; tag < batch.tags.size(); ++tag) {
        if (batch.tags[tag].digest != batch.images[i].digest) continue;
        with_image.insert(tag);
        atoms_.push_back({.image = i, .tag = tag});
      }
      if (atoms_.size() == before) atoms_.push_back({.image = i});
    }
    for (std::size_t i = 0; i < batch.tags.size(); ++i)
      if (with_image.count(i) == 0) atoms_.push_back({.tag = i});
    for (std::size_t i = 0; i < batch.completed.size(); ++i) atoms_.push_back({.completed = i});
    for (std::size_t i = 0; i < batch.gone_children.size(); ++i)
      atoms_.push_back({.gone_child = i});
    for (std::size_t i = 0; i < batch.referrer_answers.size(); ++i) atoms_.push_back({.answer = i});
    for (std::size_t i = 0; i < batch.referrers.size(); ++i) atoms_.push_back({.referrer = i});
    for (std::size_t i = 0; i < batch.evidence.size(); ++i) atoms_.push_back({.evidence = i});
    for (std::size_t i = 0; i < batch.missing.size(); ++i) atoms_.push_back({.missing = i});
    if (batch.refused_removals) atoms_.push_back({.refused_removals = true});
    if (batch.listing) atoms_.push_back({.listing = true});
    for (std::size_t i = 0; i < batch.referrers_checked.size(); ++i)
      atoms_.push_back({.referrers_checked = i});
    for (std::size_t i = 0; i < batch.checked.size(); ++i) atoms_.push_back({.checked = i});
    for (std::size_t i = 0; i < batch.problems.size(); ++i) atoms_.push_back({.problem = i});
  }

  std::size_t size() const { return atoms_.size(); }

  // The atoms of a range as a batch of their own; an image that several of them have comes once.
  Batch Of(std::size_t from, std::size_t to) const {
    Batch part;
    part.repository = batch_.repository;
    part.rules_version = batch_.rules_version;
    part.keys_version = batch_.keys_version;
    std::size_t last_image = kNone;
    for (std::size_t i = from; i < to; ++i) {
      const Atom& atom = atoms_[i];
      if (atom.image != last_image && atom.image != kNone) part.Add(batch_.images[atom.image]);
      last_image = atom.image;
      Copy(batch_.tags, atom.tag, part.tags);
      Copy(batch_.completed, atom.completed, part.completed);
      Copy(batch_.gone_children, atom.gone_child, part.gone_children);
      Copy(batch_.referrer_answers, atom.answer, part.referrer_answers);
      Copy(batch_.referrers, atom.referrer, part.referrers);
      Copy(batch_.evidence, atom.evidence, part.evidence);
      Copy(batch_.missing, atom.missing, part.missing);
      Copy(batch_.referrers_checked, atom.referrers_checked, part.referrers_checked);
      Copy(batch_.checked, atom.checked, part.checked);
      Copy(batch_.problems, atom.problem, part.problems);
      if (atom.refused_removals) part.refused_removals = batch_.refused_removals;
      if (atom.listing) {
        part.listing = batch_.listing;
        part.listing_fingerprint = batch_.listing_fingerprint;
      }
    }
    return part;
  }

  void Stored(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i)
      if (atoms_[i].image != kNone) stored_.insert(atoms_[i].image);
  }

  // The database takes everything but this atom.
  void Refused(std::size_t at, const std::string& message) {
    const Atom& atom = atoms_[at];
    if (atom.image != kNone) refused_[atom.image] = message;
    Problem problem{batch_.repository, {}, problem::kNotStored, message};
    if (atom.tag != kNone)
      problem.tag = batch_.tags[atom.tag].name;
    else if (atom.referrer != kNone)
      NameReferrer(batch_.referrers[atom.referrer], problem);
    else if (atom.answer != kNone)
      problem.tag = batch_.referrer_answers[atom.answer].tag;
    else if (atom.missing != kNone)
      problem.tag = batch_.missing[atom.missing];
    else if (atom.checked != kNone)
      problem.tag = batch_.checked[atom.checked];
    else if (atom.problem != kNone)
      problem.tag = batch_.problems[atom.problem].tag;
    else if (atom.evidence != kNone)
      problem.detail = "signature " + batch_.evidence[atom.evidence].referrer + " of " +
                       batch_.evidence[atom.evidence].subject + ": " + message;
    else if (atom.completed != kNone)
      problem.detail = "image " + batch_.completed[atom.completed].digest + ": " + message;
    else if (atom.image != kNone)
      problem.detail = "image " + batch_.images[atom.image].digest + ": " + message;
    else if (atom.listing)
      problem.detail = "the listing: " + message;
    problems_.push_back(std::move(problem));
  }

  std::vector<Problem> TakeProblems() { return std::move(problems_); }

  std::map<std::string, std::string> RefusedImages() const {
    std::map<std::string, std::string> refused;
    for (const auto& [image, message] : refused_)
      if (stored_.count(image) == 0) refused[batch_.images[image].digest] = message;
    return refused;
  }

 private:
  template <typename Item>
  static void Copy(const std::vector<Item>& from, std::size_t at, std::vector<Item>& to) {
    if (at != kNone) to.push_back(from[at]);
  }

  // That of a referrers API has no tag: those of its subject are read well without it.
  static void NameReferrer(const Referrer& referrer, Problem& problem) {
    problem.tag = referrer.tag;
    problem.detail = "referrer " + referrer.digest + " of " + referrer.subject + ": " +
                     std::move(problem.detail);
  }

  const Batch& batch_;
  std::vector<Atom> atoms_;
  std::set<std::size_t> stored_;
  std::map<std::size_t, std::string> refused_;
  std::vector<Problem> problems_;
};

namespace {

std::size_t Rows(const Batch& batch) {
  return batch.images.size() + batch.tags.size() + batch.missing.size() + batch.referrers.size() +
         batch.evidence.size();
}

}  // namespace

// Images that two repositories have are completed by the second one: see Store::Write.
bool BatchWriter::Gathered::Takes(const Batch& batch) const {
  return rows_ + Rows(batch) <= kMostRowsTogether && bytes_ + batch.bytes <= kMostBytesTogether &&
         repositories_.count(batch.repository) == 0 &&
         std::none_of(batch.images.begin(), batch.images.end(),
                      [&](const Image& image) { return digests_.count(image.digest) != 0; });
}

std::size_t BatchWriter::Gathered::Add(Batch batch) {
  rows_ += Rows(batch);
  bytes_ += batch.bytes;
  repositories_.insert(batch.repository);
  for (const Image& image : batch.images) digests_.insert(image.digest);
  batches.push_back(std::move(batch));
  return batches.size() - 1;
}

Task<Written> BatchWriter::Write(Batch batch) {
  if (Rows(batch) > kMostRowsTogether || batch.bytes > kMostBytesTogether ||
      !batch.completed.empty())
    co_return co_await WriteAlone(std::move(batch));
  const auto part = turn_.Enter([&](const Gathered& gathered) { return gathered.Takes(batch); });
  Gathered& gathered = part->job;
  const std::size_t place = gathered.Add(std::move(batch));
  co_await turn_.Finish(part, *this, &BatchWriter::WriteGathered);
  co_return std::move(gathered.written.at(place));
}

Task<void> BatchWriter::WriteGathered(Gathered& gathered) {
  gathered.written.resize(gathered.batches.size());
  if (gathered.batches.size() > 1) {
    try {
      store_.Write(gathered.batches);
      co_return;
    } catch (const DataRefused&) {
    } catch (const StoreBusy&) {
    }
  }
  for (std::size_t i = 0; i < gathered.batches.size(); ++i)
    gathered.written[i] = co_await WriteAlone(std::move(gathered.batches[i]));
}

Task<Written> BatchWriter::WriteAlone(Batch batch) {
  Written written;
  const std::string repository = batch.repository;
  try {
    bool refused = false;
    try {
      co_await TryToWrite(batch);
    } catch (const DataRefused&) {
      refused = true;
    }
    if (refused) co_await WriteSplit(std::move(batch), written);
  } catch (const StoreBusy&) {
    was_busy_ = written.busy = true;
  }
  if (written.busy) {
    ++written.problems;
    co_await RecordBusy(repository);
  }
  co_return written;
}

// The first try tells how long the others would take: who met a lock once is not that patient
// again, for nothing else is read or written while the database waits.
Task<void> BatchWriter::TryToWrite(const Batch& batch) {
  for (int tries_left = was_busy_ ? 1 : kTries;;) {
    try {
      store_.Write({&batch, 1});
      co_return;
    } catch (const StoreBusy&) {
      if (--tries_left == 0) throw;
    }
    co_await transport_.Sleep(kPauseMs);
  }
}

Task<void> BatchWriter::WriteSplit(Batch batch, Written& written) {
  Parts parts(batch);
  co_await WriteParts(parts, 0, parts.size());
  written.refused = parts.RefusedImages();
  Batch problems;
  problems.repository = batch.repository;
  problems.problems = parts.TakeProblems();
  written.problems += problems.problems.size();
  if (!problems.Empty()) co_await TryToWrite(problems);
}

// Halves, quarters and so on: a culprit among n costs about 2 log n transactions.
Task<void> BatchWriter::WriteParts(Parts& parts, std::size_t from, std::size_t to) {
  if (from == to) co_return;
  std::string message;
  try {
    const Batch part = parts.Of(from, to);
    co_await TryToWrite(part);
    parts.Stored(from, to);
    co_return;
  } catch (const DataRefused& refusal) {
    message = Scrub(refusal.what(), kMaxMessage);
  }
  if (to - from == 1) {
    parts.Refused(from, message);
    co_return;
  }
  const std::size_t middle = from + (to - from) / 2;
  co_await WriteParts(parts, from, middle);
  co_await WriteParts(parts, middle, to);
}

// Records the problem unless other sessions hold the locks that it needs: Written::busy says it
// too.
Task<void> BatchWriter::RecordBusy(std::string repository) {
  Batch batch;
  batch.repository = repository;
  batch.problems.push_back({repository,
                            {},
                            problem::kBusy,
                            "another session holds locks in the repository; what was read of it is "
                            "not stored, and the next run reads it again"});
  try {
    co_await TryToWrite(batch);
  } catch (const StoreBusy&) {
  }
}

}  // namespace image_library::sync
