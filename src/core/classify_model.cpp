#include "core/classify_model.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/declared_version.h"
#include "core/error.h"
#include "core/strings.h"
#include "core/text.h"
#include "core/version.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxProfiles = 1000;
constexpr int kMaxGpus = 100'000;
constexpr std::string_view kModelcarPrefix = "modelcar-";
constexpr std::string_view kModelcarCatalog = "modelcar-catalog";

using Components = std::vector<std::string_view>;

std::string Join(const Components& components, std::size_t first) {
  std::string path;
  for (std::size_t i = first; i < components.size(); ++i) {
    if (i > first) path += '/';
    path += components[i];
  }
  return path;
}

/// Position of the publisher after the component `nim`; 0 when there is none.
std::size_t AfterNim(const Components& components) {
  const auto nim = std::find(components.begin(), components.end(), "nim");
  if (nim == components.end() || nim + 1 == components.end()) return 0;
  return static_cast<std::size_t>(nim - components.begin()) + 1;
}

void ReadNimPath(const Components& components, std::size_t first, Classification* image) {
  if (first + 1 < components.size()) image->publisher = components[first++];
  image->model = Join(components, first);
}

void ReadName(const FactReader& reader, Classification* image) {
  const Components components = Split(reader.facts().repository, "/");
  const std::size_t after_nim = AfterNim(components);
  if (image->format == "nim" && after_nim > 0) {
    ReadNimPath(components, after_nim, image);
  } else if (const std::string model = reader.Text("model"); !model.empty()) {
    const std::size_t slash = model.find('/');  // `meta/llama-3.1-8b-instruct`
    if (slash != std::string::npos) image->publisher = model.substr(0, slash);
    image->model = slash == std::string::npos ? model : model.substr(slash + 1);
  } else if (components.back() == kModelcarCatalog) {
    image->model = reader.facts().tag;  // a repository of many models, one a tag
  } else {
    std::string_view name = components.back();
    if (name.starts_with(kModelcarPrefix)) name.remove_prefix(kModelcarPrefix.size());
    image->model = name;
  }
  if (image->publisher.empty()) image->publisher = reader.Text("publisher");
  // Docker Hub and Ollama use `library` for what has no publisher.
  if (image->publisher.empty() && after_nim == 0 && components.size() > 1 &&
      components[components.size() - 2] != "library") {
    image->publisher = components[components.size() - 2];
  }
}

/// Names come from publishers and go into tables and manifests, so their length is limited.
void ShortenNames(Classification* image) {
  constexpr std::size_t kMaxBytes = 255;
  for (std::string* name : {&image->publisher, &image->model, &image->task}) {
    *name = Scrub(*name, kMaxBytes);
  }
}

void ReadModelVersion(const FactReader& reader, Classification* image) {
  const TagVersion tag = ParseTagVersion(reader.facts().tag);
  bool is_label = false;
  std::optional<TagVersion> declared = DeclaredVersion(reader, "model_version", &is_label);
  if (!declared) declared = DeclaredVersion(reader, "version", &is_label);
  const TagVersion version = ReconcileVersions(tag, declared, is_label, image);
  image->model_version = version.Text();
  image->version = image->model_version;
}

/// The texts of a JSON list: strings, objects with a name, or an object of id to name.
void CollectNames(const Json& json, std::vector<std::string>* names) {
  if (const auto text = json.String()) {
    names->push_back(*text);
  } else if (json.IsArray()) {
    for (const Json& element : json.Elements()) CollectNames(element, names);
  } else if (json.IsObject()) {
    for (const char* key : {"name", "profile", "profile_name"}) {
      if (const auto name = json[key].String()) {
        names->push_back(*name);
        return;
      }
    }
    json.ForEachMember([&](std::string_view, const Json& member) { CollectNames(member, names); });
  }
}

bool IsProfileId(std::string_view text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// Names in a list: JSON, or words between commas, semicolons and white space, where the 64-digit
/// ids that NIM prints before the names are left out.
std::vector<std::string> ProfileNames(const std::string& text) {
  std::vector<std::string> names;
  if (text.starts_with('[') || text.starts_with('{')) {
    try {
      CollectNames(Json::Parse(text), &names);
      return names;
    } catch (const Error&) {
      names.clear();  // read as words: each becomes a conflict
    }
  }
  for (std::string_view word : Split(text, ",; \t\r\n")) {
    while (word.ends_with(':')) word.remove_suffix(1);
    if (word.starts_with('(') && word.ends_with(')')) word = word.substr(1, word.size() - 2);
    if (!word.empty() && word != "-" && !IsProfileId(word)) names.emplace_back(word);
  }
  return names;
}

void ReadProfiles(const FactReader& reader, Classification* image) {
  std::size_t unread = 0;
  for (const std::string& name : ProfileNames(reader.Text("profiles"))) {
    std::optional<ModelProfile> profile = ParseModelProfile(name);
    if (!profile) {
      if (++unread <= kMostFaults) {
        image->conflicts.push_back("profile " + Quoted(name) + " is no profile name");
      }
      continue;
    }
    const bool known = std::any_of(image->profiles.begin(), image->profiles.end(),
                                   [&](const ModelProfile& p) { return p.name == profile->name; });
    if (!known && image->profiles.size() < kMaxProfiles) image->profiles.push_back(*profile);
  }
}

/// The declared number, otherwise that of the smallest profile.
void ReadGpuCount(const FactReader& reader, Classification* image) {
  if (const std::optional<FactValue> value = reader.Find("gpu_count")) {
    int count = 0;
    const char* end = value->text.data() + value->text.size();
    const auto [stop, error] = std::from_chars(value->text.data(), end, count);
    if (error == std::errc() && stop == end && count >= 0 && count <= kMaxGpus) {
      image->gpu_count = count;
      return;
    }
    image->conflicts.push_back("GPU count " + Quoted(value->text) + " is no number of GPUs");
  }
  for (const ModelProfile& profile : image->profiles) {
    const int gpus = profile.tp * profile.pp;
    image->gpu_count = std::min(image->gpu_count.value_or(gpus), gpus);
  }
}

}  // namespace

bool IsNimRepository(std::string_view repository) { return AfterNim(Split(repository, "/")) > 0; }

bool IsModelcarRepository(std::string_view repository) {
  const Components components = Split(repository, "/");
  const auto holds_modelcars = [](std::string_view component) {
    return component == "modelcar" || component == "modelcars";
  };
  return components.back().starts_with(kModelcarPrefix) ||
         std::any_of(components.begin(), components.end(), holds_modelcars);
}

void ClassifyModel(const FactReader& reader, Classification* image) {
  ReadName(reader, image);
  ReadModelVersion(reader, image);
  image->task = Lower(reader.Text("task"));
  ShortenNames(image);
  ReadProfiles(reader, image);
  ReadGpuCount(reader, image);
}

}  // namespace image_library
