// How a check says that it failed, inside src/trust.
#ifndef IMAGE_LIBRARY_TRUST_REFUSAL_H_
#define IMAGE_LIBRARY_TRUST_REFUSAL_H_

#include <stdexcept>
#include <string>

namespace image_library::trust {

/// The first check that failed, as one line in plain words without a full stop. Verifier::Verify
/// makes it the verdict's reason; it does not leave this folder.
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void Check(bool holds, const char* otherwise) {
  if (!holds) throw Refusal(otherwise);
}

}  // namespace image_library::trust

#endif
