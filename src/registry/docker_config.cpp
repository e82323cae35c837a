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

}  // namespace

std::vector<Credential> ReadDockerConfig(std::string_view json, std::string_view host,
                                         std::string_view prefix) {
  std::optional<Json> root;
  try {
    root = Json::Parse(json);
  } catch (const Error&) {
    throw Error(ErrorKind::kMalformed, "credential file is not JSON", {},
                "It must have the form of docker's config.json.");
  }
  std::vector<Credential> credentials;
  (*root)["auths"].ForEachMember([&](std::string_view name, const Json& entry) {
    const Key key = ParseKey(name);
    if (key.host != host && key.host + ":443" != host) return;
    const std::optional<std::string> below = Relative(key.path, prefix);
    std::optional<Credential> credential = ReadEntry(entry);
    if (!below || !credential) return;
    credential->repository_prefix = *below;
    credentials.push_back(std::move(*credential));
  });
  return credentials;
}

}  // namespace image_library::registry
