// Content digests (OCI image-spec, descriptor.md): sha256 and sha512.
#ifndef IMAGE_LIBRARY_CORE_DIGEST_H_
#define IMAGE_LIBRARY_CORE_DIGEST_H_

#include <string>
#include <string_view>

namespace image_library {

/// True for `sha256:` with 64 or `sha512:` with 128 lower-case hexadecimal digits.
bool IsDigest(std::string_view text) noexcept;

/// The sha256 digest of bytes, in text form.
std::string Sha256Digest(std::string_view bytes);

/// True when bytes hash to digest. Precondition: IsDigest(digest).
bool DigestMatches(std::string_view digest, std::string_view bytes);

}  // namespace image_library

#endif
