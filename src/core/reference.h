// Image references, and the grammar of their parts (OCI distribution-spec, "Pulling manifests").
#ifndef IMAGE_LIBRARY_CORE_REFERENCE_H_
#define IMAGE_LIBRARY_CORE_REFERENCE_H_

#include <string>
#include <string_view>

namespace image_library {

/// `host/repository[:tag][@digest]`, parts validated. Docker Hub's short forms are expanded:
/// `postgres:17` is `docker.io/library/postgres:17`; `index.docker.io` and
/// `registry-1.docker.io` are written `docker.io`.
struct Reference {
  std::string host;        ///< host or host:port, lower case, IPv6 in brackets
  std::string repository;  ///< the whole path, e.g. `pgai-platform/postgresql`
  std::string tag;         ///< empty when absent; `latest` is never assumed
  std::string digest;      ///< empty when absent; `sha256:<64 hex>` or `sha512:<128 hex>`

  std::string short_name;  ///< the name as written if it has no host; else empty

  std::string ToString() const;
};

/// Throws Error kInvalidArgument with a hint when text is not a reference.
Reference ParseReference(std::string_view text);

/// True when the first part of a reference is a host and no part of a repository: `localhost`, or
/// anything with a dot or a colon (Docker's rule).
bool LooksLikeHost(std::string_view part) noexcept;

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/...)*`, at most 255 characters.
bool IsRepositoryName(std::string_view text) noexcept;

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
bool IsTag(std::string_view text) noexcept;

}  // namespace image_library

#endif
