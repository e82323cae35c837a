#include "notation_material.h"

#include <openssl/ec.h>

#include <algorithm>

namespace image_library::trust::test {
namespace {

std::string Url(std::string_view bytes) {
  std::string text = Base64(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

}  // namespace

CertificateOptions NotationSignerOptions(const std::string& name) {
  return {.name = name,
          .extensions = {{"keyUsage", "critical,digitalSignature"},
                         {"extendedKeyUsage", "codeSigning"}}};
}

Jws::Jws(std::string_view digest)
    : payload(R"({"targetArtifact":{"mediaType":"x","digest":")" + std::string(digest) +
              R"(","size":7}})") {}

void Jws::AddTime(const std::string& header, const std::string& rfc3339) {
  critical += ",\"" + header + "\"";
  more += ",\"" + header + "\":\"" + rfc3339 + "\"";
}

std::string Jws::Json(const std::function<std::string(const std::string&)>& stamp) const {
  const std::string headers = R"({"alg":")" + algorithm + R"(","crit":[)" + critical +
                              R"(],"cty":")" + type + R"(","io.cncf.notary.signingScheme":")" +
                              scheme + "\"" + more + "}";
  std::string signature = Sign(Url(headers) + "." + Url(payload));
  std::string x5c;
  for (const TestCertificate& certificate : chain)
    x5c += (x5c.empty() ? "\"" : ",\"") + Base64(certificate.Der()) + "\"";
  std::string unprotected = R"("x5c":[)" + x5c + "]";
  if (stamp)
    unprotected += R"(,"io.cncf.notary.timestampSignature":")" + Base64(stamp(signature)) + "\"";
  if (damaged) signature[9] ^= 1;
  return R"({"payload":")" + Url(payload) + R"(","protected":")" + Url(headers) +
         R"(","header":{)" + unprotected + R"(},"signature":")" + Url(signature) + "\"}";
}

std::string Jws::Sign(const std::string& message) const {
  const TestKey& key = chain.front().key;
  const std::string hash = "SHA" + algorithm.substr(2);
  if (algorithm.starts_with("PS")) return key.Sign(message, hash.c_str(), true);
  const std::string der = key.Sign(message, hash.c_str());
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* const parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  const int size = algorithm == "ES256" ? 32 : algorithm == "ES384" ? 48 : 66;
  std::string raw(static_cast<std::size_t>(2 * size), '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(parsed), bytes, size);
  BN_bn2binpad(ECDSA_SIG_get0_s(parsed), bytes + size, size);
  ECDSA_SIG_free(parsed);
  return raw;
}

}  // namespace image_library::trust::test
