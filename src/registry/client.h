// A client of one registry: the OCI distribution-spec's read side, and what registries make of it.
#ifndef IMAGE_LIBRARY_REGISTRY_CLIENT_H_
#define IMAGE_LIBRARY_REGISTRY_CLIENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/manifest.h"
#include "registry/http.h"
#include "registry/listing_turn.h"
#include "registry/types.h"

namespace image_library::registry {

/// Repository names are relative to the URL's prefix. Every method throws Error and names the
/// registry's host, repository and tag in its message; 404 is a value where the return type says
/// so, else kNotFound.
class Client {
 public:
  /// The transport must outlive the client.
  Client(ClientOptions options, Transport& transport, RetryPolicy retry = {});
  ~Client();

  /// `GET /v2/`: reaches the registry and learns how it authenticates.
  Task<void> Ping();

  /// All repositories under the prefix, from `_catalog` (which is not in the spec, and off on most
  /// public registries: kUnauthorized or kNotFound then).
  Task<Listing> ListRepositories();

  /// Nothing when the repository does not exist. kTooLarge over limit::kTags or limit::kListing.
  /// Where several are read at once, each needs a turn, which is taken before the listing becomes
  /// large, and left to the caller to give back.
  Task<std::optional<Listing>> ListTags(std::string repository, ListingTurn* turn = nullptr);

  /// `HEAD manifests/<tag>`; falls back to GET where a registry has no HEAD.
  Task<TagHead> HeadTag(std::string repository, std::string tag);

  /// What a tag points at, `known` being the digest that it had. One request, and no body while the
  /// tag stays: a GET with If-None-Match where the registry answers those, which brings the
  /// manifest of a tag that moved, else HEAD. Docker Hub counts a GET as a pull, and is asked with
  /// HEAD.
  Task<TagCheck> CheckTag(std::string repository, std::string tag, std::string known);

  /// By tag or digest; nothing when it is not there. By digest the body is verified
  /// (kDigestMismatch); by tag the digest is the server's if the body has it, else its sha256.
  Task<std::optional<FetchedManifest>> GetManifest(std::string repository, std::string reference);

  /// A config blob, verified; follows redirects without credentials across origins. kTooLarge over
  /// limit::kConfig whatever its size was said to be.
  Task<std::string> GetBlob(std::string repository, std::string digest);

  /// Referrers API; nothing when the registry has none (then abilities().referrers is false). While
  /// that is unknown one request is sent, and whoever else asks waits for its answer.
  Task<std::optional<std::vector<Descriptor>>> ListReferrers(std::string repository,
                                                             std::string digest);

  std::int64_t retries() const noexcept;
  const Abilities& abilities() const noexcept;
  /// How the registry authenticates: `none`, `basic`, `bearer`; empty before Ping.
  std::string authentication() const;
  /// Host of the server that gave its tokens; empty when there was none.
  std::string token_server() const;
  /// Each text of its Warning headers, once; of the first few.
  const std::vector<std::string>& warnings() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace image_library::registry

#endif
