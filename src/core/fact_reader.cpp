#include "core/fact_reader.h"

#include "core/strings.h"
#include "core/text.h"

namespace image_library {
namespace {

/// The first value that is not blank, by the order of the keys.
std::optional<std::string> FirstValue(const StringMap& map, const std::vector<std::string>& keys) {
  const auto value_of = [](const std::string& text) { return std::string(Trim(text)); };
  for (const std::string& key : keys) {
    if (key.find('*') == std::string::npos) {
      const auto entry = map.find(key);
      if (entry != map.end() && !Trim(entry->second).empty()) return value_of(entry->second);
      continue;
    }
    for (const auto& [name, text] : map) {
      if (MatchesStars(key, name) && !Trim(text).empty()) return value_of(text);
    }
  }
  return {};
}

}  // namespace

std::optional<std::string> FactReader::FindIn(const StringMap& map,
                                              std::string_view purpose) const {
  const auto keys = keys_.find(purpose);
  return keys == keys_.end() ? std::nullopt : FirstValue(map, keys->second);
}

std::optional<FactValue> FactReader::Find(std::string_view purpose) const {
  if (auto text = FindIn(facts_.annotations, purpose)) return FactValue{*text, false};
  if (auto text = FindIn(facts_.labels, purpose)) return FactValue{*text, true};
  return {};
}

std::optional<FactValue> FactReader::FindOwn(std::string_view purpose) const {
  std::optional<FactValue> value = Find(purpose);
  if (!value || !value->is_label) return value;
  for (const char* identity : {"flavor", "major_version"}) {
    const auto own = FindIn(facts_.annotations, identity);
    const auto left_behind = FindIn(facts_.labels, identity);
    if (own && left_behind && *own != *left_behind) return {};
  }
  return value;
}

std::string FactReader::Text(std::string_view purpose) const {
  const std::optional<FactValue> value = Find(purpose);
  return value ? value->text : std::string();
}

PublishedTexts ReadPublishedTexts(const ImageFacts& facts, const ClassificationKeys& keys) {
  const FactReader reader(facts, keys);
  return {reader.Text("title"), reader.Text("description"), reader.Text("version")};
}

std::string Quoted(std::string_view value) {
  constexpr std::size_t kMaxBytes = 64;
  return "\"" + Scrub(value, kMaxBytes) + "\"";
}

}  // namespace image_library
