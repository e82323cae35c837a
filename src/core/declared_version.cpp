#include "core/declared_version.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/strings.h"

namespace image_library {
namespace {

bool HasPrefix(const std::vector<std::uint64_t>& numbers,
               const std::vector<std::uint64_t>& prefix) {
  return prefix.size() <= numbers.size() &&
         std::equal(prefix.begin(), prefix.end(), numbers.begin());
}

}  // namespace

std::optional<TagVersion> DeclaredVersion(const FactReader& reader, std::string_view purpose,
                                          bool* is_label) {
  const std::optional<FactValue> value = reader.Find(purpose);
  if (!value) return {};
  *is_label = value->is_label;
  // A base image with a name label leaves its version label behind, too.
  if (value->is_label && reader.facts().labels.contains("org.opencontainers.image.ref.name")) {
    return {};
  }
  TagVersion version = ParseTagVersion(value->text);
  if (version.numbers.empty()) return {};
  return version;
}

TagVersion ReconcileVersions(const TagVersion& tag, const std::optional<TagVersion>& declared,
                             bool is_label, Classification* image) {
  if (!declared) return tag;
  if (tag.numbers.empty()) return *declared;
  const bool same_prerelease = Lower(tag.prerelease) == Lower(declared->prerelease);
  if (HasPrefix(declared->numbers, tag.numbers) && (tag.prerelease.empty() || same_prerelease)) {
    return *declared;
  }
  if (HasPrefix(tag.numbers, declared->numbers) &&
      (declared->prerelease.empty() || same_prerelease)) {
    return tag;
  }
  image->conflicts.push_back(std::string(is_label ? "label" : "annotation") + " says version " +
                             Quoted(declared->Text()) + ", tag says " + Quoted(tag.Text()));
  if (!is_label) image->contested = true;
  return is_label ? tag : *declared;
}

}  // namespace image_library
