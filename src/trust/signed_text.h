// A text that was signed outside of any registry, such as the hash of a bundle.
#ifndef IMAGE_LIBRARY_TRUST_SIGNED_TEXT_H_
#define IMAGE_LIBRARY_TRUST_SIGNED_TEXT_H_

#include <string>
#include <string_view>

namespace image_library::trust {

/// Why a signature is not one of a public key (PEM) over the bytes of a text; empty: it is. The
/// signature is base64, as `openssl dgst -sha256 -sign` and, for Ed25519, `openssl pkeyutl -sign
/// -rawin` make it before encoding. Throws nothing of its own.
std::string SignatureProblem(std::string_view pem, std::string_view text,
                             std::string_view signature);

}  // namespace image_library::trust

#endif
