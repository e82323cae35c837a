// cosign's simple signing: a JSON payload that names the image, signed as it is.
#ifndef IMAGE_LIBRARY_TRUST_SIMPLE_SIGNING_H_
#define IMAGE_LIBRARY_TRUST_SIMPLE_SIGNING_H_

#include <string_view>

namespace image_library::trust {

/// Throws Refusal unless the payload says that it signs the image with this digest
/// (critical.type and critical.image.docker-manifest-digest; cosign's SIGNATURE_SPEC.md). The name
/// in critical.identity is not compared: copies of an image keep its signatures.
void CheckSimpleSigning(std::string_view payload, std::string_view subject);

}  // namespace image_library::trust

#endif
