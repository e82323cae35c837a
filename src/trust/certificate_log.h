// Certificate transparency: the log's signed timestamp within a certificate.
#ifndef IMAGE_LIBRARY_TRUST_CERTIFICATE_LOG_H_
#define IMAGE_LIBRARY_TRUST_CERTIFICATE_LOG_H_

#include <openssl/x509.h>

#include "trust/trusted_root.h"

namespace image_library::trust {

/// Throws Refusal unless a certificate log of the root signed the certificate's precertificate (RFC
/// 6962, section 3.2), within the period of its key. The issuer must have issued it. Where the root
/// has no certificate log, there is nothing to check.
void CheckCertificateLog(X509* certificate, X509* issuer, const TrustedRoot& root);

}  // namespace image_library::trust

#endif
