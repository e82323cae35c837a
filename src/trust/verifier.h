// Verifies signatures and attestations of images, without a request, against what an admin trusts.
#ifndef IMAGE_LIBRARY_TRUST_VERIFIER_H_
#define IMAGE_LIBRARY_TRUST_VERIFIER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "trust/anchors.h"
#include "trust/evidence.h"

namespace image_library::trust {

/// What an admin trusts, parsed once; verifies any number of signatures. Bounded: a document, a
/// chain or a list over its limit is unverified and not read further.
class Verifier {
 public:
  /// Throws Error kInvalidArgument, which names the key, identity, certificate or part of the root
  /// that does not parse.
  explicit Verifier(const Anchors& anchors);
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  /// Whether somebody who is trusted signed the subject, a digest such as `sha256:...`. Evidence
  /// that is malformed, hostile or of a form that is not supported is unverified and says why;
  /// nothing is thrown for it.
  Verdict Verify(const Evidence& evidence, std::string_view subject) const;

  /// The same at a time (seconds of Unix time), which counts for signatures of Notation without a
  /// timestamp: their certificate must be valid when they are verified.
  Verdict VerifyAt(const Evidence& evidence, std::string_view subject, std::int64_t now) const;

 private:
  struct Parsed;
  std::unique_ptr<const Parsed> parsed_;
};

}  // namespace image_library::trust

#endif
