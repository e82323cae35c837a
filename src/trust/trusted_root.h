// Sigstore's trusted root: authorities and logs of an instance (protobuf-specs,
// sigstore_trustroot.proto).
#ifndef IMAGE_LIBRARY_TRUST_TRUSTED_ROOT_H_
#define IMAGE_LIBRARY_TRUST_TRUSTED_ROOT_H_

#include <string>
#include <string_view>
#include <vector>

#include "trust/certificate.h"
#include "trust/instant.h"
#include "trust/key.h"

namespace image_library::trust {

/// A log of signatures (Rekor) or of certificates (RFC 6962).
struct TrustedLog {
  std::string id;             ///< bytes: hash of the key, or of name and key (Rekor v2)
  std::string checkpoint_id;  ///< bytes: whose first four are the hint in signatures of checkpoints
  std::string host;           ///< of its address, with its port
  PublicKey key;
  Period period;
};

/// A certificate authority (Fulcio), whose first certificate issues, or an authority of timestamps,
/// whose first certificate signs them.
struct TrustedAuthority {
  CertificateChain chain;
  Period period;
};

struct TrustedRoot {
  std::vector<TrustedLog> logs;
  std::vector<TrustedLog> certificate_logs;
  std::vector<TrustedAuthority> authorities;
  std::vector<TrustedAuthority> timestamp_authorities;
};

/// Throws Refusal, which names the part that does not parse.
TrustedRoot ParseTrustedRoot(std::string_view json);

}  // namespace image_library::trust

#endif
