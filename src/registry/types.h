// What the client is given and what it gives back: credentials, options, limits, answers.
#ifndef IMAGE_LIBRARY_REGISTRY_TYPES_H_
#define IMAGE_LIBRARY_REGISTRY_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/url.h"
#include "registry/held_bytes.h"

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
  /// 304 to a GET with the digest that a tag had: the ETags of manifests are their digests. False:
  /// it sends the manifest all the same.
  std::optional<bool> conditional;
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

/// What a tag points at, asked by one who knows what it pointed at.
struct TagCheck {
  bool found = false;
  std::string digest;  ///< as that of TagHead
  /// What came along; nothing where the tag did not move, or where HEAD was asked.
  std::optional<FetchedManifest> manifest = {};
};

/// How often a request is sent after temporary failures. A refusal because of too many requests
/// (IsLimitRefusal) is none: sync::LimitedTransport sends it again, the client throws kRateLimited.
struct RetryPolicy {
  int attempts = 3;          ///< in all
  int first_delay_ms = 500;  ///< doubled each time, with jitter
  int longest_delay_ms = 5000;
};

}  // namespace image_library::registry

#endif
