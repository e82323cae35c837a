#include "trust/verifier.h"

#include <utility>
#include <vector>

#include "core/base64.h"
#include "core/digest.h"
#include "core/error.h"
#include "trust/key.h"
#include "trust/limits.h"
#include "trust/openssl.h"
#include "trust/refusal.h"
#include "trust/simple_signing.h"

namespace image_library::trust {
namespace {

struct NamedKey {
  std::string name;
  PublicKey key;
};

NamedKey ReadKey(const TrustKey& key) {
  try {
    return {key.name, PublicKey::FromPem(key.pem)};
  } catch (const Refusal& refusal) {
    throw Error(ErrorKind::kInvalidArgument,
                "trust key \"" + key.name + "\" cannot be used: " + refusal.what(), {},
                "It begins with -----BEGIN PUBLIC KEY-----, as \"cosign public-key\" writes it.");
  }
}

}  // namespace

struct Verifier::Parsed {
  std::vector<NamedKey> keys;

  const NamedKey* SignerOf(std::string_view message, std::string_view signature) const {
    for (const NamedKey& named : keys)
      if (named.key.Verifies(message, signature)) return &named;
    return nullptr;
  }
};

namespace {

const std::string& Annotation(const Evidence& evidence, const char* key) {
  static const std::string kNone;
  const auto found = evidence.annotations.find(key);
  return found == evidence.annotations.end() ? kNone : found->second;
}

}  // namespace

Verifier::Verifier(const Anchors& anchors) {
  const ErrorScope scope;
  auto parsed = std::make_unique<Parsed>();
  for (const TrustKey& key : anchors.keys) parsed->keys.push_back(ReadKey(key));
  parsed_ = std::move(parsed);
}

Verifier::~Verifier() = default;

Verdict Verifier::Verify(const Evidence& evidence, std::string_view subject) const {
  const ErrorScope scope;
  Verdict verdict;
  try {
    Check(IsDigest(subject), "the subject is not a digest");
    Check(evidence.document.size() <= kMostDocumentBytes, "the signature is larger than 1 MiB");
    Check(evidence.format == EvidenceFormat::kSimpleSigning, "the format is not supported yet");
    std::string signature;
    Check(DecodeBase64(Annotation(evidence, "dev.cosignproject.cosign/signature"), &signature),
          "the signature is not valid base64");
    CheckSimpleSigning(evidence.document, subject);
    const NamedKey* const signer = parsed_->SignerOf(evidence.document, signature);
    Check(signer != nullptr, "no trusted key made the signature");
    verdict.signer = "key:" + signer->name;
    verdict.reason = "signed with the trusted key \"" + signer->name + "\"";
    verdict.verified = true;
  } catch (const Refusal& refusal) {
    verdict.reason = refusal.what();
  }
  return verdict;
}

}  // namespace image_library::trust
