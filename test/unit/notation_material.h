// Signatures of Notation in JWS form, whose parts a test can change.
#ifndef IMAGE_LIBRARY_TEST_UNIT_NOTATION_MATERIAL_H_
#define IMAGE_LIBRARY_TEST_UNIT_NOTATION_MATERIAL_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "trust_material.h"

namespace image_library::trust::test {

/// Of a certificate that signs for Notation.
CertificateOptions NotationSignerOptions(const std::string& name);

/// The parts of a signature; Json signs them with the key of the first certificate.
struct Jws {
  explicit Jws(std::string_view digest);

  std::string payload;
  std::string algorithm = "ES256";
  std::string type = "application/vnd.cncf.notary.payload.v1+json";
  std::string scheme = "notary.x509";
  std::string critical = R"("io.cncf.notary.signingScheme")";
  std::string more;  ///< members of the protected header
  std::vector<TestCertificate> chain;
  bool damaged = false;

  /// Adds a critical header with a time, such as `2025-06-15T15:06:40Z`.
  void AddTime(const std::string& header, const std::string& rfc3339);

  /// stamp: makes a timestamp of the signature, which goes into the unprotected header.
  std::string Json(const std::function<std::string(const std::string&)>& stamp = {}) const;

 private:
  std::string Sign(const std::string& message) const;
};

}  // namespace image_library::trust::test

#endif
