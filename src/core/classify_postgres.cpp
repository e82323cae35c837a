#include "core/classify_postgres.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "core/declared_version.h"
#include "core/strings.h"
#include "core/text.h"
#include "core/timestamp.h"
#include "core/version.h"

namespace image_library {
namespace {

// Valid major versions in a tag or an annotation: 9.x still exists, 2025 is a date.
constexpr std::uint64_t kFirstMajor = 9;
constexpr std::uint64_t kLastMajor = 99;

/// The parts of `host/path/name:tag@digest`; each may be absent.
struct BaseImage {
  std::string repository, tag;
};

BaseImage SplitBaseName(std::string_view name) {
  name = name.substr(0, name.find('@'));
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  BaseImage base{std::string(name.substr(0, colon)), {}};
  if (colon != std::string_view::npos) base.tag = name.substr(colon + 1);
  return base;
}

struct FlavorName {
  std::string_view name, flavor;
};

// EDB uses the same three names in annotations, in its command line and in repositories. The
// annotation of PGE is not documented.
constexpr auto kFlavorNames = std::to_array<FlavorName>({
    {"pg", "postgresql"},
    {"postgres", "postgresql"},
    {"postgresql", "postgresql"},
    {"community", "postgresql"},
    {"epas", "epas"},
    {"advanced", "epas"},
    {"edb-postgres-advanced", "epas"},
    {"edb-postgres-advanced-server", "epas"},
    {"pge", "pge"},
    {"pgextended", "pge"},
    {"pg-extended", "pge"},
    {"extended", "pge"},
    {"postgresextended", "pge"},
    {"edb-postgres-extended", "pge"},
    {"edb-postgres-extended-server", "pge"},
});

// Words after `postgresql-` in the names of server images; an exporter or operator has others.
constexpr auto kServerSuffixes = std::to_array<std::string_view>(
    {"torsten", "pgd", "testing", "trunk", "minimal", "standard", "system", "postgis"});

std::string_view LastComponent(std::string_view repository) {
  const std::size_t slash = repository.rfind('/');
  return slash == std::string_view::npos ? repository : repository.substr(slash + 1);
}

bool IsNamed(std::string_view name, std::string_view product) {
  return name == product || (name.starts_with(product) && name[product.size()] == '-');
}

std::string FlavorOfRepository(std::string_view repository) {
  const std::string_view name = LastComponent(repository);
  if (IsNamed(name, "edb-postgres-advanced")) return "epas";
  if (IsNamed(name, "edb-postgres-extended")) return "pge";
  if (name == "postgres" || name == "postgresql" || name == "postgis") return "postgresql";
  for (const std::string_view product : {"postgresql-", "postgres-"}) {
    if (!name.starts_with(product)) continue;
    const std::string_view suffix = name.substr(product.size());
    const bool server =
        IsDigits(suffix) ||
        std::find(kServerSuffixes.begin(), kServerSuffixes.end(), suffix) != kServerSuffixes.end();
    return server ? "postgresql" : "";
  }
  return {};
}

/// The base image when it is itself a Postgres server.
std::optional<BaseImage> PostgresBase(const FactReader& reader) {
  BaseImage base = SplitBaseName(reader.Text("base_name"));
  if (FlavorOfRepository(base.repository).empty()) return {};
  return base;
}

/// True for images that CloudNativePG built, in any repository.
bool IsCloudNativePgServer(const FactReader& reader) {
  std::string source = Lower(reader.Text("source"));
  while (source.ends_with('/')) source.pop_back();
  if (source.ends_with(".git")) source.resize(source.size() - 4);
  return source.ends_with("/cloudnative-pg/postgres-containers") ||
         source.ends_with("/cloudnative-pg/postgis-containers") ||
         source.ends_with("/cloudnative-pg/postgres-trunk-containers");
}

/// `minimal` of CloudNativePG's titles, `CloudNativePG PostgreSQL 18.6 minimal`.
std::string TitleType(const FactReader& reader) {
  if (!IsCloudNativePgServer(reader)) return {};
  const std::string title = reader.Text("title");
  const std::string type = title.substr(title.rfind(' ') + 1);
  return type == "minimal" || type == "standard" || type == "system" ? type : "";
}

const char* SourceOf(const FactValue& value) { return value.is_label ? "label" : "annotation"; }

void Contest(std::string phrase, Classification* image) {
  image->conflicts.push_back(std::move(phrase));
  image->contested = true;
}

std::optional<int> PlausibleMajor(std::uint64_t number) {
  if (number < kFirstMajor || number > kLastMajor) return {};
  return static_cast<int>(number);
}

std::optional<int> ParseMajor(std::string_view text) {
  text = Trim(text);
  if (!IsDigits(text) || text.size() > 2) return {};
  unsigned number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return PlausibleMajor(number);
}

/// 17 of a word `pg17` in a tag such as `0.8.0-pg17-bookworm`.
std::optional<int> MajorWord(const TagVersion& tag) {
  for (const std::string_view word : Split(tag.variant, "-")) {
    if (!word.starts_with("pg")) continue;
    if (const auto major = ParseMajor(word.substr(2))) return major;
  }
  return {};
}

/// The server's version in the tag; no numbers when they belong to another component.
TagVersion ServerVersion(const TagVersion& tag) {
  const bool server =
      !tag.numbers.empty() && PlausibleMajor(tag.numbers.front()) && !MajorWord(tag);
  return server ? tag : TagVersion{};
}

void ReadFlavor(const FactReader& reader, Classification* image) {
  const std::string named = FlavorOfRepository(reader.facts().repository);
  if (const std::optional<FactValue> value = reader.Find("flavor")) {
    image->flavor = KnownFlavor(value->text);
    if (image->flavor.empty()) {
      image->conflicts.push_back("flavor " + Quoted(value->text) + " is unknown");
    } else if (!named.empty() && named != image->flavor) {
      image->conflicts.push_back(std::string(SourceOf(*value)) + " says flavor " + image->flavor +
                                 ", repository says " + named);
      // A repository `postgres` may hold any flavor; EDB's repository names tell which.
      if (named != "postgresql") image->contested = true;
    }
  }
  // The repository is more specific than the base image.
  if (image->flavor.empty()) image->flavor = named;
  if (image->flavor.empty()) {
    if (const auto base = PostgresBase(reader)) {
      image->flavor = FlavorOfRepository(base->repository);
    } else if (IsCloudNativePgServer(reader)) {
      image->flavor = "postgresql";
    }
  }
}

std::optional<int> MajorOfNames(const FactReader& reader, const TagVersion& tag) {
  if (const auto major = MajorWord(tag)) return major;
  if (const auto base = PostgresBase(reader)) {
    const TagVersion version = ServerVersion(ParseTagVersion(base->tag));
    if (!version.numbers.empty()) return PlausibleMajor(version.numbers.front());
  }
  const std::string_view name = LastComponent(reader.facts().repository);
  const std::size_t dash = name.rfind('-');
  return dash == std::string_view::npos ? std::nullopt : ParseMajor(name.substr(dash + 1));
}

/// Version and major: the major annotation over the version annotation over the tag over names.
void ReadVersion(const FactReader& reader, const TagVersion& tag, Classification* image) {
  bool is_label = false;
  std::optional<TagVersion> declared = DeclaredVersion(reader, "version", &is_label);
  if (declared) *declared = ServerVersion(*declared);
  if (declared && declared->numbers.empty()) declared.reset();
  const TagVersion version = ReconcileVersions(ServerVersion(tag), declared, is_label, image);
  image->version = version.Text();
  if (!version.numbers.empty()) image->major_version = PlausibleMajor(version.numbers.front());
  if (!image->major_version) image->major_version = MajorOfNames(reader, tag);

  const std::optional<FactValue> value = reader.Find("major_version");
  if (!value) return;
  const std::optional<int> major = ParseMajor(value->text);
  if (!major) {
    image->conflicts.push_back("major version " + Quoted(value->text) + " is no major version");
    return;
  }
  if (image->major_version && *image->major_version != *major) {
    Contest(std::string(SourceOf(*value)) + " says major version " + std::to_string(*major) + ", " +
                (image->version.empty() ? "names say " : "version says ") +
                std::to_string(*image->major_version),
            image);
    image->version.clear();
  }
  image->major_version = major;
  if (image->version.empty()) image->version = std::to_string(*major);
}

/// Unix time of NormalizeTimestamp's form; precondition: text is one.
std::int64_t Seconds(std::string_view text) {
  constexpr std::size_t kSecondsEnd = 19;  // of `YYYY-MM-DD hh:mm:ss`
  return ParseTimestamp(std::string(text.substr(0, kSecondsEnd)) + "Z")->seconds;
}

std::string StampTime(const std::string& stamp) {
  if (stamp.empty()) return {};
  return NormalizeTimestamp(stamp.substr(0, 4) + "-" + stamp.substr(4, 2) + "-" +
                            stamp.substr(6, 2) + "T" + stamp.substr(8, 2) + ":" +
                            stamp.substr(10, 2) + ":00Z");
}

/// Reproducible builds have 1970 or year 1 as their time.
bool IsDeliberatelyNoTime(std::string_view text) {
  return text.starts_with("1970-") || text.starts_with("0001-");
}

void ReadBuildTime(const FactReader& reader, const TagVersion& tag, Classification* image) {
  constexpr std::int64_t kDay = 24 * 60 * 60;
  image->build_at = StampTime(tag.build);
  const std::optional<FactValue> value = reader.Find("created");
  if (!value) return;
  const std::string created = NormalizeTimestamp(value->text);
  if (created.empty()) {
    if (!IsDeliberatelyNoTime(value->text)) {
      image->conflicts.push_back("created " + Quoted(value->text) + " is no time");
    }
    return;
  }
  if (image->build_at.empty()) {
    image->build_at = created;
  } else if (std::abs(Seconds(created) - Seconds(image->build_at)) > kDay) {
    image->conflicts.push_back(std::string(value->is_label ? "label" : "annotation") +
                               " says created " + created + ", tag says " + image->build_at);
    if (!value->is_label) image->build_at = created;
  }
}

/// The suite of a base image such as `docker.io/library/debian:trixie-slim` or `ubi9/ubi`.
std::string BaseOs(const FactReader& reader) {
  const BaseImage base = SplitBaseName(reader.Text("base_name"));
  std::string os = ParseTagVersion(base.tag).os;
  for (const std::string_view part : Split(base.repository, "/")) {
    if (os.empty() && part.starts_with("ubi")) os = ParseTagVersion(part).os;
  }
  return os;
}

/// The words of the tag without `latest`, which does not name a build.
std::string TagVariant(const TagVersion& tag) {
  std::string variant;
  for (const std::string_view word : Split(tag.variant, "-")) {
    if (word.empty() || word == "latest") continue;
    if (!variant.empty()) variant += '-';
    variant += word;
  }
  return variant;
}

void ReadVariant(const FactReader& reader, const TagVersion& tag, Classification* image) {
  constexpr auto kTypes = std::to_array<std::string_view>({"minimal", "standard", "system"});
  image->variant = TagVariant(tag);
  const std::string type = TitleType(reader);
  if (type.empty() || type == image->variant) return;
  if (std::find(kTypes.begin(), kTypes.end(), image->variant) != kTypes.end()) {
    Contest("title says variant " + type + ", tag says " + image->variant, image);
  } else if (image->variant.empty() || tag.numbers.empty()) {
    image->variant = type;
  }
}

void ReadOs(const FactReader& reader, const TagVersion& tag, Classification* image) {
  const auto is_suite = [](const std::string& os) {
    return os.find_first_of("0123456789") == std::string::npos;
  };
  const std::string base_os = Lower(BaseOs(reader));
  image->os = Lower(tag.os);
  if (const std::optional<FactValue> value = reader.Find("os")) {
    const std::string os = Lower(value->text);
    if (!image->os.empty() && image->os != os) {
      Contest(std::string(SourceOf(*value)) + " says operating system " + Quoted(os) +
                  ", tag says " + Quoted(image->os),
              image);
    }
    image->os = Scrub(os, 64);
  } else if (image->os.empty()) {
    image->os = base_os;
  } else if (image->os != base_os && !base_os.empty() && is_suite(image->os) && is_suite(base_os)) {
    Contest(
        "base image says operating system " + Quoted(base_os) + ", tag says " + Quoted(image->os),
        image);
  }
}

bool IsFeatureName(std::string_view text) {
  return text.size() <= 63 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

void ReadFeatures(const FactReader& reader, Classification* image) {
  std::set<std::string> features;
  std::size_t unread = 0;
  const std::optional<FactValue> value = reader.FindOwn("features");
  const std::string text = value ? Lower(value->text) : std::string();
  for (const std::string_view part : Split(text, ",; \t\n")) {
    const std::string_view feature = Trim(part);
    if (feature.empty()) continue;
    if (IsFeatureName(feature)) {
      features.emplace(feature);
    } else if (++unread <= kMostFaults) {
      image->conflicts.push_back("feature " + Quoted(feature) + " is no name");
    }
  }
  // Images of EDB Postgres Distributed have these names, and older ones have no annotations.
  if (text.empty() && LastComponent(reader.facts().repository).ends_with("-pgd")) {
    features.insert("pgd");
  }
  image->features.assign(features.begin(), features.end());
}

void ReadExtensions(const FactReader& reader, Classification* image) {
  const std::optional<FactValue> value = reader.FindOwn("extensions");
  if (value && !ParseExtensionList(value->text, &image->extensions)) {
    image->conflicts.push_back("extension list is not the base64 of name,version,description");
  }
}

}  // namespace

std::string KnownFlavor(std::string_view value) {
  std::string name = Lower(Trim(value));
  std::replace(name.begin(), name.end(), '_', '-');
  std::replace(name.begin(), name.end(), ' ', '-');
  for (const FlavorName& known : kFlavorNames) {
    if (name == known.name) return std::string(known.flavor);
  }
  return {};
}

bool DeclaresPostgres(const FactReader& reader) {
  return reader.Has("flavor") || reader.Has("major_version") || reader.Has("features") ||
         reader.Has("extensions");
}

bool IsNamedPostgres(const FactReader& reader) {
  return !FlavorOfRepository(reader.facts().repository).empty() ||
         PostgresBase(reader).has_value() || IsCloudNativePgServer(reader);
}

bool IsExtensionImage(const FactReader& reader) {
  return !reader.Has("flavor") && (reader.Has("extension_major") ||
                                   reader.Has("extension_version") || reader.Has("extension_base"));
}

void ClassifyPostgres(const FactReader& reader, Classification* image) {
  const TagVersion tag = ParseTagVersion(reader.facts().tag);
  ReadFlavor(reader, image);
  ReadVersion(reader, tag, image);
  ReadBuildTime(reader, tag, image);
  ReadVariant(reader, tag, image);
  ReadOs(reader, tag, image);
  ReadFeatures(reader, image);
  ReadExtensions(reader, image);
}

void ClassifyExtensionImage(const FactReader& reader, Classification* image) {
  // Suffixes of CloudNativePG's staging repositories, and of PostGIS, whose plain name is that of
  // server images.
  constexpr auto kSuffixes = std::to_array<std::string_view>({"-testing", "-extension"});
  const TagVersion tag = ParseTagVersion(reader.facts().tag);
  const BaseImage base = SplitBaseName(reader.Text("extension_base"));
  const TagVersion base_tag = ParseTagVersion(base.tag);
  bool is_label = false;
  if (const std::string declared = reader.Text("version");
      reader.facts().tag.starts_with(declared + "-")) {
    image->version = declared;  // also one that begins with an epoch, 1-6.1.0
  } else {
    image->version =
        ReconcileVersions(tag, DeclaredVersion(reader, "version", &is_label), is_label, image)
            .Text();
  }
  ReadBuildTime(reader, tag, image);
  ReadOs(reader, tag, image);
  if (image->os.empty()) image->os = Lower(base_tag.os);

  // The tag ends in <pgmajor>-<os>: without the OS, its last part is the major version.
  const std::optional<int> tag_major =
      ParseMajor(tag.variant.empty() ? tag.revision : Split(tag.variant, "-").back());
  if (const std::optional<FactValue> value = reader.Find("extension_major")) {
    image->major_version = ParseMajor(value->text);
    if (!image->major_version) {
      image->conflicts.push_back("major version " + Quoted(value->text) + " is no major version");
    } else if (tag_major && *tag_major != *image->major_version) {
      Contest(std::string(SourceOf(*value)) + " says major version " +
                  std::to_string(*image->major_version) + ", tag says " +
                  std::to_string(*tag_major),
              image);
    }
  }
  if (!image->major_version) image->major_version = tag_major;
  if (!image->major_version && !base_tag.numbers.empty()) {
    image->major_version = PlausibleMajor(base_tag.numbers.front());
  }

  std::string_view name = LastComponent(reader.facts().repository);
  for (const std::string_view suffix : kSuffixes) {
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  }
  const std::string sql_version = reader.Text("extension_version");
  image->extensions.push_back({std::string(name),
                               Scrub(sql_version.empty() ? image->version : sql_version, 255),
                               image->description});
}

}  // namespace image_library
