// cosign's layers of signatures (`.sig` tags) and attestations (`.att` tags), whose annotations
// have what a bundle has (cosign, specs/SIGNATURE_SPEC.md).
#ifndef IMAGE_LIBRARY_TRUST_COSIGN_LAYER_H_
#define IMAGE_LIBRARY_TRUST_COSIGN_LAYER_H_

#include "trust/evidence.h"
#include "trust/material.h"

namespace image_library::trust {

/// Reads evidence of the formats kSimpleSigning and kDsseEnvelope. Throws Refusal.
SignedMaterial ReadCosignLayer(const Evidence& evidence);

}  // namespace image_library::trust

#endif
