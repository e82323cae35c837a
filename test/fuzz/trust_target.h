// What the fuzz targets of src/trust share.
#ifndef IMAGE_LIBRARY_TEST_FUZZ_TRUST_TARGET_H_
#define IMAGE_LIBRARY_TEST_FUZZ_TRUST_TARGET_H_

#include "fuzz_target.h"
#include "trust/evidence.h"
#include "trust/refusal.h"
#include "trust/verifier.h"
#include "trust_material.h"

namespace image_library::trust::fuzz {

using image_library::fuzz::IsStorable;
using image_library::fuzz::Require;
using image_library::fuzz::TextOf;

inline constexpr char kImage[] =
    "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";

/// Made anew by each process, with its keys.
inline const test::Instance& Instance() {
  static const test::Instance* const instance = new test::Instance();
  return *instance;
}

inline void RequireReadable(const Verdict& verdict) {
  REQUIRE(!verdict.reason.empty());
  REQUIRE(verdict.verified == !verdict.signer.empty());
  for (const std::string* text : {&verdict.reason, &verdict.signer, &verdict.issuer,
                                  &verdict.subject, &verdict.predicate_type})
    REQUIRE(IsStorable(*text) && text->find_first_of("\n\t") == std::string::npos);
  if (!verdict.provenance) return;
  REQUIRE(verdict.verified);
  REQUIRE(IsStorable(verdict.provenance->builder) && IsStorable(verdict.provenance->build_type) &&
          IsStorable(verdict.provenance->source));
  REQUIRE(verdict.provenance->materials.size() <= 1000);
  for (const Provenance::Material& material : verdict.provenance->materials)
    REQUIRE(IsStorable(material.uri) && IsStorable(material.digest));
}

/// Runs a parser that may refuse.
template <typename Do>
void Try(Do run) {
  try {
    run();
  } catch (const Refusal& refusal) {
    REQUIRE(refusal.what()[0] != '\0');
  }
}

}  // namespace image_library::trust::fuzz

#endif
