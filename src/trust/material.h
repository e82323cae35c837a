// What comes with a signature to verify it offline.
#ifndef IMAGE_LIBRARY_TRUST_MATERIAL_H_
#define IMAGE_LIBRARY_TRUST_MATERIAL_H_

#include <memory>
#include <string>
#include <vector>

#include "trust/content.h"
#include "trust/log_entry.h"
#include "trust/openssl.h"

namespace image_library::trust {

/// A signature in any of Sigstore's forms, parsed.
struct SignedMaterial {
  std::unique_ptr<const Envelope> envelope;  ///< that contents are of, if they are
  std::vector<Content> contents;             ///< one for each signature; at least one
  std::string certificate;                   ///< DER; empty: signed with a key
  X509Owner x509;                            ///< the same, parsed
  std::vector<LogEntry> entries;
  std::vector<std::string> timestamps;  ///< DER of RFC 3161
};

/// The contents of an envelope, one for each signature. Timestamps are over the document, if it is
/// not empty, else over the signature.
std::vector<Content> ContentsOf(const Envelope& envelope, const std::string& document = {});

}  // namespace image_library::trust

#endif
