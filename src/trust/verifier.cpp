#include "trust/verifier.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/error.h"
#include "core/pattern.h"
#include "trust/bundle.h"
#include "trust/certificate.h"
#include "trust/cosign_layer.h"
#include "trust/document.h"
#include "trust/key.h"
#include "trust/keyless.h"
#include "trust/limits.h"
#include "trust/notation.h"
#include "trust/openssl.h"
#include "trust/refusal.h"
#include "trust/simple_signing.h"
#include "trust/statement.h"
#include "trust/trusted_root.h"

namespace image_library::trust {
namespace {

struct NamedKey {
  std::string name;
  PublicKey key;
};

struct NamedIdentity {
  std::string name;
  std::string issuer;
  Pattern subject;
};

[[noreturn]] void RefuseAnchor(const std::string& what, const Refusal& refusal, std::string hint) {
  throw Error(ErrorKind::kInvalidArgument, what + " cannot be used: " + refusal.what(), {},
              std::move(hint));
}

NamedKey ReadKey(const TrustKey& key) {
  try {
    return {key.name, PublicKey::FromPem(key.pem)};
  } catch (const Refusal& refusal) {
    RefuseAnchor("trust key \"" + key.name + "\"", refusal,
                 "It begins with -----BEGIN PUBLIC KEY-----, as \"cosign public-key\" writes it.");
  }
}

NamedIdentity ReadIdentity(const TrustIdentity& identity) {
  return {identity.name, identity.issuer, Pattern::Parse(identity.subject, PatternSubject::kText)};
}

NotationAuthority ReadAuthority(const TrustAuthority& authority) {
  try {
    std::vector<X509Owner> certificates = ReadCertificates(authority.pem);
    StoreOwner store = StoreOf(certificates);
    return {authority.name, Pattern::Parse(authority.subject, PatternSubject::kText),
            authority.signing_authority, std::move(certificates), std::move(store)};
  } catch (const Refusal& refusal) {
    RefuseAnchor("trust authority \"" + authority.name + "\"", refusal,
                 "It begins with -----BEGIN CERTIFICATE-----.");
  }
}

TrustedRoot ReadRoot(const std::string& json) {
  try {
    return ParseTrustedRoot(json);
  } catch (const Refusal& refusal) {
    RefuseAnchor("trusted root", refusal,
                 "It is the trusted_root.json of a Sigstore instance, such as \"cosign "
                 "trusted-root create\" writes.");
  }
}

template <typename Anchor>
void CheckCount(const std::vector<Anchor>& anchors, const char* kind) {
  if (anchors.size() > kMostListed)
    throw Error(ErrorKind::kInvalidArgument, std::string("there are more than 1,000 ") + kind);
}

// How often a message may be hashed by keys of Ed25519: whoever signed chooses how many signatures
// there are, and how large the message is.
class Tries {
 public:
  Tries(const std::vector<NamedKey>& keys, const SignedMaterial& material) {
    for (const NamedKey& named : keys) left_ += named.key.kind() == PublicKey::Kind::kEd25519;
    const auto& message = material.contents.front().message;
    if (message && !message->bytes().empty())
      left_ = std::max(left_, kMostTriedBytes / message->bytes().size());
  }

  // False: the signature is not tried with the key.
  bool Take(const Content& content, const PublicKey& key) {
    if (key.kind() != PublicKey::Kind::kEd25519 || !content.message) return true;
    if (!key.MayHaveMade(content.signature)) return false;
    ended_ |= left_ == 0;
    if (left_ > 0) --left_;
    return !ended_;
  }

  bool ended() const noexcept { return ended_; }

 private:
  std::size_t left_ = 0;
  bool ended_ = false;
};

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

}  // namespace

struct Verifier::Parsed {
  std::vector<NamedKey> keys;
  std::vector<NamedIdentity> identities;
  std::vector<NotationAuthority> authorities;
  std::optional<TrustedRoot> root;

  void VerifySigstore(const Evidence& evidence, std::string_view subject, Verdict* verdict) const;
  void VerifyNotation(const Evidence& evidence, std::string_view subject, std::int64_t now,
                      Verdict* verdict) const;
  void VerifyWithKeys(const SignedMaterial& material, std::string_view verifier,
                      Verdict* verdict) const;
  void VerifyKeyless(const SignedMaterial& material, Verdict* verdict) const;
  const NamedKey* KeyOf(const X509* certificate) const;
};

const NamedKey* Verifier::Parsed::KeyOf(const X509* certificate) const {
  const std::string der = PublicKey::Of(certificate).der();
  for (const NamedKey& named : keys)
    if (named.key.der() == der) return &named;
  return nullptr;
}

// The trusted key is all that counts. What a log or a timestamp proves is added when it verifies:
// a log of the signer's own need not be in the trusted root. The verifier is what the log's entries
// name: empty, the key itself.
void Verifier::Parsed::VerifyWithKeys(const SignedMaterial& material, std::string_view verifier,
                                      Verdict* verdict) const {
  Check(!keys.empty(), "the signature is by a key, and no key is trusted");
  bool not_verifiable = false;
  Tries tries(keys, material);
  for (const Content& content : material.contents) {
    for (const NamedKey& named : keys) {
      not_verifiable |= !content.IsVerifiableBy(named.key);
      if (!tries.Take(content, named.key) || !content.VerifiedBy(named.key)) continue;
      verdict->verified = true;
      verdict->signer = "key:" + named.name;
      verdict->reason = "signed with the trusted key " + Quoted(named.name);
      if (!root || (material.entries.empty() && material.timestamps.empty())) return;
      try {
        const ProvenTimes times =
            CheckTimes(material, content, verifier.empty() ? named.key.der() : verifier, *root);
        verdict->signed_at = times.instants.front();
        verdict->log_index = times.log_index;
      } catch (const Refusal&) {
      }
      return;
    }
  }
  Check(
      !tries.ended(),
      "the signature is not by a trusted key, as far as its signatures were tried: it has several "
      "of Ed25519, and the message is large");
  throw Refusal(not_verifiable
                    ? "the signature is not by a trusted key, unless it is by one of Ed25519: that "
                      "signs the manifest itself, of which a bundle has only the digest"
                    : "the signature is not by a trusted key");
}

void Verifier::Parsed::VerifyKeyless(const SignedMaterial& material, Verdict* verdict) const {
  Check(root.has_value(), "the signature is by a certificate, and no trusted root is installed");
  const ProvenTimes times = CheckKeyless(material, *root);
  const FulcioIdentity identity = FulcioIdentityOf(material.x509.get());
  verdict->issuer = Shown(identity.issuer);
  verdict->subject = Shown(identity.subjects.front());
  verdict->signed_at = times.instants.front();
  verdict->log_index = times.log_index;
  for (const NamedIdentity& named : identities) {
    if (named.issuer != identity.issuer) continue;
    for (const std::string& subject : identity.subjects) {
      if (!named.subject.Matches(subject)) continue;
      verdict->verified = true;
      verdict->subject = Shown(subject);
      verdict->signer = "identity:" + named.name;
      verdict->reason = "signed by " + verdict->subject + " of " + verdict->issuer +
                        ", the trusted identity " + Quoted(named.name);
      return;
    }
  }
  throw Refusal("signed by " + verdict->subject + " of " + verdict->issuer +
                ", which is no trusted identity");
}

void Verifier::Parsed::VerifySigstore(const Evidence& evidence, std::string_view subject,
                                      Verdict* verdict) const {
  const SignedMaterial material = evidence.format == EvidenceFormat::kSigstoreBundle
                                      ? ReadBundle(evidence.document, subject)
                                      : ReadCosignLayer(evidence);
  Statement statement;
  if (material.envelope) statement = ReadStatement(*material.envelope, subject);
  if (evidence.format == EvidenceFormat::kSimpleSigning)
    CheckSimpleSigning(evidence.document, subject);
  verdict->predicate_type = statement.predicate_type;
  if (material.certificate.empty()) {
    VerifyWithKeys(material, {}, verdict);
  } else {
    if (KeyOf(material.x509.get()) != nullptr)
      VerifyWithKeys(material, material.certificate, verdict);
    else
      VerifyKeyless(material, verdict);
  }
  verdict->provenance = std::move(statement.provenance);
}

void Verifier::Parsed::VerifyNotation(const Evidence& evidence, std::string_view subject,
                                      std::int64_t now, Verdict* verdict) const {
  Check(!authorities.empty(), "the signature is of Notation, and no authority is trusted");
  NotationSigner signer =
      CheckNotation(evidence.document, subject, authorities, root ? &*root : nullptr, now);
  verdict->verified = true;
  verdict->signer = "authority:" + signer.authority;
  verdict->reason =
      "signed by " + signer.subject + " of the trusted authority " + Quoted(signer.authority);
  verdict->issuer = std::move(signer.issuer);
  verdict->subject = std::move(signer.subject);
  verdict->signed_at = signer.signed_at;
  verdict->valid_until = signer.valid_until;
}

Verifier::Verifier(const Anchors& anchors) {
  const ErrorScope scope;
  CheckCount(anchors.keys, "trusted keys");
  CheckCount(anchors.identities, "trusted identities");
  auto parsed = std::make_unique<Parsed>();
  for (const TrustKey& key : anchors.keys) parsed->keys.push_back(ReadKey(key));
  for (const TrustIdentity& identity : anchors.identities)
    parsed->identities.push_back(ReadIdentity(identity));
  CheckCount(anchors.authorities, "trusted authorities");
  for (const TrustAuthority& authority : anchors.authorities)
    parsed->authorities.push_back(ReadAuthority(authority));
  if (!anchors.trusted_root.empty()) parsed->root = ReadRoot(anchors.trusted_root);
  parsed_ = std::move(parsed);
}

Verifier::~Verifier() = default;

Verdict Verifier::Verify(const Evidence& evidence, std::string_view subject) const {
  return VerifyAt(evidence, subject, static_cast<std::int64_t>(std::time(nullptr)));
}

Verdict Verifier::VerifyAt(const Evidence& evidence, std::string_view subject,
                           std::int64_t now) const {
  const ErrorScope scope;
  Verdict verdict;
  try {
    Check(IsDigest(subject), "the subject is not a digest");
    Check(evidence.document.size() <= kMostDocumentBytes, "the signature is larger than 1 MiB");
    switch (evidence.format) {
      case EvidenceFormat::kSimpleSigning:
      case EvidenceFormat::kDsseEnvelope:
      case EvidenceFormat::kSigstoreBundle:
        parsed_->VerifySigstore(evidence, subject, &verdict);
        break;
      case EvidenceFormat::kNotationJws:
        parsed_->VerifyNotation(evidence, subject, now, &verdict);
        break;
      case EvidenceFormat::kNotationCose:
        throw Refusal("signatures of Notation in COSE form are not supported");
    }
  } catch (const Refusal& refusal) {
    verdict.verified = false;
    verdict.signer.clear();
    verdict.reason = Shown(refusal.what());
  }
  return verdict;
}

}  // namespace image_library::trust
