// A Catalog in memory.
#ifndef IMAGE_LIBRARY_TEST_UNIT_MEMORY_CATALOG_H_
#define IMAGE_LIBRARY_TEST_UNIT_MEMORY_CATALOG_H_

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sync/catalog.h"

namespace image_library::sync {

// What image_library._write_batch does, in a few lines.
class MemoryCatalog : public Catalog {
 public:
  KnownRepository LoadRepository(const std::string& repository) override {
    KnownRepository known;
    known.listing_fingerprint = fingerprints[repository];
    for (const auto& [name, tag] : tags[repository]) known.tags.push_back(tag);
    for (const auto& [key, problem] : problems)
      if (key.first == repository) known.problem_tags.push_back(key.second);
    return known;
  }
  std::vector<std::string> KnownImages(const std::vector<std::string>& digests) override {
    std::vector<std::string> known;
    for (const std::string& digest : digests)
      if (images.count(digest) != 0) known.push_back(digest);
    return known;
  }
  void Write(const Batch& batch) override {
    ++writes;
    largest_batch = std::max(largest_batch, batch.images.size());
    for (const Image& image : batch.images) images[image.digest] = image;
    for (const FoundTag& tag : batch.tags) {
      if (images.count(tag.digest) == 0)
        throw std::logic_error("tag " + tag.name + " is written before its image");
      tags[batch.repository][tag.name] = {tag.name, tag.digest, false};
    }
    for (const std::string& tag : batch.missing) tags[batch.repository][tag].missing = true;
    for (const Referrer& referrer : batch.referrers) referrers.push_back(referrer);
    if (batch.listing) fingerprints[batch.repository] = batch.listing_fingerprint;
    for (const std::string& tag : batch.checked) problems.erase({batch.repository, tag});
    for (const Problem& problem : batch.problems)
      problems[{batch.repository, problem.tag}] = problem.problem;
  }
  std::vector<std::string> KnownRepositories() override {
    std::vector<std::string> names;
    for (const auto& [name, known] : tags) names.push_back(name);
    return names;
  }
  void Progress(const std::string&) override {}

  std::map<std::string, Image> images;
  std::map<std::string, std::map<std::string, KnownTag>> tags;
  std::map<std::string, std::string> fingerprints;
  std::map<std::pair<std::string, std::string>, std::string> problems;
  std::vector<Referrer> referrers;
  int writes = 0;
  std::size_t largest_batch = 0;
};

}  // namespace image_library::sync

#endif
