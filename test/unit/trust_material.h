// Signing material for tests of src/trust, made with OpenSSL: keys, certificates, an instance of
// Sigstore with its authority, logs and timestamps, and bundles whose parts a test can change.
// What is signed is written here anew, so that a mistake in src/trust does not hide itself.
#ifndef IMAGE_LIBRARY_TEST_UNIT_TRUST_MATERIAL_H_
#define IMAGE_LIBRARY_TEST_UNIT_TRUST_MATERIAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "trust/anchors.h"
#include "trust/evidence.h"

namespace image_library::trust::test {

inline constexpr std::int64_t kSignedAt = 1750000000;  ///< 2025-06-15 15:06:40 UTC
inline constexpr std::int64_t kDay = 24 * 60 * 60;

class TestKey {
 public:
  enum class Kind { kP224, kP256, kP384, kP521, kEd25519, kRsa1024, kRsa2048, kRsaPss };
  explicit TestKey(Kind kind = Kind::kP256);

  EVP_PKEY* get() const { return key_.get(); }
  std::string Pem() const;
  std::string Der() const;
  /// With SHA-256, but for Ed25519 and where another algorithm (`SHA384`) is named.
  std::string Sign(std::string_view message, const char* algorithm = "SHA256",
                   bool pss = false) const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
};

struct CertificateOptions {
  std::string name;  ///< common name
  std::int64_t from = kSignedAt - 365 * kDay;
  std::int64_t to = kSignedAt + 365 * kDay;
  /// Extensions in openssl.cnf's form, such as {"basicConstraints", "critical,CA:TRUE"}.
  std::vector<std::pair<std::string, std::string>> extensions;
};

/// A certificate and its key.
struct TestCertificate {
  std::string name;
  TestKey key;
  std::shared_ptr<X509> x509;

  std::string Der() const;
  std::string Pem() const;
};

/// Issued by itself where there is no issuer.
TestCertificate MakeCertificate(const CertificateOptions& options, const TestCertificate* issuer,
                                const TestKey& key = TestKey());

CertificateOptions AuthorityOptions(const std::string& name);
CertificateOptions SignerOptions(const std::string& subject, const std::string& issuer);
CertificateOptions TimestamperOptions(const std::string& name);

/// With the timestamp of a certificate log before the issuer's signature.
TestCertificate MakeLoggedCertificate(const CertificateOptions& options,
                                      const TestCertificate& issuer, const TestKey& log_key,
                                      const TestKey& key, std::int64_t at = kSignedAt);

/// DER of a TimeStampResp for the message.
std::string MakeTimestamp(const TestCertificate& timestamper, std::string_view message,
                          std::int64_t at);

std::string Sha256(std::string_view bytes);
std::string Base64(std::string_view bytes);
std::string HexOf(std::string_view bytes);
std::string PemOf(std::string_view label, std::string_view der);

/// The root of a Merkle tree, and the path of a leaf, by their definitions (RFC 6962, 2.1).
std::string TreeRoot(const std::vector<std::string>& leaves);
std::vector<std::string> TreePath(const std::vector<std::string>& leaves, std::size_t index);

struct EntryParts {
  std::string log_id;
  std::string kind = "hashedrekord", version = "0.0.1";
  std::int64_t index = 0, integrated_time = kSignedAt;
  std::string body;
  std::string promise;
  std::int64_t proof_index = 0, tree_size = 0;
  std::string root;
  std::vector<std::string> hashes;
  std::string checkpoint;
  bool has_proof = true;
};

struct BundleParts {
  std::string media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
  std::string certificate;                 ///< DER; empty: `publicKey`
  std::string chain;                       ///< JSON instead of certificate
  std::string signature, digest;           ///< of a message; bytes
  std::string payload, payload_type, sig;  ///< of an envelope
  bool enveloped = false;
  std::vector<EntryParts> entries;
  std::vector<std::string> timestamps;

  std::string Json() const;
  Evidence ToEvidence() const { return {EvidenceFormat::kSigstoreBundle, Json(), {}}; }
};

/// A private instance of Sigstore.
struct Instance {
  Instance();

  static constexpr char kIssuer[] = "https://issuer.test";
  static constexpr char kSubject[] = "https://git.test/team/app/.build.yml@refs/heads/main";

  TestCertificate root, authority, timestamp_root, timestamper;
  TestKey log_key, log2_key{TestKey::Kind::kEd25519}, certificate_log_key;
  std::string host = "rekor.test", host2 = "rekor2.test";
  std::string subject = kSubject;  ///< whom Signer is for
  std::string period_of_authority = R"({"start":"2020-01-01T00:00:00Z"})";
  std::string period_of_log = period_of_authority, period_of_certificate_log = period_of_authority,
              period_of_timestamper = period_of_authority;

  std::string TrustedRoot() const;
  Anchors Trusted() const;
  TestCertificate Signer() const;

  std::string LogId() const;
  std::string Log2Id() const;
  /// Rekor v1 logs the body as one of a few leaves.
  EntryParts Log(const std::string& kind, const std::string& version,
                 const std::string& body) const;
  /// Rekor v2.
  EntryParts Log2(const std::string& kind, const std::string& body) const;
  std::string Promise(const EntryParts& entry) const;
  std::string Note(const std::string& origin, const EntryParts& entry, const std::string& name,
                   std::string_view hint, const TestKey& key) const;

  BundleParts Message(std::string_view digest) const;   ///< message signature, Rekor v1
  BundleParts Message2(std::string_view digest) const;  ///< message signature, Rekor v2
  BundleParts Enveloped(const std::string& statement, const std::string& kind) const;
};

/// An in-toto statement about the digest (`sha256:...`).
std::string StatementOf(std::string_view digest, const std::string& predicate_type,
                        const std::string& predicate = "{}");

/// DSSE's pre-authentication encoding.
std::string Pae(const std::string& type, const std::string& payload);

/// The digest (64 hexadecimal digits behind `sha256:`) as bytes.
std::string DigestBytes(std::string_view digest);

}  // namespace image_library::trust::test

#endif
