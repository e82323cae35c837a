// One registry with its rules and credentials, as a run reads it.
#ifndef IMAGE_LIBRARY_SYNC_REGISTRY_CONFIG_H_
#define IMAGE_LIBRARY_SYNC_REGISTRY_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/classification_keys.h"
#include "core/rule.h"
#include "core/url.h"
#include "registry/http.h"
#include "registry/types.h"
#include "sync/progress.h"

namespace image_library::sync {

/// One registry, as a run needs it.
struct RegistryConfig {
  std::int32_t id = 0;
  std::string name;
  RegistryUrl url;
  int max_connections = 16;
  std::optional<int> requests_per_second;
  std::optional<int> requests_per_run;  ///< all of them; the next run goes on where one stopped
  std::string ca_certificate;           ///< PEM; empty: the system's store
  bool allow_private = false;
  std::string client_certificate, client_key;  ///< PEM; empty: none
  std::string proxy;                           ///< empty: none
  std::vector<std::string> realm_hosts;        ///< token servers that get credentials
  std::vector<std::string> allowed_hosts;      ///< of the whole server; empty: all
  std::vector<registry::Credential> credentials;
  registry::ReloadCredentials reload_credentials;  ///< see registry::ClientOptions
  RuleSet rules;
  std::string rules_fingerprint;  ///< of all that the rules say
  std::string rules_version;      ///< differs when a rule is changed while the run is under way
  ClassificationKeys keys;
  std::string keys_version;  ///< the same of the keys
  Progress progress;         ///< of the last run
  /// Somebody is trusted, so that signatures are read and not only listed.
  bool reads_evidence = false;
  registry::Abilities abilities;  ///< as runs of the last day found them
};

/// The transport's and the client's options for a registry.
registry::HttpOptions TransportOptions(const RegistryConfig& config);
registry::ClientOptions ClientOptionsOf(const RegistryConfig& config);

}  // namespace image_library::sync

#endif
