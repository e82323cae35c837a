#include "trust/trusted_root.h"

#include <openssl/x509v3.h>

#include <utility>

#include "core/error.h"
#include "core/timestamp.h"
#include "trust/document.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

Period ReadPeriod(const Json& range) {
  Period period;
  if (IsAbsent(range)) return period;
  const auto start = ParseTimestamp(range["start"].StringOr({}));
  Check(start.has_value(), "its period has no valid start");
  period.start = start->seconds;
  if (IsAbsent(range["end"])) return period;
  const auto end = ParseTimestamp(range["end"].StringOr({}));
  Check(end.has_value(), "its period has no valid end");
  period.end = end->seconds;
  return period;
}

std::string HostOf(std::string_view address) {
  if (const std::size_t scheme = address.find("://"); scheme != std::string_view::npos)
    address.remove_prefix(scheme + 3);
  return std::string(address.substr(0, address.find('/')));
}

TrustedLog ReadLog(const Json& log) {
  const Json key = log["publicKey"];
  const auto hash = log["hashAlgorithm"].Text();
  Check(hash == "SHA2_256", "its hash algorithm is not SHA2_256");
  std::string id = BytesOf(log["logId"]["keyId"], "its logId");
  std::string checkpoint_id = !IsAbsent(log["checkpointKeyId"])
                                  ? BytesOf(log["checkpointKeyId"]["keyId"], "its checkpointKeyId")
                                  : id;
  return {std::move(id), std::move(checkpoint_id), HostOf(log["baseUrl"].StringOr({})),
          PublicKey::FromDer(BytesOf(key["rawBytes"], "its key")), ReadPeriod(key["validFor"])};
}

TrustedAuthority ReadAuthority(const Json& authority, std::uint32_t usage) {
  std::vector<X509Owner> certificates;
  authority["certChain"]["certificates"].ForEachElement([&](const Json& certificate) {
    Check(certificates.size() < kMostChain, "its chain has more than 10 certificates");
    certificates.push_back(ReadCertificate(BytesOf(certificate["rawBytes"], "its certificate")));
  });
  return {CertificateChain(std::move(certificates), usage), ReadPeriod(authority["validFor"])};
}

TrustedAuthority ReadIssuer(const Json& json) { return ReadAuthority(json, XKU_CODE_SIGN); }

TrustedAuthority ReadTimestamper(const Json& json) { return ReadAuthority(json, XKU_TIMESTAMP); }

template <typename Part>
std::vector<Part> ReadParts(const Json& root, const char* name, Part (*read)(const Json&)) {
  std::vector<Part> parts;
  root[name].ForEachElement([&](const Json& part) {
    const std::string place = std::string(name) + "[" + std::to_string(parts.size()) + "]";
    Check(parts.size() < kMostListed, "a list of it has more than 1,000 elements");
    try {
      parts.push_back(read(part));
    } catch (const Refusal& refusal) {
      throw Refusal(place + ": " + refusal.what());
    }
  });
  return parts;
}

}  // namespace

TrustedRoot ParseTrustedRoot(std::string_view json) {
  Check(json.size() <= kMostRootBytes, "it is larger than 4 MiB");
  Json root = [&] {
    try {
      return Json::Parse(json);
    } catch (const Error&) {
      throw Refusal("it is not valid JSON");
    }
  }();
  const std::string type = root["mediaType"].StringOr({});
  Check(type == "application/vnd.dev.sigstore.trustedroot+json;version=0.1" ||
            type == "application/vnd.dev.sigstore.trustedroot+json;version=0.2" ||
            type == "application/vnd.dev.sigstore.trustedroot.v0.1+json" ||
            type == "application/vnd.dev.sigstore.trustedroot.v0.2+json",
        "its mediaType is not of a trusted root 0.1 or 0.2");
  TrustedRoot parsed;
  parsed.logs = ReadParts(root, "tlogs", &ReadLog);
  parsed.certificate_logs = ReadParts(root, "ctlogs", &ReadLog);
  parsed.authorities = ReadParts(root, "certificateAuthorities", &ReadIssuer);
  parsed.timestamp_authorities = ReadParts(root, "timestampAuthorities", &ReadTimestamper);
  Check(
      !parsed.authorities.empty() || !parsed.logs.empty() || !parsed.timestamp_authorities.empty(),
      "it has no authority and no log");
  return parsed;
}

}  // namespace image_library::trust
