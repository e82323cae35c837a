#include "trust/certificate_log.h"

#include <openssl/ct.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <string>

#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

using Extension = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using TimestampList = Owned<STACK_OF(SCT), SCT_LIST_free>;

void Append(std::uint64_t number, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) *out += static_cast<char>(number >> (8 * i) & 0xff);
}

// The certificate's signed part before the log's timestamp went in.
std::string Precertificate(X509* certificate) {
  const int at = X509_get_ext_by_NID(certificate, NID_ct_precert_scts, -1);
  Check(X509_get_ext_by_NID(certificate, NID_ct_precert_scts, at) < 0,
        "the certificate has an extension twice");
  // Taken out and put back: OpenSSL takes longer for a copy than for a signature.
  const Extension timestamps(X509_delete_ext(certificate, at));
  std::string der;
  const int size = i2d_re_X509_tbs(certificate, nullptr);
  if (size > 0) {
    der.resize(static_cast<std::size_t>(size));
    unsigned char* end = reinterpret_cast<unsigned char*>(der.data());
    i2d_re_X509_tbs(certificate, &end);
  }
  if (X509_add_ext(certificate, timestamps.get(), at) != 1) throw std::bad_alloc();
  Check(!der.empty(), "the certificate is malformed");
  return der;
}

// The struct `digitally-signed` of RFC 6962, section 3.2.
std::string SignedPart(const SCT* timestamp, std::string_view precertificate,
                       std::string_view issuer_hash) {
  std::string part;
  Append(0, 1, &part);  // v1
  Append(0, 1, &part);  // certificate_timestamp
  Append(SCT_get_timestamp(timestamp), 8, &part);
  Append(1, 2, &part);  // precert_entry
  part += issuer_hash;
  Append(precertificate.size(), 3, &part);
  part += precertificate;
  unsigned char* extensions = nullptr;
  const std::size_t size = SCT_get0_extensions(timestamp, &extensions);
  Append(size, 2, &part);
  part += Text(extensions, size);
  return part;
}

}  // namespace

void CheckCertificateLog(X509* certificate, X509* issuer, const TrustedRoot& root) {
  if (root.certificate_logs.empty()) return;
  const TimestampList list(static_cast<STACK_OF(SCT)*>(
      X509_get_ext_d2i(certificate, NID_ct_precert_scts, nullptr, nullptr)));
  const int count = list ? sk_SCT_num(list.get()) : 0;
  Check(count > 0, "the certificate has no timestamp of a certificate log");
  Check(count <= static_cast<int>(kMostTimestamps),
        "the certificate has more than 10 timestamps of certificate logs");
  const std::string precertificate = Precertificate(certificate);
  const std::string issuer_hash = HashOf(HashAlgorithm::kSha256, PublicKey::Of(issuer).der());
  bool known = false;
  for (int i = 0; i < count; ++i) {
    const SCT* const timestamp = sk_SCT_value(list.get(), i);
    unsigned char *id = nullptr, *bytes = nullptr;
    const std::string_view log_id = [&] {
      const std::size_t size = SCT_get0_log_id(timestamp, &id);
      return Text(id, size);
    }();
    const std::size_t size = SCT_get0_signature(timestamp, &bytes);
    const auto instant = static_cast<std::int64_t>(SCT_get_timestamp(timestamp) / 1000);
    for (const TrustedLog& log : root.certificate_logs) {
      if (log.id != log_id || !log.period.Contains(instant)) continue;
      known = true;
      if (SCT_get_version(timestamp) == SCT_VERSION_V1 &&
          log.key.VerifiesWith(HashAlgorithm::kSha256, PublicKey::Padding::kPkcs1,
                               SignedPart(timestamp, precertificate, issuer_hash),
                               Text(bytes, size)))
        return;
    }
  }
  Check(known, "the certificate's log is not in the trusted root");
  throw Refusal("the certificate log's timestamp in the certificate is wrong");
}

}  // namespace image_library::trust
