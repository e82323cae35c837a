#include "trust/log_entry.h"

#include <openssl/pem.h>

#include "core/base64.h"
#include "core/hex.h"
#include "trust/document.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

constexpr char kOtherSignature[] = "the log's entry is for another signature";
constexpr char kOtherSigner[] = "the log's entry is for another signer";
constexpr char kOtherContent[] = "the log's entry is for other content";

// The DER of the first block of a PEM text, whatever it is.
std::string DerOfPem(std::string_view pem) {
  const Bio bio = Reader(pem);
  char *name = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) return {};
  std::string der(Text(data, static_cast<std::size_t>(size)));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  return der;
}

void CheckPem(const Json& base64, std::string_view verifier) {
  Check(DerOfPem(BytesOf(base64, "the signer in the log's entry")) == verifier, kOtherSigner);
}

void CheckRaw(const Json& json, std::string_view verifier) {
  const Json bytes = json[json["x509Certificate"].IsObject() ? "x509Certificate" : "publicKey"];
  Check(BytesOf(bytes["rawBytes"], "the signer in the log's entry") == verifier, kOtherSigner);
}

void CheckSignature(const Json& base64, const Content& content) {
  Check(BytesOf(base64, "the signature in the log's entry") == content.signature, kOtherSignature);
}

std::optional<HashAlgorithm> HashNamed(std::string_view name) {
  if (name == "sha256" || name == "SHA2_256") return HashAlgorithm::kSha256;
  if (name == "sha384" || name == "SHA2_384") return HashAlgorithm::kSha384;
  if (name == "sha512" || name == "SHA2_512") return HashAlgorithm::kSha512;
  return std::nullopt;
}

// The hash of the message by the algorithm that the entry names.
std::string HashAs(const Json& algorithm, const Content& content) {
  const auto hash = HashNamed(algorithm.StringOr({}));
  Check(hash.has_value(), "the log's entry has an unknown hash algorithm");
  if (content.message) return content.message->Hashed(*hash);
  Check(hash == content.hash, kOtherContent);
  return content.hashed;
}

// Whether one of the elements passes; throws what the last one failed by.
template <typename CheckOne>
void CheckAny(const Json& list, CheckOne check) {
  std::string reason = "the log's entry has no signature";
  bool found = false;
  list.ForEachElement([&](const Json& element) {
    if (found) return;
    try {
      check(element);
      found = true;
    } catch (const Refusal& refusal) {
      reason = refusal.what();
    }
  });
  if (!found) throw Refusal(reason);
}

void CheckPayload(const Json& hash, const char* member, bool hex, const Content& content) {
  const auto algorithm = HashNamed(hash["algorithm"].StringOr({}));
  Check(algorithm.has_value(), "the log's entry has an unknown hash algorithm");
  const std::string hashed = HashOf(*algorithm, content.envelope->payload);
  Check(hash[member].Text() == (hex ? Hex(hashed) : EncodeBase64(hashed)), kOtherContent);
}

void CheckHashedRekord1(const Json& spec, const Content& content, std::string_view verifier) {
  const Json hash = spec["data"]["hash"];
  Check(hash["value"].Text() == Hex(HashAs(hash["algorithm"], content)), kOtherContent);
  CheckSignature(spec["signature"]["content"], content);
  CheckPem(spec["signature"]["publicKey"]["content"], verifier);
}

// Also of an envelope: Rekor v2 then has the hash of its pre-authentication encoding.
void CheckHashedRekord2(const Json& spec, const Content& content, std::string_view verifier) {
  const Json record = spec["hashedRekordV002"];
  Check(BytesOf(record["data"]["digest"], "the hash in the log's entry") ==
            HashAs(record["data"]["algorithm"], content),
        kOtherContent);
  CheckSignature(record["signature"]["content"], content);
  CheckRaw(record["signature"]["verifier"], verifier);
}

void CheckDsse1(const Json& spec, const Content& content, std::string_view verifier) {
  CheckPayload(spec["payloadHash"], "value", true, content);
  CheckAny(spec["signatures"], [&](const Json& signature) {
    CheckSignature(signature["signature"], content);
    CheckPem(signature["verifier"], verifier);
  });
}

void CheckDsse2(const Json& spec, const Content& content, std::string_view verifier) {
  const Json record = spec["dsseV002"];
  CheckPayload(record["payloadHash"], "digest", false, content);
  CheckAny(record["signatures"], [&](const Json& signature) {
    CheckSignature(signature["content"], content);
    CheckRaw(signature["verifier"], verifier);
  });
}

// Has no signature, but the payload that was signed and the key that signed it.
void CheckIntoto1(const Json& spec, const Content& content, std::string_view verifier) {
  CheckPayload(spec["content"]["payloadHash"], "value", true, content);
  CheckPem(spec["publicKey"], verifier);
}

void CheckIntoto2(const Json& spec, const Content& content, std::string_view verifier) {
  CheckPayload(spec["content"]["payloadHash"], "value", true, content);
  CheckAny(spec["content"]["envelope"]["signatures"], [&](const Json& signature) {
    std::string once = BytesOf(signature["sig"], "the signature in the log's entry");
    std::string twice;  // it is encoded twice
    Check(once == content.signature || (DecodeBase64(once, &twice) && twice == content.signature),
          kOtherSignature);
    CheckPem(signature["publicKey"], verifier);
  });
}

}  // namespace

EntryKind KindOf(const LogEntry& entry) {
  const Json json = ParseDocument(entry.body, "the log's entry");
  return {json["kind"].StringOr({}), json["apiVersion"].StringOr({})};
}

void CheckBody(const LogEntry& entry, const Content& content, std::string_view verifier) {
  const Json json = ParseDocument(entry.body, "the log's entry");
  const std::string kind = json["kind"].StringOr({}) + " " + json["apiVersion"].StringOr({});
  const Json spec = json["spec"];
  const bool enveloped = content.envelope != nullptr;
  if (kind == "hashedrekord 0.0.1" && !enveloped)
    return CheckHashedRekord1(spec, content, verifier);
  if (kind == "hashedrekord 0.0.2") return CheckHashedRekord2(spec, content, verifier);
  if (kind == "dsse 0.0.1" && enveloped) return CheckDsse1(spec, content, verifier);
  if (kind == "dsse 0.0.2" && enveloped) return CheckDsse2(spec, content, verifier);
  if (kind == "intoto 0.0.1" && enveloped) return CheckIntoto1(spec, content, verifier);
  if (kind == "intoto 0.0.2" && enveloped) return CheckIntoto2(spec, content, verifier);
  throw Refusal("the log's entry is of a kind that does not fit the signature");
}

}  // namespace image_library::trust
