// What a signature is over.
#ifndef IMAGE_LIBRARY_TRUST_CONTENT_H_
#define IMAGE_LIBRARY_TRUST_CONTENT_H_

#include <optional>
#include <string>

#include "trust/dsse.h"
#include "trust/key.h"

namespace image_library::trust {

/// One signature and what it signs: a message, of which perhaps only the hash is known, or an
/// envelope.
struct Content {
  std::string signature;
  std::optional<std::string> message;  ///< for an envelope: its pre-authentication encoding
  HashAlgorithm hash = HashAlgorithm::kSha256;
  std::string hashed;                  ///< hash of the message
  const Envelope* envelope = nullptr;  ///< not owned
  std::string timestamped;             ///< what timestamps are over: the signature, or a document

  /// Not for a key of Ed25519, which signs the message itself, when only its hash is known.
  bool IsVerifiableBy(const PublicKey& key) const noexcept {
    return message.has_value() || key.kind() != PublicKey::Kind::kEd25519;
  }

  bool VerifiedBy(const PublicKey& key) const {
    return message ? key.Verifies(*message, signature) : key.VerifiesHash(hash, hashed, signature);
  }
};

}  // namespace image_library::trust

#endif
