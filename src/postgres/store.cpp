#include "postgres/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/error.h"
#include "core/host_list.h"
#include "core/json_writer.h"
#include "postgres/batch_datum.h"
#include "postgres/datum.h"
#include "postgres/settings.h"
#include "registry/docker_config.h"
#include "registry/location.h"

namespace image_library::postgres {
namespace {

constexpr std::size_t kMaxCredentialFile = 256u << 10;

std::string Text(const std::optional<std::string>& value) { return value.value_or(std::string()); }

std::vector<std::string> Sorted(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::string ErrorText(int code) { return std::generic_category().message(code); }

// Only files in the folder itself: names with a slash and symbolic links are refused.
std::string ReadCredentialFile(const std::string& name) {
  const std::string folder =
      settings::credentials_dir == nullptr ? std::string() : settings::credentials_dir;
  if (folder.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "credential file \"" + name + "\" cannot be read: no folder is set", {},
                "Set image_library.credentials_dir.");
  // In the message: of a run's error nothing else is kept.
  const auto refuse = [&](const char* what, const std::string& why) {
    throw Error(
        ErrorKind::kInvalidArgument,
        std::string("could not ") + what + " credential file \"" + name + "\": " + why, {},
        "It must be a file in the folder of image_library.credentials_dir that the server's "
        "operating system user may read.");
  };
  if (name.find('/') != std::string::npos) refuse("open", "its name has a slash");
  const std::string path = folder + "/" + name;
  // Without O_NONBLOCK a pipe would be waited for.
  const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    const int reason = errno;
    refuse("open", reason == ELOOP ? "it is a symbolic link" : ErrorText(reason));
  }
  struct stat status {};
  const bool regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  std::string text(kMaxCredentialFile + 1, '\0');
  std::size_t size = 0;
  ssize_t count = 0;
  while (regular && size < text.size() &&
         (count = read(file, text.data() + size, text.size() - size)) > 0)
    size += static_cast<std::size_t>(count);
  const int reason = errno;
  close(file);
  if (!regular) refuse("read", "it is not a regular file");
  if (count < 0) refuse("read", ErrorText(reason));
  if (size > kMaxCredentialFile)
    refuse("read", "it is larger than " + std::to_string(kMaxCredentialFile) + " bytes");
  text.resize(size);
  return text;
}

// The value of an environment variable of the server. The variable with the suffix _HOSTS must name
// the host. Otherwise a role that may add registries could have the value sent to a host of its
// own.
std::string ReadCredentialVariable(const std::string& name, const sync::RegistryConfig& config) {
  const std::string hosts_name = name + "_HOSTS";
  const auto refuse = [&](const std::string& why, std::string hint) {
    throw Error(ErrorKind::kInvalidArgument,
                "credential of registry \"" + config.name +
                    "\" cannot be read: environment variable " + why,
                {}, std::move(hint));
  };
  const char* const password =
      name.rfind("IMAGE_LIBRARY_", 0) == 0 ? getenv(name.c_str()) : nullptr;
  if (password == nullptr || *password == '\0')
    refuse("\"" + name + "\" is not set",
           "Set it in the environment of the PostgreSQL server and restart the server.");
  const char* const hosts = getenv(hosts_name.c_str());
  const std::vector<std::string> allowed = SplitHostPatterns(hosts == nullptr ? "" : hosts);
  const auto location = registry::ParseLocation(config.url.Origin());
  // In references Docker Hub is docker.io; its API has another host.
  if (!(location && MatchesHost(allowed, location->host, location->port)) &&
      !MatchesHost(allowed, config.url.host, ""))
    refuse("\"" + hosts_name + "\" does not name host \"" + config.url.host + "\"",
           "It lists the hosts that \"" + name +
               "\" may be sent to; set it in the environment of the "
               "PostgreSQL server and restart the server.");
  return password;
}

// A secret of the server's own, which no admin may read: over http whoever is on the network could,
// and any admin may add a registry with that URL.
void RequireConfidential(const std::string& source, const sync::RegistryConfig& config) {
  if (registry::IsConfidential(config.url.Origin(), !config.proxy.empty())) return;
  throw Error(ErrorKind::kInvalidArgument,
              "credential of registry \"" + config.name + "\" cannot be sent to \"" +
                  config.url.Origin() + "\": what " + source +
                  " holds goes over https only, or over http to this machine",
              {}, "Give the registry an https URL, or set the credential with set_credential.");
}

// A row of image_library_internal.credentials: what SQL set, or what the file or variable holds
// that it names.
std::vector<registry::Credential> ReadCredential(const Row& row,
                                                 const sync::RegistryConfig& config) {
  if (row[4]) {
    RequireConfidential("environment variable \"" + *row[4] + "\"", config);
    return {{Text(row[0]), Text(row[1]), ReadCredentialVariable(*row[4], config)}};
  }
  if (!row[3]) return {{Text(row[0]), Text(row[1]), Text(row[2])}};
  RequireConfidential("credential file \"" + *row[3] + "\"", config);
  std::vector<registry::Credential> credentials = registry::ReadDockerConfig(
      ReadCredentialFile(*row[3]), config.url.host, config.url.prefix, *row[3]);
  for (registry::Credential& read : credentials)
    if (read.repository_prefix.empty()) read.repository_prefix = Text(row[0]);
  return credentials;
}

// Inside a transaction.
Rows CredentialRows(Database& database, const sync::RegistryConfig& config) {
  return database.Execute(
      "SELECT repository_prefix, username, password, file, variable FROM "
      "image_library_internal.credentials($1::pg_catalog.int4, $2, $3, $4, $5, "
      "$6::pg_catalog.jsonb)",
      {std::to_string(config.id), config.url.scheme, config.url.host, config.proxy,
       config.ca_certificate, ToJsonArray(config.realm_hosts)});
}

// Inside a transaction.
std::vector<registry::Credential> ReadCredentials(Database& database,
                                                  const sync::RegistryConfig& config) {
  std::vector<registry::Credential> credentials;
  for (const Row& row : CredentialRows(database, config))
    for (registry::Credential& read : ReadCredential(row, config))
      credentials.push_back(std::move(read));
  return credentials;
}

// The registry with its rules, without what is secret. Inside a transaction.
sync::RegistryConfig ReadRegistry(Database& database, std::int32_t registry_id) {
  sync::RegistryConfig config;
  const Rows rows = database.Execute(
      "SELECT config FROM image_library_internal.registry_config($1::pg_catalog.int4) AS config "
      "WHERE config IS NOT NULL",
      {std::to_string(registry_id)});
  if (rows.empty()) throw Error(ErrorKind::kInvalidArgument, "registry was dropped");
  const Json json = Json::Parse(Text(rows.front()[0]), Json::kAnyNumber);
  const auto text = [&](const char* key) { return json[key].StringOr(""); };
  const auto number = [&](const char* key) -> std::optional<int> {
    const std::optional<std::int64_t> value = json[key].Integer();
    return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
  };
  config.id = registry_id;
  config.name = text("name");
  config.url = {text("scheme"), text("host"), text("prefix")};
  config.max_connections = number("max_connections").value_or(config.max_connections);
  config.requests_per_second = number("requests_per_second");
  config.requests_per_run = number("requests_per_run");
  config.ca_certificate = text("ca_certificate");
  config.allow_private = json["allow_private"].Boolean().value_or(false);
  config.rules = RuleSet::FromJson(json["rules"]);
  config.rules_fingerprint = text("rules_fingerprint");
  config.rules_version = text("rules_version");
  config.keys = ParseClassificationKeys(json["keys"]);
  config.keys_version = text("keys_version");
  config.client_certificate = text("client_certificate");
  config.client_key = text("client_key");
  config.proxy = text("proxy");
  config.realm_hosts = json["realm_hosts"].Strings();
  config.allowed_hosts = settings::AllowedHosts();
  config.progress = sync::Progress::FromText(text("progress"));
  if (json["head_refused"].Boolean() == true) config.abilities.head = false;
  if (json["referrers_refused"].Boolean() == true) config.abilities.referrers = false;
  config.reads_evidence = json["reads_evidence"].Boolean().value_or(false);
  config.abilities.conditional = json["conditional"].Boolean();
  return config;
}

}  // namespace

sync::KnownRepository SqlStore::LoadRepository(const std::string& repository) {
  sync::KnownRepository known;
  for (const Row& row : database_.Query(
           "SELECT fingerprint, has_tags, problem, tag_problems, removals_refused, accepted "
           "FROM image_library_internal.known_repository($1::pg_catalog.int4, $2)",
           {registry_id_, repository})) {
    known.listing_fingerprint = Text(row[0]);
    known.has_tags = Text(row[1]) == "t";
    known.problem = Text(row[2]);
    known.tag_problems = Text(row[3]) == "t";
    known.removals_refused = Text(row[4]) == "t";
    known.accepted = Sorted(Json::Parse(Text(row[5]), Json::kAnyNumber).Strings());
  }
  return known;
}

std::vector<sync::KnownTag> SqlStore::KnownTags(const std::string& repository,
                                                const std::string& from, std::size_t most) {
  std::vector<sync::KnownTag> known;
  for (const Row& row :
       database_.Query("SELECT name, digest, missing, rule_id, fresh, unread FROM "
                       "image_library_internal.known_tags($1::pg_catalog.int4, $2, $3, "
                       "$4::pg_catalog.int4)",
                       {registry_id_, repository, from, std::to_string(most)}))
    known.push_back({Text(row[0]), Text(row[1]), Text(row[2]) == "t", std::stoll(Text(row[3])),
                     Text(row[4]) == "t", Text(row[5]) == "t"});
  return known;
}

std::vector<sync::KnownProblem> SqlStore::KnownProblems(const std::string& repository,
                                                        const std::string& from, std::size_t most) {
  std::vector<sync::KnownProblem> known;
  for (const Row& row :
       database_.Query("SELECT tag, problem FROM image_library_internal.known_problems("
                       "$1::pg_catalog.int4, $2, $3, $4::pg_catalog.int4)",
                       {registry_id_, repository, from, std::to_string(most)}))
    known.push_back({Text(row[0]), Text(row[1])});
  return known;
}

std::vector<std::string> SqlStore::ReferrerTags(const std::string& repository,
                                                const std::string& from, std::size_t most) {
  std::vector<std::string> known;
  for (const Row& row : database_.Query(
           "SELECT tag FROM image_library_internal.known_referrer_tags($1::pg_catalog.int4, $2, "
           "$3, $4::pg_catalog.int4) AS tag",
           {registry_id_, repository, from, std::to_string(most)}))
    known.push_back(Text(row[0]));
  return known;
}

std::vector<std::optional<sync::KnownImage>> SqlStore::KnownImages(
    const std::vector<sync::RepositoryDigest>& digests) {
  std::vector<std::string> repositories, texts;
  for (const sync::RepositoryDigest& asked : digests) {
    repositories.push_back(asked.repository);
    texts.push_back(asked.digest);
  }
  std::vector<std::optional<sync::KnownImage>> known(digests.size());
  database_.Transaction([&] {
    for (const Row& row :
         database_.Execute("SELECT place, here, whole FROM "
                           "image_library_internal.known_digests($1::pg_catalog.int4, $2, $3)",
                           {registry_id_},
                           {{TEXTARRAYOID, TextArrayDatum(repositories)},
                            {TEXTARRAYOID, TextArrayDatum(texts)}})) {
      const std::size_t place = std::stoul(Text(row[0])) - 1;
      known.at(place) = sync::KnownImage{texts.at(place), Text(row[1]) == "t", Text(row[2]) == "t"};
    }
  });
  return known;
}

std::vector<std::string> SqlStore::Subjects(const std::string& repository,
                                            const std::vector<std::string>& subjects) {
  std::vector<std::string> found(subjects.size());
  database_.Transaction([&] {
    for (const Row& row :
         database_.Execute("SELECT place, digest FROM "
                           "image_library_internal.known_subjects($1::pg_catalog.int4, $2, $3)",
                           {registry_id_, repository}, {{TEXTARRAYOID, TextArrayDatum(subjects)}}))
      found.at(std::stoul(Text(row[0])) - 1) = Text(row[1]);
  });
  return found;
}

void SqlStore::Write(std::span<const sync::Batch> batches) {
  try {
    WriteBatches(database_, registry_id_, batches);
  } catch (const PostgresError& error) {
    const std::string message =
        error.detail.empty() ? error.message : error.message + ": " + error.detail;
    if (IsOfData(error.sqlstate)) throw DataRefusedByPostgres(message, error);
    if (IsBusy(error.sqlstate)) throw sync::StoreBusy(message);
    throw;
  }
}

std::vector<std::string> SqlStore::KnownRepositories() {
  std::vector<std::string> names;
  for (const Row& row : database_.Query(
           "SELECT name FROM image_library_internal.known_repositories($1::pg_catalog.int4)",
           {registry_id_}))
    names.push_back(Text(row[0]));
  return names;
}

std::map<std::string, sync::Settled> SqlStore::SettledRepositories() {
  std::map<std::string, sync::Settled> settled;
  for (const Row& row :
       database_.Query("SELECT name, fingerprint, tags, movable FROM "
                       "image_library_internal.settled_repositories($1::pg_catalog.int4)",
                       {registry_id_}))
    settled.emplace(Text(row[0]), sync::Settled{Text(row[1]), std::stoll(Text(row[2])),
                                                std::stoll(Text(row[3]))});
  return settled;
}

void SqlStore::ForgetOtherProblems(const std::vector<std::string>& repositories) {
  database_.Query(
      "SELECT image_library_internal.forget_other_problems($1::pg_catalog.int4, "
      "$2::pg_catalog.jsonb)",
      {registry_id_, ToJsonArray(repositories)});
}

std::vector<sync::DueReferrers> SqlStore::ReferrersDue(bool with_api) {
  std::vector<sync::DueReferrers> due;
  for (const Row& row : database_.Query(
           "SELECT repository, digest, tags, known, absent, present, children FROM "
           "image_library_internal.due_referrers($1::pg_catalog.int4, $2::pg_catalog.bool)",
           {registry_id_, with_api ? "true" : "false"}))
    due.push_back({Text(row[0]), Text(row[1]),
                   Json::Parse(Text(row[2]), Json::kAnyNumber).Strings(),
                   Json::Parse(Text(row[3]), Json::kAnyNumber).Map(),
                   Json::Parse(Text(row[4]), Json::kAnyNumber).Strings(),
                   Json::Parse(Text(row[5]), Json::kAnyNumber).Strings(),
                   Json::Parse(Text(row[6]), Json::kAnyNumber).Strings()});
  return due;
}

sync::KnownEvidence SqlStore::FindEvidence(const std::string& repository,
                                           const std::string& subject) {
  sync::KnownEvidence known;
  for (const Row& row :
       database_.Query("SELECT manifests, layers, bytes FROM "
                       "image_library_internal.known_evidence($1::pg_catalog.int4, $2, $3)",
                       {registry_id_, repository, subject}))
    known = {Json::Parse(Text(row[0]), Json::kAnyNumber).Strings(),
             Json::Parse(Text(row[1]), Json::kAnyNumber).Strings(), std::stoll(Text(row[2]))};
  return known;
}

std::vector<sync::UntaggedImage> SqlStore::UntaggedDue() {
  std::vector<sync::UntaggedImage> due;
  for (const Row& row : database_.Query("SELECT repository, digest, tagged FROM "
                                        "image_library_internal.due_untagged($1::pg_catalog.int4)",
                                        {registry_id_}))
    due.push_back({Text(row[0]), Text(row[1]), Text(row[2])});
  return due;
}

void SqlStore::NoteUntagged(const std::string& repository, const std::string& digest, bool found) {
  database_.Query(
      "SELECT image_library_internal.note_untagged($1::pg_catalog.int4, $2, $3, "
      "$4::pg_catalog.bool)",
      {registry_id_, repository, digest, found ? "true" : "false"});
}

std::vector<sync::RequestedRepository> SqlStore::Requested() {
  std::vector<sync::RequestedRepository> requested;
  for (const Row& row : database_.Query("SELECT repository, request, tags FROM "
                                        "image_library_internal.due_looks($1::pg_catalog.int4)",
                                        {registry_id_})) {
    requested.push_back({Text(row[0]), Text(row[1]), {}});
    if (row[2]) requested.back().tags = Json::Parse(*row[2], Json::kAnyNumber).Strings();
  }
  return requested;
}

void SqlStore::NoteLook(const sync::RequestedRepository& requested, double seconds,
                        const std::string& problem) {
  database_.Query(
      "SELECT image_library_internal.note_look($1::pg_catalog.int4, $2, $3, $4::pg_catalog.float8, "
      "$5)",
      {registry_id_, requested.name, requested.request, std::to_string(seconds),
       problem.empty() ? std::nullopt : std::optional<std::string>(problem)});
}

void WriteBatches(Database& database, const std::string& registry_id,
                  std::span<const sync::Batch> batches) {
  std::vector<std::string> repositories;
  for (const sync::Batch& batch : batches) repositories.push_back(batch.repository);
  database.Transaction([&] {
    database.Execute("SELECT image_library_internal.write_batches($1::pg_catalog.int4, $2, $3)",
                     {registry_id},
                     {{TEXTARRAYOID, TextArrayDatum(repositories)}, BatchesDatum(batches)});
  });
}

sync::RegistryConfig LoadRegistry(Database& database, std::int32_t registry_id) {
  sync::RegistryConfig config;
  database.Transaction([&] {
    config = ReadRegistry(database, registry_id);
    // A proxy can read the traffic, so its host must be allowed, like the registry's.
    if (!config.proxy.empty())
      registry::RequireAllowedHost(config.allowed_hosts, true, config.proxy);
    config.credentials = ReadCredentials(database, config);
  });
  sync::RegistryConfig reached;
  reached.id = registry_id;
  reached.name = config.name;
  reached.url = config.url;
  reached.proxy = config.proxy;
  reached.ca_certificate = config.ca_certificate;
  reached.realm_hosts = config.realm_hosts;
  config.reload_credentials = [&database, reached = std::move(reached)] {
    std::vector<registry::Credential> credentials;
    database.Transaction([&] { credentials = ReadCredentials(database, reached); });
    return credentials;
  };
  return config;
}

void CheckCredential(Database& database, std::int32_t registry_id,
                     const std::string& repository_prefix) {
  database.Transaction([&] {
    const sync::RegistryConfig config = ReadRegistry(database, registry_id);
    for (const Row& row : CredentialRows(database, config)) {
      if (Text(row[0]) != repository_prefix) continue;
      if (ReadCredential(row, config).empty() && row[3])
        registry::RequireDockerCredential(ReadCredentialFile(*row[3]), config.url.host,
                                          config.url.prefix, *row[3]);
    }
  });
}

}  // namespace image_library::postgres
