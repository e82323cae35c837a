#include "trust/notation.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base64.h"
#include "core/timestamp.h"
#include "trust/document.h"
#include "trust/key.h"
#include "trust/limits.h"
#include "trust/refusal.h"
#include "trust/timestamp.h"

namespace image_library::trust {
namespace {

using Signature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr char kScheme[] = "io.cncf.notary.signingScheme";
constexpr char kAuthenticTime[] = "io.cncf.notary.authenticSigningTime";
constexpr char kExpiry[] = "io.cncf.notary.expiry";

// The headers of a signature that are themselves signed.
struct Protected {
  std::string algorithm;
  bool by_authority = false;  ///< scheme notary.x509.signingAuthority
  std::optional<std::int64_t> authentic_time;
  std::optional<std::int64_t> expiry;
};

std::optional<std::int64_t> TimeIn(const Json& headers, const char* name) {
  if (!headers.Has(name)) return std::nullopt;  // of another type it is no time
  const auto time = ParseTimestamp(headers[name].StringOr({}));
  if (!time) throw Refusal(std::string("the header ") + name + " is not a time");
  return time->seconds;
}

// A critical header that is not understood makes a signature invalid (RFC 7515, section 4.1.11).
void CheckCritical(const std::vector<std::string>& critical, const Protected& headers) {
  const auto is_critical = [&](std::string_view name) {
    return std::find(critical.begin(), critical.end(), name) != critical.end();
  };
  for (const std::string& name : critical) {
    if (name.starts_with("io.cncf.notary.verificationPlugin"))
      throw Refusal("the signature needs a plugin of Notation");
    if (name != kScheme && name != kAuthenticTime && name != kExpiry)
      throw Refusal("the signature has an unknown critical header: " + name);
  }
  Check(is_critical(kScheme), "the signing scheme is not a critical header");
  Check(!headers.expiry || is_critical(kExpiry), "the expiry is not a critical header");
  Check(!headers.authentic_time || is_critical(kAuthenticTime),
        "the authentic time of signing is not a critical header");
}

Protected ReadProtected(std::string_view text) {
  const Json json = ParseDocument(text, "the protected header");
  Protected headers;
  headers.algorithm = json["alg"].StringOr({});
  headers.authentic_time = TimeIn(json, kAuthenticTime);
  headers.expiry = TimeIn(json, kExpiry);
  Check(json["cty"].Text() == "application/vnd.cncf.notary.payload.v1+json",
        "the payload is not of Notation's type");
  const auto scheme = json[kScheme].Text();
  headers.by_authority = scheme == "notary.x509.signingAuthority";
  Check(headers.by_authority || scheme == "notary.x509", "the signing scheme is not known");
  const std::vector<std::string> critical = json["crit"].Strings();
  Check(critical.size() == json["crit"].Elements().size(),
        "the list of critical headers has something else than names");
  CheckCritical(critical, headers);
  for (const std::string& name : critical)
    if (!json.Has(name.c_str())) throw Refusal("the critical header " + name + " is missing");
  Check(headers.by_authority == headers.authentic_time.has_value(),
        headers.by_authority ? "the signing authority does not say when it signed"
                             : "the time of signing is not of this signing scheme");
  return headers;
}

// JWS has the two numbers of an ECDSA signature one after the other (RFC 7518, section 3.4), and
// OpenSSL wants them in DER.
std::string EcdsaDer(std::string_view raw, std::size_t number_size) {
  if (raw.size() != 2 * number_size) return {};
  const int size = static_cast<int>(number_size);
  BIGNUM* const r = BN_bin2bn(Bytes(raw), size, nullptr);
  BIGNUM* const s = BN_bin2bn(Bytes(raw) + number_size, size, nullptr);
  const Signature signature(ECDSA_SIG_new());
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    throw std::bad_alloc();
  }
  return Der(i2d_ECDSA_SIG, static_cast<const ECDSA_SIG*>(signature.get()));
}

bool IsSigned(const PublicKey& key, std::string_view algorithm, std::string_view message,
              std::string_view signature) {
  struct Known {
    std::string_view name;
    PublicKey::Kind kind;
    HashAlgorithm hash;
    std::size_t number_size;
  };
  constexpr Known kKnown[] = {
      {"ES256", PublicKey::Kind::kP256, HashAlgorithm::kSha256, 32},
      {"ES384", PublicKey::Kind::kP384, HashAlgorithm::kSha384, 48},
      {"ES512", PublicKey::Kind::kP521, HashAlgorithm::kSha512, 66},
      {"PS256", PublicKey::Kind::kRsa, HashAlgorithm::kSha256, 0},
      {"PS384", PublicKey::Kind::kRsa, HashAlgorithm::kSha384, 0},
      {"PS512", PublicKey::Kind::kRsa, HashAlgorithm::kSha512, 0},
  };
  const auto* const known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                         [&](const Known& one) { return one.name == algorithm; });
  Check(known != std::end(kKnown), "the signature's algorithm is not one of Notation's");
  const PublicKey::Kind kind =
      key.kind() == PublicKey::Kind::kRsaPss ? PublicKey::Kind::kRsa : key.kind();
  Check(kind == known->kind, "the signature's algorithm does not fit the certificate's key");
  const std::string der =
      known->number_size == 0 ? std::string(signature) : EcdsaDer(signature, known->number_size);
  return key.VerifiesWith(known->hash, PublicKey::Padding::kPss, message, der);
}

std::vector<X509Owner> ReadChain(const Json& x5c) {
  std::vector<X509Owner> chain;
  x5c.ForEachElement([&](const Json& certificate) {
    Check(chain.size() < kMostChain, "the certificate chain has more than 10 certificates");
    chain.push_back(ReadCertificate(BytesOf(certificate, "the certificate")));
  });
  Check(!chain.empty(), "the signature has no certificate");
  return chain;
}

// Whether the chain has one of the authority's certificates, or ends below one. It is cheap, and
// says nothing of signatures.
bool MayLeadTo(const std::vector<X509Owner>& chain, const NotationAuthority& authority) {
  for (const X509Owner& trusted : authority.certificates) {
    if (X509_NAME_cmp(X509_get_issuer_name(chain.back().get()),
                      X509_get_subject_name(trusted.get())) == 0)
      return true;
    for (const X509Owner& certificate : chain)
      if (X509_cmp(certificate.get(), trusted.get()) == 0) return true;
  }
  return false;
}

// When a timestamp proves that the signature was there; a timestamp that does not verify proves
// nothing.
std::optional<std::int64_t> StampedAt(const Json& unprotected, std::string_view signature,
                                      const TrustedRoot* root) {
  const Json token = unprotected["io.cncf.notary.timestampSignature"];
  if (root == nullptr || IsAbsent(token)) return std::nullopt;
  try {
    return CheckTimestamp(BytesOf(token, "the timestamp"), signature, *root);
  } catch (const Refusal&) {
    return std::nullopt;
  }
}

void CheckTarget(std::string_view payload, std::string_view subject) {
  const auto digest = ParseDocument(payload, "the signed payload")["targetArtifact"]["digest"];
  Check(digest.Text().has_value(), "the signed payload names no image");
  Check(digest.Text() == subject, "the signature is for another image");
}

}  // namespace

NotationSigner CheckNotation(std::string_view document, std::string_view subject,
                             const std::vector<NotationAuthority>& authorities,
                             const TrustedRoot* root, std::int64_t now) {
  const Json json = ParseDocument(document, "the signature");
  const std::string payload = BytesOf(json["payload"], "the signed payload");
  const Protected headers = ReadProtected(BytesOf(json["protected"], "the protected header"));
  CheckTarget(payload, subject);
  if (headers.expiry && *headers.expiry <= now)
    throw Refusal("the signature expired at " + ShownInstant(*headers.expiry));
  const std::string signature = BytesOf(json["signature"], "the signature");
  const std::vector<X509Owner> chain = ReadChain(json["header"]["x5c"]);
  X509* const certificate = chain.front().get();
  CheckNotationSigner(certificate);
  const std::string message = json["protected"].StringOr({}) + "." + json["payload"].StringOr({});
  Check(IsSigned(PublicKey::Of(certificate), headers.algorithm, message, signature),
        "the signature is not by the key of the certificate");
  NotationSigner signer;
  signer.issuer = Shown(NameText(X509_get_issuer_name(certificate)));
  const std::string name = NameText(X509_get_subject_name(certificate));
  signer.subject = Shown(name);
  signer.signed_at =
      headers.by_authority ? headers.authentic_time : StampedAt(json["header"], signature, root);
  const Stack others = StackOf(chain);
  std::string reason = "the certificate is not from a trusted authority";
  for (const NotationAuthority& authority : authorities) {
    if (!MayLeadTo(chain, authority)) continue;
    if (headers.by_authority && !authority.signing_authority) {
      reason = "the certificate's authority is not trusted to say when it signed";
      continue;
    }
    try {
      const Period period = CheckChain(authority.store.get(), certificate, others.get(),
                                       signer.signed_at.value_or(now), XKU_CODE_SIGN);
      if (!authority.subject.Matches(name))
        throw Refusal("signed by " + signer.subject + ", which the authority is not trusted for");
      signer.authority = authority.name;
      signer.valid_until = headers.expiry;
      // OpenSSL takes a certificate for expired in the last second of its period.
      if (!signer.signed_at)
        signer.valid_until = std::min(signer.valid_until.value_or(kNever), period.end);
      return signer;
    } catch (const Refusal& refusal) {
      reason = refusal.what();
    }
  }
  throw Refusal(reason);
}

}  // namespace image_library::trust
