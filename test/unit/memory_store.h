// A Store in memory.
#ifndef IMAGE_LIBRARY_TEST_UNIT_MEMORY_STORE_H_
#define IMAGE_LIBRARY_TEST_UNIT_MEMORY_STORE_H_

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sync/store.h"

namespace image_library::sync {

// What image_library_internal.write_batches does, in a few lines.
class MemoryStore : public Store {
 public:
  KnownRepository LoadRepository(const std::string& repository) override {
    ++loads;
    KnownRepository known;
    known.listing_fingerprint = fingerprints[repository];
    known.has_tags = !tags[repository].empty();
    for (const auto& [key, problem] : problems) {
      if (key.first != repository) continue;
      if (key.second.empty())
        known.problem = problem;
      else
        known.tag_problems = true;
    }
    known.removals_refused = refused.count(repository) != 0;
    if (accepted) known.accepted = refused[repository];
    return known;
  }
  std::vector<KnownTag> KnownTags(const std::string& repository, const std::string& from,
                                  std::size_t most) override {
    std::vector<KnownTag> known;
    auto& its_tags = tags[repository];
    for (auto tag = its_tags.lower_bound(from); tag != its_tags.end() && known.size() < most;
         ++tag) {
      known.push_back(tag->second);
      known.back().unread = images[tag->second.digest].unread != Unread::kNothing;
    }
    portions.push_back(known.size());
    return known;
  }
  std::vector<KnownProblem> KnownProblems(const std::string& repository, const std::string& from,
                                          std::size_t most) override {
    std::vector<KnownProblem> known;
    for (auto entry = problems.lower_bound({repository, from});
         entry != problems.end() && entry->first.first == repository && known.size() < most;
         ++entry)
      if (!entry->first.second.empty()) known.push_back({entry->first.second, entry->second});
    return known;
  }
  std::vector<std::string> ReferrerTags(const std::string&, const std::string& from,
                                        std::size_t most) override {
    std::set<std::string> names;
    for (const Referrer& referrer : referrers)
      if (!referrer.tag.empty() && referrer.tag >= from) names.insert(referrer.tag);
    std::vector<std::string> known(names.begin(), names.end());
    if (known.size() > most) known.resize(most);
    return known;
  }
  std::vector<std::optional<KnownImage>> KnownImages(
      const std::vector<RepositoryDigest>& digests) override {
    looks.emplace_back();
    for (const RepositoryDigest& asked : digests) looks.back().push_back(asked.digest);
    if (broken) throw std::runtime_error("the database is gone");
    std::vector<std::optional<KnownImage>> known(digests.size());
    for (std::size_t i = 0; i < digests.size(); ++i) {
      const auto& [repository, digest] = digests[i];
      if (images.count(digest) == 0) continue;
      const bool read = images[digest].unread == Unread::kNothing;
      const bool has = !Subject(repository, digest).empty();
      known[i] = KnownImage{digest, has && read, read && Absent(images[digest]) == 0};
    }
    return known;
  }
  std::vector<std::string> Subjects(const std::string& repository,
                                    const std::vector<std::string>& subjects) override {
    std::vector<std::string> found;
    for (const std::string& subject : subjects) found.push_back(Subject(repository, subject));
    return found;
  }
  void Write(std::span<const Batch> batches) override {
    ++tries;
    for (const Batch& batch : batches)
      if (before_write) before_write(batch);
    ++writes;
    for (const Batch& batch : batches) Write(batch);
  }
  void Write(const Batch& batch) {
    largest_batch = std::max(largest_batch, batch.images.size());
    for (const Image& image : batch.images) {
      const auto stored = images.find(image.digest);
      if (stored != images.end() &&
          (image.unread > stored->second.unread ||
           (image.unread == stored->second.unread && Absent(image) >= Absent(stored->second))))
        continue;
      images[image.digest] = image;
      if (forgetful) images[image.digest].annotations.clear();
    }
    for (const GoneChild& gone : batch.gone_children)
      for (PlatformImage& platform : images[gone.image].platforms)
        if (platform.manifest_digest == gone.digest) platform.present = false;
    for (const Image& image : batch.completed) images[image.digest] = image;
    for (const FoundTag& tag : batch.tags) {
      if (images.count(tag.digest) == 0)
        throw std::logic_error("tag " + tag.name + " is written before its image");
      tags[batch.repository][tag.name] = {tag.name, tag.digest, false, tag.rule_id, true};
    }
    for (const std::string& tag : batch.missing) tags[batch.repository][tag].missing = true;
    for (const ReferrerAnswer& answer : batch.referrer_answers)
      std::erase_if(referrers, [&](const Referrer& referrer) {
        return referrer.tag == answer.tag &&
               (answer.subject.empty() || referrer.subject == answer.subject);
      });
    for (const Referrer& referrer : batch.referrers) referrers.push_back(referrer);
    for (const FoundEvidence& found : batch.evidence) {
      std::erase_if(evidence, [&](const auto& stored) {
        return stored.second.referrer == found.referrer && stored.second.place == found.place;
      });
      evidence.emplace_back(batch.repository, found);
    }
    for (const std::string& digest : batch.referrers_checked) checked.push_back(digest);
    if (batch.refused_removals) {
      accepted = false;
      refused[batch.repository] = *batch.refused_removals;
      if (batch.refused_removals->empty()) refused.erase(batch.repository);
    }
    if (batch.listing) fingerprints[batch.repository] = batch.listing_fingerprint;
    if (!batch.tags.empty() || !batch.missing.empty() || batch.listing)
      settled.erase(batch.repository);
    if (batch.settled && batch.settled->tags == Whole(batch.repository))
      settled[batch.repository] = *batch.settled;
    for (const std::string& tag : batch.checked) problems.erase({batch.repository, tag});
    for (const Problem& problem : batch.problems) {
      problems[{batch.repository, problem.tag}] = problem.problem;
      details[{batch.repository, problem.tag}] = problem.detail;
    }
  }
  std::map<std::string, Settled> SettledRepositories() override {
    std::map<std::string, Settled> found = settled;
    for (const auto& [key, problem] : problems) found.erase(key.first);
    for (const auto& [repository, its_tags] : refused) found.erase(repository);
    return found;
  }
  std::vector<std::string> KnownRepositories() override {
    std::vector<std::string> names;
    for (const auto& [name, known] : tags) names.push_back(name);
    return names;
  }
  void ForgetOtherProblems(const std::vector<std::string>& repositories) override {
    std::erase_if(problems, [&](const auto& problem) {
      return std::find(repositories.begin(), repositories.end(), problem.first.first) ==
             repositories.end();
    });
  }
  std::vector<DueReferrers> ReferrersDue(bool) override {
    if (on_due) on_due();
    return due;
  }
  sync::KnownEvidence FindEvidence(const std::string& repository,
                                   const std::string& subject) override {
    ++evidence_looks;
    sync::KnownEvidence known;
    for (const auto& [where, found] : evidence) {
      if (where != repository || found.subject != subject) continue;
      if (!found.retry) known.manifests.push_back(found.referrer);
      if (!found.document) continue;
      known.layers.push_back(found.digest);
      known.bytes += static_cast<std::int64_t>(found.document->size());
    }
    return known;
  }
  std::vector<UntaggedImage> UntaggedDue() override { return untagged; }
  void NoteUntagged(const std::string& repository, const std::string& digest, bool found) override {
    untagged_found[{repository, digest}] = found;
  }
  std::vector<RequestedRepository> Requested() override {
    if (on_requested) on_requested();
    return requested;
  }
  void NoteLook(const RequestedRepository& answered, double, const std::string& problem) override {
    looked[answered.name].push_back(problem);
    std::erase_if(requested, [&](const RequestedRepository& one) {
      return one.name == answered.name && one.request == answered.request;
    });
  }
  void ReportProgress(const RunReport&) override {}
  // What a later run sees: nothing is of this run any more.
  void NextRun() {
    for (auto& [repository, its_tags] : tags)
      for (auto& [name, tag] : its_tags) tag.fresh = false;
  }

  std::map<std::string, Image> images;
  std::map<std::string, std::map<std::string, KnownTag>> tags;
  std::map<std::string, std::string> fingerprints;
  std::map<std::string, Settled> settled;
  std::map<std::pair<std::string, std::string>, std::string> problems;
  std::vector<Referrer> referrers;
  std::vector<std::pair<std::string, FoundEvidence>> evidence;  // with its repository
  int evidence_looks = 0;
  std::vector<DueReferrers> due;
  std::function<void()> on_due;  ///< before each portion of it is given
  std::vector<UntaggedImage> untagged;
  std::map<std::pair<std::string, std::string>, bool> untagged_found;
  std::vector<std::string> checked;
  std::vector<std::vector<std::string>> looks;  ///< digests of each call of KnownImages
  std::map<std::string, std::vector<std::string>> refused;
  bool accepted = false;
  std::map<std::pair<std::string, std::string>, std::string>
      details;  ///< of problems, past ones too
  /// Called before a batch is written: may throw what a database does.
  std::function<void(const Batch&)> before_write;
  std::vector<RequestedRepository> requested;
  std::function<void()> on_requested;  ///< called when the run asks for requests
  std::map<std::string, std::vector<std::string>> looked;  ///< problems of the looks, by repository
  bool broken = false;     ///< knows no images any more: every look for one throws
  bool forgetful = false;  ///< keeps no annotations: a database is not in memory
  int loads = 0;           ///< repositories of which more than their listing was looked at
  std::vector<std::size_t> portions;  ///< of tags that were read, their sizes
  int tries = 0;
  int writes = 0;
  std::size_t largest_batch = 0;

 private:
  // Tags that are present and whose image was read.
  std::int64_t Whole(const std::string& repository) {
    return std::count_if(tags[repository].begin(), tags[repository].end(), [&](const auto& tag) {
      return !tag.second.missing && images[tag.second.digest].unread == Unread::kNothing;
    });
  }

  // The digest of an image of the repository that was read and begins so.
  std::string Subject(const std::string& repository, const std::string& beginning) {
    for (const auto& [name, tag] : tags[repository])
      if (tag.digest.starts_with(beginning) && images[tag.digest].unread == Unread::kNothing)
        return tag.digest;
    return {};
  }

  static std::size_t Absent(const Image& image) {
    return static_cast<std::size_t>(
        std::count_if(image.platforms.begin(), image.platforms.end(),
                      [](const PlatformImage& platform) { return !platform.present; }));
  }
};

}  // namespace image_library::sync

#endif
