#include "trust/signed_text.h"

#include "core/base64.h"
#include "trust/key.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

// An RSA signature has the length of its key, 2,048 bytes at most; in base64 with line breaks.
constexpr std::size_t kMostSignature = 4096;

}  // namespace

std::string SignatureProblem(std::string_view pem, std::string_view text,
                             std::string_view signature) {
  try {
    Check(signature.size() <= kMostSignature, "the signature is longer than 4,096 characters");
    std::string bytes;
    Check(DecodeBase64(signature, &bytes) && !bytes.empty(), "the signature is not base64");
    Check(PublicKey::FromPem(pem).Verifies(Message(std::string(text)), bytes),
          "the signature does not verify");
    return "";
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
}

}  // namespace image_library::trust
