// in-toto statements, and the provenance in those of SLSA.
#ifndef IMAGE_LIBRARY_TRUST_STATEMENT_H_
#define IMAGE_LIBRARY_TRUST_STATEMENT_H_

#include <optional>
#include <string>
#include <string_view>

#include "trust/dsse.h"
#include "trust/evidence.h"

namespace image_library::trust {

struct Statement {
  std::string predicate_type;  ///< empty for cosign's signature of an image, which says no more
  std::optional<Provenance> provenance;
};

/// Reads an in-toto statement 0.1 or 1 (in-toto/attestation, spec/v1/statement.md), with SLSA's
/// provenance 0.2 or 1. Throws Refusal when it is none, or not about the subject.
Statement ReadStatement(const Envelope& envelope, std::string_view subject);

}  // namespace image_library::trust

#endif
