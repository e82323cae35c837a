#include "trust/keyless.h"

#include <openssl/x509v3.h>

#include <string>

#include "trust/certificate_log.h"
#include "trust/key.h"
#include "trust/refusal.h"
#include "trust/timestamp.h"
#include "trust/transparency_log.h"

namespace image_library::trust {
namespace {

// The authority that issued the certificate, at that time.
const TrustedAuthority& AuthorityOf(X509* certificate, std::int64_t instant,
                                    const TrustedRoot& root) {
  std::string reason = "the certificate is not from an authority of the trusted root";
  for (const TrustedAuthority& authority : root.authorities) {
    // By name and key identifier: instances have had several authorities of one name.
    if (X509_check_issued(authority.chain.first(), certificate) != X509_V_OK) continue;
    if (!authority.period.Contains(instant)) {
      reason = "the signature is from outside the period of its authority in the trusted root";
      continue;
    }
    try {
      authority.chain.CheckIssued(certificate, instant);
      return authority;
    } catch (const Refusal& refusal) {
      reason = refusal.what();
    }
  }
  throw Refusal(reason);
}

}  // namespace

ProvenTimes CheckTimes(const SignedMaterial& material, const Content& content,
                       std::string_view verifier, const TrustedRoot& root) {
  ProvenTimes times;
  std::string reason = "no log and no timestamp proves when the image was signed";
  for (const std::string& timestamp : material.timestamps) {
    try {
      times.instants.push_back(CheckTimestamp(timestamp, content.timestamped, root));
    } catch (const Refusal& refusal) {
      reason = refusal.what();
    }
  }
  // First those that prove a time: it counts for the others.
  for (const bool promised : {true, false}) {
    for (const LogEntry& entry : material.entries) {
      if (IsPromised(entry) != promised) continue;
      CheckBody(entry, content, verifier);
      if (const auto instant = CheckEntry(entry, root, times.instants))
        times.instants.push_back(*instant);
    }
  }
  for (const LogEntry& entry : material.entries)
    if (!times.log_index && HasProvenIndex(entry)) times.log_index = entry.index;
  if (times.instants.empty()) throw Refusal(reason);
  return times;
}

ProvenTimes CheckKeyless(const SignedMaterial& material, const TrustedRoot& root) {
  X509* const certificate = material.x509.get();
  CheckCodeSigning(certificate, true);
  const PublicKey key = PublicKey::Of(certificate);
  const Content* content = nullptr;
  for (const Content& one : material.contents) {
    Check(
        one.IsVerifiableBy(key),
        "the certificate has a key of Ed25519, which signs the manifest itself, of which a bundle "
        "has only the digest");
    if (!one.VerifiedBy(key)) continue;
    content = &one;
    break;
  }
  Check(content != nullptr, "the signature is not by the key of the certificate");
  Check(!material.entries.empty() || root.logs.empty(), "no transparency log has the signature");
  ProvenTimes times = CheckTimes(material, *content, material.certificate, root);
  const TrustedAuthority* authority = nullptr;
  for (const std::int64_t instant : times.instants)
    authority = &AuthorityOf(certificate, instant, root);
  Check(authority != nullptr, "nothing proves when the signature was made");
  CheckCertificateLog(certificate, authority->chain.first(), root);
  return times;
}

}  // namespace image_library::trust
