#include "trust/cosign_layer.h"

#include <utility>

#include "core/base64.h"
#include "trust/certificate.h"
#include "trust/document.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

// Empty without it.
std::string_view Annotation(const Evidence& evidence, const char* key) {
  const auto found = evidence.annotations.find(key);
  if (found == evidence.annotations.end()) return {};
  Check(found->second.size() <= kMostDocumentBytes, "an annotation is larger than 1 MiB");
  return found->second;
}

std::string Unhex(std::string_view hex) {
  std::string bytes;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return hex.size() % 2 == 0 ? bytes : std::string();
}

// Rekor's answer of the time of signing: the promise, without an inclusion proof.
LogEntry ReadRekorBundle(std::string_view annotation) {
  const Json bundle = ParseDocument(annotation, "Rekor's bundle");
  const Json payload = bundle["Payload"];
  LogEntry entry;
  entry.promise = BytesOf(bundle["SignedEntryTimestamp"], "the log's promise");
  entry.body = BytesOf(payload["body"], "the log's entry");
  entry.integrated_time = NumberOf(payload["integratedTime"], "the integrated time");
  entry.index = NumberOf(payload["logIndex"], "the log index");
  entry.log_id = Unhex(payload["logID"].StringOr({}));
  Check(entry.integrated_time > 0 && entry.index >= 0 && !entry.log_id.empty(),
        "Rekor's bundle is not complete");
  return entry;
}

}  // namespace

SignedMaterial ReadCosignLayer(const Evidence& evidence) {
  SignedMaterial read;
  if (evidence.format == EvidenceFormat::kDsseEnvelope) {
    read.envelope = std::make_unique<const Envelope>(
        ReadEnvelope(ParseDocument(evidence.document, "the envelope")));
    read.contents = ContentsOf(*read.envelope, evidence.document);
  } else {
    Content content;
    const std::string_view signature = Annotation(evidence, "dev.cosignproject.cosign/signature");
    Check(!signature.empty(), "the annotation with the signature is missing");
    Check(DecodeBase64(signature, &content.signature), "the signature is not valid base64");
    content.message = std::make_shared<const Message>(evidence.document);
    content.timestamped = content.signature;
    read.contents.push_back(std::move(content));
  }
  if (const auto pem = Annotation(evidence, "dev.sigstore.cosign/certificate"); !pem.empty()) {
    read.x509 = ReadFirstCertificate(pem);
    read.certificate = DerOf(read.x509.get());
  }
  if (const auto bundle = Annotation(evidence, "dev.sigstore.cosign/bundle"); !bundle.empty())
    read.entries.push_back(ReadRekorBundle(bundle));
  if (const auto json = Annotation(evidence, "dev.sigstore.cosign/rfc3161timestamp"); !json.empty())
    read.timestamps.push_back(
        BytesOf(ParseDocument(json, "the timestamp")["SignedRFC3161Timestamp"], "the timestamp"));
  return read;
}

}  // namespace image_library::trust
