#include "trust/simple_signing.h"

#include "trust/document.h"
#include "trust/refusal.h"

namespace image_library::trust {

void CheckSimpleSigning(std::string_view payload, std::string_view subject) {
  const Json critical = ParseDocument(payload, "the signed payload")["critical"];
  const auto type = critical["type"].Text();
  Check(type == "cosign container image signature" || type == "https://sigstore.dev/cosign/sign/v1",
        "the signed payload is not of a type that signs an image");
  const auto digest = critical["image"]["docker-manifest-digest"].Text();
  Check(digest.has_value(), "the signed payload names no image");
  Check(digest == subject, "the signature is for another image");
}

}  // namespace image_library::trust
