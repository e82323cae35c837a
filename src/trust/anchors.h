// What an admin trusts.
#ifndef IMAGE_LIBRARY_TRUST_ANCHORS_H_
#define IMAGE_LIBRARY_TRUST_ANCHORS_H_

#include <string>
#include <vector>

namespace image_library::trust {

/// A public key whose signatures count.
struct TrustKey {
  std::string name;
  std::string pem;  ///< SubjectPublicKeyInfo: ECDSA P-256 or P-384, Ed25519, RSA of 2,048 bits on
};

/// Who may sign with a certificate of Fulcio.
struct TrustIdentity {
  std::string name;
  std::string issuer;   ///< URL of the OpenID Connect issuer, exactly
  std::string subject;  ///< pattern (core/pattern.h) of the certificate's subject alternative name
};

/// A certificate authority of Notation (trust store `ca`), and which subjects count.
struct TrustAuthority {
  std::string name;
  std::string pem;      ///< root certificates
  std::string subject;  ///< pattern of the distinguished name (RFC 4514); `**`: any
  /// Trust store `signingAuthority`: its signers may state the time of signing themselves (scheme
  /// notary.x509.signingAuthority), so a signature outlives its certificate.
  bool signing_authority = false;
};

/// Everything that is trusted; nothing is trusted by default.
struct Anchors {
  std::vector<TrustKey> keys;
  std::vector<TrustIdentity> identities;
  std::vector<TrustAuthority> authorities;
  /// Sigstore's trusted_root.json (application/vnd.dev.sigstore.trustedroot+json;version=0.1 or
  /// 0.2); empty: keyless signatures are unverified. Where it has no log of signatures, or no log
  /// of certificates, as roots of private instances may, none is asked for. Its timestamp
  /// authorities count for signatures with keys and of Notation too.
  std::string trusted_root;
};

}  // namespace image_library::trust

#endif
