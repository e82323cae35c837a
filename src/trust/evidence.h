// A signature or attestation as a registry has it, and what is known of it after verification.
#ifndef IMAGE_LIBRARY_TRUST_EVIDENCE_H_
#define IMAGE_LIBRARY_TRUST_EVIDENCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace image_library::trust {

/// How it is stored.
enum class EvidenceFormat {
  /// cosign's simple signing: a layer of type application/vnd.dev.cosign.simplesigning.v1+json,
  /// whose annotations have signature, certificate, chain and Rekor's bundle.
  kSimpleSigning,
  /// A layer of type application/vnd.dsse.envelope.v1+json (cosign's `.att` tags); annotations as
  /// above, without the signature.
  kDsseEnvelope,
  kSigstoreBundle,  ///< application/vnd.dev.sigstore.bundle, 0.1 to 0.3
  kNotationJws,     ///< application/jose+json under application/vnd.cncf.notary.signature
  kNotationCose,    ///< application/cose; not supported, always unverified
};

struct Evidence {
  EvidenceFormat format = EvidenceFormat::kSigstoreBundle;
  std::string document;   ///< bytes of the layer
  StringMap annotations;  ///< of the layer's descriptor
};

/// What a verified in-toto statement of SLSA provenance (v0.2 or v1) says.
struct Provenance {
  struct Material {
    std::string uri;
    std::string digest;  ///< `algorithm:hex`; empty: none
  };
  std::string builder;  ///< builder.id
  std::string build_type;
  std::string source;               ///< repository that was built, as its URI; empty: not said
  std::vector<Material> materials;  ///< at most 1,000
};

struct Verdict {
  bool verified = false;
  /// One line in plain words for a person: what was verified, or the first check that failed.
  std::string reason;
  std::string signer;   ///< `key:NAME`, `identity:NAME` or `authority:NAME`; empty: nobody trusted
  std::string issuer;   ///< of a certificate: OpenID Connect issuer, or the issuer's name
  std::string subject;  ///< of a certificate: subject alternative name, or its name
  std::optional<std::int64_t> signed_at;  ///< seconds of Unix time: by the log or a timestamp
  std::optional<std::int64_t> log_index;  ///< of the entry in Rekor
  /// Seconds of Unix time from which it does not count any more, when that is known: Notation's
  /// expiry, or the end of certificates whose signature no timestamp proves.
  std::optional<std::int64_t> valid_until;
  std::string predicate_type;  ///< of an in-toto statement; empty: a signature
  /// Of a verified statement of provenance.
  std::optional<Provenance> provenance;
};

}  // namespace image_library::trust

#endif
