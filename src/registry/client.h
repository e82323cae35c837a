// A client of one registry: the OCI distribution-spec's read side, and what registries make of it.
#ifndef IMAGE_LIBRARY_REGISTRY_CLIENT_H_
#define IMAGE_LIBRARY_REGISTRY_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/image.h"
#include "core/manifest.h"
#include "core/url.h"
#include "registry/http.h"
#include "registry/listing_turn.h"

namespace image_library::registry {

/// A credential and the repositories (relative to the registry's prefix) it is for; the longest
/// matching prefix wins, an empty prefix is for all.
struct Credential {
  std::string repository_prefix;
  std::string username;
  std::string password;
  bool operator==(const Credential&) const = default;
};

/// Reads the credentials anew: those of clouds live for hours, and others renew them meanwhile.
/// May throw; the credentials stay as they are then.
using ReloadCredentials = std::function<std::vector<Credential>()>;

/// What a registry has proved to have or to lack; unknown until then.
struct Abilities {
  std::optional<bool> head;       ///< HEAD of manifests
  std::optional<bool> referrers;  ///< the referrers API
};

struct ClientOptions {
  RegistryUrl url;
  std::vector<Credential> credentials;
  /// Token servers that get credentials besides those of the registry's own organization.
  std::vector<std::string> realm_hosts = {};
  /// Asked after a refusal, at most once a minute; may be empty.
  ReloadCredentials reload_credentials = {};
  Abilities abilities = {};  ///< what is known already
};

/// Limits on what a registry may send (facts: peers' limits are 4 to 100 MiB for manifests).
namespace limit {
inline constexpr std::size_t kManifest = 4u << 20;
inline constexpr std::size_t kConfig = 1u << 20;
inline constexpr std::size_t kList = 8u << 20;
inline constexpr std::size_t kToken = 64u << 10;
inline constexpr std::size_t kTokens = 256;  ///< kept at a time
inline constexpr std::size_t kPages = 10000;
inline constexpr std::size_t kPageEntries = 500000;
inline constexpr std::size_t kTags = 500000;
inline constexpr std::size_t kRepositories = 100000;
inline constexpr std::size_t kListing = 16u << 20;      ///< in memory: names and links of pages
inline constexpr std::size_t kSmallListing = 1u << 20;  ///< a larger one needs a ListingTurn
inline constexpr int kRedirects = 5;
}  // namespace limit

/// How a registry gives its lists.
enum class Paging {
  kWhole,  ///< at once, as far as one list shows
  kLink,   ///< in pages, each with a Link to the next
  kLast,   ///< in pages without a Link: the next one is asked for with `last`
};

/// A complete listing: every page was read. Anything else throws.
struct Listing {
  std::vector<std::string> names;  ///< valid names only, sorted, each once
  std::size_t invalid = 0;         ///< entries that were no names (null, digests ...)
  Paging paging = Paging::kWhole;
};

/// A manifest whose body hashes to digest (of Docker schema 1: what is signed of it).
struct FetchedManifest {
  std::string digest;
  std::string content_type;
  std::string body;
  /// Set when the server's Docker-Content-Digest contradicts the body of a request by tag.
  std::string claimed_digest;
  /// Counts the body in the run's budget for as long as the manifest lives: what is made of a body
  /// takes about as much.
  HeldBytes held = {};
};

/// What a HEAD by tag said.
struct TagHead {
  bool found = false;
  std::string digest;  ///< empty when the registry did not send a usable one: GET then
};

/// What a registry last said of its limits; nothing where it says nothing.
struct RateLimit {
  std::optional<std::int64_t> limit;      ///< requests in a window
  std::optional<std::int64_t> remaining;  ///< of them
  std::int64_t window = 0;                ///< seconds; 0 when it does not say
};

/// What the client does again after a temporary failure. A refusal that asks for fewer requests is
/// the transport's to obey (sync::LimitedTransport), and kRateLimited here.
struct RetryPolicy {
  int attempts = 3;          ///< in all
  int first_delay_ms = 500;  ///< doubled each time, with jitter
  int longest_delay_ms = 5000;
};

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

  /// By tag or digest; nothing when it is not there. By digest the body is verified
  /// (kDigestMismatch); by tag the digest is the server's if the body has it, else its sha256.
  Task<std::optional<FetchedManifest>> GetManifest(std::string repository, std::string reference);

  /// A config blob, verified; follows redirects without credentials across origins. kTooLarge over
  /// limit::kConfig whatever its size was said to be.
  Task<std::string> GetBlob(std::string repository, std::string digest);

  /// Referrers API; nothing when the registry has none (then abilities().referrers is false).
  Task<std::optional<std::vector<Descriptor>>> ListReferrers(std::string repository,
                                                             std::string digest);

  std::int64_t retries() const noexcept;
  const Abilities& abilities() const noexcept;
  /// How the registry authenticates: `none`, `basic`, `bearer`; empty before Ping.
  std::string authentication() const;
  /// Host of the server that gave its tokens; empty when there was none.
  std::string token_server() const;
  /// Docker Hub's rate headers in the registry's own answers.
  const RateLimit& rate_limit() const noexcept;
  /// Each text of its Warning headers, once; of the first few.
  const std::vector<std::string>& warnings() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace image_library::registry

#endif
