// libFuzzer target: certificates and keys, in DER and PEM form.
#include "trust/certificate.h"
#include "trust/certificate_log.h"
#include "trust/document.h"
#include "trust/keyless.h"
#include "trust_target.h"

namespace {

using namespace image_library::trust;
using namespace image_library::trust::fuzz;

void Examine(X509* certificate) {
  static const TrustedRoot* const root =
      new TrustedRoot(ParseTrustedRoot(Instance().TrustedRoot()));
  X509* const issuer = root->authorities.front().chain.first();
  Try([&] { PeriodOf(certificate); });
  Try([&] { CheckCodeSigning(certificate, true); });
  Try([&] { PublicKey::Of(certificate).Verifies(Message("message"), "signature"); });
  Try([&] {
    for (const std::string& subject : FulcioIdentityOf(certificate).subjects)
      REQUIRE(IsStorable(Shown(subject)));
  });
  Try([&] {
    CheckCertificateLog(certificate, issuer, *root);
    REQUIRE(!"the log signed another certificate");
  });
  Try([&] {
    root->authorities.front().chain.CheckIssued(certificate, test::kSignedAt);
    REQUIRE(!"the authority issued another certificate");
  });
  REQUIRE(IsStorable(Shown(NameText(X509_get_subject_name(certificate)))));
  REQUIRE(!DerOf(certificate).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ErrorScope scope;
  const std::string_view bytes = TextOf(data, size);
  Try([&] { Examine(ReadCertificate(bytes).get()); });
  Try([&] {
    for (const X509Owner& certificate : ReadCertificates(bytes)) Examine(certificate.get());
  });
  Try([&] { REQUIRE(!PublicKey::FromDer(bytes).Verifies(Message("message"), "signature")); });
  Try([&] { REQUIRE(!PublicKey::FromPem(bytes).Verifies(Message("message"), "signature")); });
  return 0;
}
