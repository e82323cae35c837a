#include "registry/docker_config.h"

#include <optional>
#include <string>

#include "core/base64.h"
#include "core/error.h"
#include "core/json.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library::registry {
namespace {

// Keys are hosts, hosts with a path, or URLs such as https://index.docker.io/v1/.
struct Key {
  std::string host;
  std::string path;
};

Key ParseKey(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
  while (!text.empty() && text.back() == '/') text.remove_suffix(1);
  Key key;
  const std::size_t slash = text.find('/');
  key.host = Lower(text.substr(0, slash));
  if (key.host.ends_with(":443")) key.host.resize(key.host.size() - 4);
  if (slash != std::string_view::npos) key.path = std::string(text.substr(slash + 1));
  if (key.path == "v1" || key.path == "v2") key.path.clear();
  if (key.host == "index.docker.io" || key.host == "registry-1.docker.io" ||
      key.host == "registry.hub.docker.com")
    key.host = "docker.io";
  return key;
}

// The part of path below prefix; nothing when the two lie apart.
std::optional<std::string> Relative(const std::string& path, std::string_view prefix) {
  if (path.empty() || path == prefix) return std::string();
  if (prefix.empty()) return path;
  const std::string below = std::string(prefix) + "/";
  if (path.compare(0, below.size(), below) == 0) return path.substr(below.size());
  if ((std::string(prefix) + "/").compare(0, path.size() + 1, path + "/") == 0)
    return std::string();
  return std::nullopt;
}

std::optional<Credential> ReadEntry(const Json& entry) {
  Credential credential;
  if (const auto token = entry["identitytoken"].String(); token && !token->empty()) {
    credential.username = "<token>";
    credential.password = *token;
    return credential;
  }
  credential.username = entry["username"].StringOr("");
  credential.password = entry["password"].StringOr("");
  if (const auto auth = entry["auth"].String(); auth && !auth->empty()) {
    std::string pair;
    if (!DecodeBase64(*auth, &pair)) return std::nullopt;
    const std::size_t colon = pair.find(':');
    if (colon == std::string::npos) return std::nullopt;
    credential.username = pair.substr(0, colon);
    credential.password = pair.substr(colon + 1);
    // Docker itself cuts them off: old versions padded with them.
    credential.password.resize(credential.password.find_last_not_of('\0') + 1);
  }
  if (credential.username.empty() && credential.password.empty()) return std::nullopt;
  return credential;
}

std::string Named(std::string_view file) {
  return file.empty() ? "credential file" : "credential file \"" + std::string(file) + "\"";
}

Json ParseConfig(std::string_view json, std::string_view file) {
  try {
    return Json::Parse(json);
  } catch (const Error&) {
    throw Error(ErrorKind::kMalformed, Named(file) + " is not JSON", {},
                "It must have the form of docker's config.json.");
  }
}

bool IsOf(const Key& key, std::string_view host) {
  return key.host == host || key.host + ":443" == host;
}

}  // namespace

std::vector<Credential> ReadDockerConfig(std::string_view json, std::string_view host,
                                         std::string_view prefix, std::string_view file) {
  const Json root = ParseConfig(json, file);
  std::vector<Credential> credentials;
  root["auths"].ForEachMember([&](std::string_view name, const Json& entry) {
    const Key key = ParseKey(name);
    if (!IsOf(key, host)) return;
    const std::optional<std::string> below = Relative(key.path, prefix);
    std::optional<Credential> credential = ReadEntry(entry);
    if (!below || !credential) return;
    credential->repository_prefix = *below;
    credentials.push_back(std::move(*credential));
  });
  return credentials;
}

void RequireDockerCredential(std::string_view json, std::string_view host, std::string_view prefix,
                             std::string_view file) {
  if (!ReadDockerConfig(json, host, prefix, file).empty()) return;
  const Json root = ParseConfig(json, file);
  bool named = false, below = false, helped = false;
  root["auths"].ForEachMember([&](std::string_view name, const Json&) {
    const Key key = ParseKey(name);
    named = named || IsOf(key, host);
    below = below || (IsOf(key, host) && Relative(key.path, prefix));
  });
  root["credHelpers"].ForEachMember(
      [&](std::string_view name, const Json&) { helped = helped || IsOf(ParseKey(name), host); });
  helped = helped || !root["credsStore"].StringOr("").empty();
  const std::string of = "host \"" + std::string(host) + "\"";
  const std::string login =
      "Write an entry with \"auth\" under \"auths\", as docker login does without credsStore and "
      "credHelpers.";
  if (helped)
    throw Error(ErrorKind::kInvalidArgument, Named(file) + " has no password for " + of,
                "It leaves passwords to a credential helper, and the database server runs none.",
                login);
  if (!named)
    throw Error(ErrorKind::kInvalidArgument, Named(file) + " has no entry for " + of,
                root["auths"].IsObject() ? "" : "It has no \"auths\".", login);
  if (!below)
    throw Error(
        ErrorKind::kInvalidArgument,
        Named(file) + " has no entry for " + of + " and path \"" + std::string(prefix) + "\"",
        "Its entries for the host are for other paths.", login);
  throw Error(ErrorKind::kInvalidArgument, Named(file) + " has no password for " + of,
              "Its entry is empty, or \"auth\" is not user:password in base64.", login);
}

}  // namespace image_library::registry
