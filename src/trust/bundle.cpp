#include "trust/bundle.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "trust/certificate.h"
#include "trust/document.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

enum class Version { k01, k02, k03 };

Version VersionOf(const Json& bundle) {
  const auto type = bundle["mediaType"].Text();
  if (type == "application/vnd.dev.sigstore.bundle+json;version=0.1") return Version::k01;
  if (type == "application/vnd.dev.sigstore.bundle+json;version=0.2") return Version::k02;
  if (type == "application/vnd.dev.sigstore.bundle+json;version=0.3" ||
      type == "application/vnd.dev.sigstore.bundle.v0.3+json")
    return Version::k03;
  throw Refusal("the bundle is not of version 0.1, 0.2 or 0.3");
}

// The digest in text form as bytes; it is valid.
std::string Unhex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  return bytes;
}

Content ReadMessage(const Json& message, std::string_view digest) {
  Content content;
  content.signature = BytesOf(message["signature"], "the signature");
  const std::size_t colon = digest.find(':');
  const bool sha512 = digest.substr(0, colon) == "sha512";
  content.hash = sha512 ? HashAlgorithm::kSha512 : HashAlgorithm::kSha256;
  content.hashed = Unhex(digest.substr(colon + 1));
  content.timestamped = content.signature;
  const Json claimed = message["messageDigest"];
  if (IsAbsent(claimed)) return content;
  Check(claimed["algorithm"].Text() == (sha512 ? "SHA2_512" : "SHA2_256"),
        "the bundle has the digest of another algorithm than the image");
  Check(BytesOf(claimed["digest"], "the digest in the bundle") == content.hashed,
        "the signature is for another image");
  return content;
}

void ReadCertificate(const Json& json, SignedMaterial* read) {
  read->certificate = BytesOf(json["rawBytes"], "the certificate");
  read->x509 = trust::ReadCertificate(read->certificate);
}

// Of a chain, only the signer's certificate counts: authorities come from the trusted root.
void ReadChain(const Json& chain, SignedMaterial* read) {
  std::size_t count = 0;
  chain["certificates"].ForEachElement([&](const Json& json) {
    Check(++count <= kMostChain, "the certificate chain has more than 10 certificates");
    SignedMaterial other;
    SignedMaterial* const into = count == 1 ? read : &other;
    ReadCertificate(json, into);
    X509* const certificate = into->x509.get();
    Check(!IsSelfIssued(certificate) || X509_check_ca(certificate) == 0,
          "the certificate chain has the root, which must come from the trusted root");
  });
  Check(count > 0, "the certificate chain is empty");
}

void ReadSigner(const Json& material, Version version, SignedMaterial* read) {
  const bool key = !IsAbsent(material["publicKey"]);
  const bool certificate = !IsAbsent(material["certificate"]);
  const int kinds = key + certificate + !IsAbsent(material["x509CertificateChain"]);
  Check(kinds == 1, kinds == 0 ? "the bundle has neither a key nor a certificate"
                               : "the bundle has more than one of key, certificate and chain");
  if (key) return;
  if (certificate) return ReadCertificate(material["certificate"], read);
  Check(version != Version::k03, "the bundle has a certificate chain, which version 0.3 has not");
  ReadChain(material["x509CertificateChain"], read);
}

InclusionProof ReadProof(const Json& json) {
  InclusionProof proof;
  proof.index = std::max<std::int64_t>(NumberOf(json["logIndex"], "the proof's log index"), 0);
  proof.size = NumberOf(json["treeSize"], "the tree size");
  proof.root = BytesOf(json["rootHash"], "the root hash");
  json["hashes"].ForEachElement([&](const Json& hash) {
    Check(proof.hashes.size() < kMostProofHashes, "the inclusion proof has more than 64 hashes");
    proof.hashes.push_back(BytesOf(hash, "a hash of the inclusion proof"));
  });
  proof.checkpoint = json["checkpoint"]["envelope"].StringOr({});
  Check(!proof.checkpoint.empty(), "the inclusion proof has no checkpoint");
  return proof;
}

LogEntry ReadEntry(const Json& json, Version version) {
  LogEntry entry;
  // Protobuf's JSON leaves out zeros.
  entry.index = std::max<std::int64_t>(NumberOf(json["logIndex"], "the log index"), 0);
  entry.integrated_time =
      std::max<std::int64_t>(NumberOf(json["integratedTime"], "the integrated time"), 0);
  entry.log_id = BytesOf(json["logId"]["keyId"], "the log's identity");
  entry.body = BytesOf(json["canonicalizedBody"], "the log's entry");
  if (const Json promise = json["inclusionPromise"]; !IsAbsent(promise))
    entry.promise = BytesOf(promise["signedEntryTimestamp"], "the log's promise");
  if (const Json proof = json["inclusionProof"]; !IsAbsent(proof)) entry.proof = ReadProof(proof);
  if (version == Version::k01)
    Check(!entry.promise.empty(), "the log's entry has no promise, which version 0.1 requires");
  else
    Check(entry.proof.has_value(), "the log's entry has no inclusion proof");
  const EntryKind kind = KindOf(entry);
  Check(json["kindVersion"]["kind"].Text() == kind.kind &&
            json["kindVersion"]["version"].Text() == kind.version,
        "the log's entry is of another kind than the bundle says");
  return entry;
}

}  // namespace

std::vector<Content> ContentsOf(const Envelope& envelope, const std::string& document) {
  std::vector<Content> contents;
  const auto message = std::make_shared<const Message>(
      PreAuthenticationEncoding(envelope.payload_type, envelope.payload));
  for (const std::string& signature : envelope.signatures) {
    Content content;
    content.signature = signature;
    content.message = message;
    content.envelope = &envelope;
    content.timestamped = document.empty() ? signature : document;
    contents.push_back(std::move(content));
  }
  return contents;
}

SignedMaterial ReadBundle(std::string_view document, std::string_view digest) {
  const Json bundle = ParseDocument(document, "the bundle");
  const Version version = VersionOf(bundle);
  const Json material = bundle["verificationMaterial"];
  SignedMaterial read;
  const Json message = bundle["messageSignature"], envelope = bundle["dsseEnvelope"];
  Check(IsAbsent(message) != IsAbsent(envelope),
        "the bundle does not have either a message signature or an envelope");
  if (IsAbsent(message)) {
    read.envelope = std::make_unique<const Envelope>(ReadEnvelope(envelope));
    Check(read.envelope->signatures.size() == 1, "the envelope has more than one signature");
    read.contents = ContentsOf(*read.envelope);
  } else {
    read.contents.push_back(ReadMessage(message, digest));
  }
  ReadSigner(material, version, &read);
  material["tlogEntries"].ForEachElement([&](const Json& entry) {
    Check(read.entries.size() < kMostLogEntries, "the bundle has more than 10 log entries");
    read.entries.push_back(ReadEntry(entry, version));
  });
  material["timestampVerificationData"]["rfc3161Timestamps"].ForEachElement([&](const Json& json) {
    Check(read.timestamps.size() < kMostTimestamps, "the bundle has more than 10 timestamps");
    read.timestamps.push_back(BytesOf(json["signedTimestamp"], "the timestamp"));
  });
  return read;
}

}  // namespace image_library::trust
