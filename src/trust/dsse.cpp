#include "trust/dsse.h"

#include "trust/document.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {

std::string PreAuthenticationEncoding(std::string_view type, std::string_view payload) {
  std::string encoded = "DSSEv1 " + std::to_string(type.size()) + " ";
  encoded += type;
  encoded += " " + std::to_string(payload.size()) + " ";
  encoded += payload;
  return encoded;
}

Envelope ReadEnvelope(const Json& json) {
  Envelope envelope;
  envelope.payload = BytesOf(json["payload"], "the payload of the envelope");
  envelope.payload_type = json["payloadType"].StringOr({});
  json["signatures"].ForEachElement([&](const Json& signature) {
    Check(envelope.signatures.size() < kMostSignatures, "the envelope has more than 10 signatures");
    envelope.signatures.push_back(BytesOf(signature["sig"], "the signature of the envelope"));
  });
  Check(!envelope.signatures.empty(), "the envelope has no signature");
  return envelope;
}

}  // namespace image_library::trust
