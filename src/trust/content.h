// What a signature is over.
#ifndef IMAGE_LIBRARY_TRUST_CONTENT_H_
#define IMAGE_LIBRARY_TRUST_CONTENT_H_

#include <memory>
#include <string>

#include "trust/dsse.h"
#include "trust/key.h"

namespace image_library::trust {

/// One signature and what it signs: a message, of which perhaps only the hash is known, or an
/// envelope.
struct Content {
  std::string signature;
  /// For an envelope: its pre-authentication encoding, which its signatures share. Null: only the
  /// hash is known.
  std::shared_ptr<const Message> message;
  HashAlgorithm hash = HashAlgorithm::kSha256;
  std::string hashed;                  ///< hash of the message
  const Envelope* envelope = nullptr;  ///< not owned
  std::string timestamped;             ///< what timestamps are over: the signature, or a document

  /// Not for a key of Ed25519, which signs the message itself, when only its hash is known.
  bool IsVerifiableBy(const PublicKey& key) const noexcept {
    return message != nullptr || key.kind() != PublicKey::Kind::kEd25519;
  }

  bool VerifiedBy(const PublicKey& key) const {
    return message ? key.Verifies(*message, signature) : key.VerifiesHash(hash, hashed, signature);
  }
};

}  // namespace image_library::trust

#endif
