// Proofs that a transparency log has an entry, checked without asking it.
#ifndef IMAGE_LIBRARY_TRUST_TRANSPARENCY_LOG_H_
#define IMAGE_LIBRARY_TRUST_TRANSPARENCY_LOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trust/log_entry.h"
#include "trust/trusted_root.h"

namespace image_library::trust {

/// A checkpoint (transparency-dev/formats, log/README.md) in a signed note
/// (golang.org/x/mod/sumdb/note).
struct Checkpoint {
  struct Signature {
    std::string name;
    std::string hint;  ///< four bytes, of the key
    std::string bytes;
  };
  std::string text;  ///< what is signed
  std::string origin;
  std::int64_t size = 0;
  std::string root;
  std::vector<Signature> signatures;
};

/// Throws Refusal.
Checkpoint ParseCheckpoint(std::string_view note);

/// Throws Refusal unless the body is the leaf at the proof's index of a tree with its size and root
/// (RFC 6962, section 2.1.1).
void CheckInclusion(const InclusionProof& proof, std::string_view body);

/// Throws Refusal unless a log of the root has the entry: by its promise, where there is one, and
/// by its inclusion proof with a signed checkpoint, where there is one; one of them must be, and
/// Rekor v2 has the proof only. Returns when the log took it, which the promise alone proves.
///
/// The log's key must be within its period when the log took the entry, or, without a promise, at
/// one of the times that something else proves (proven; empty: nothing is checked).
std::optional<std::int64_t> CheckEntry(const LogEntry& entry, const TrustedRoot& root,
                                       const std::vector<std::int64_t>& proven);

/// Whether the promise of the entry counts: Rekor v2 gives none.
bool IsPromised(const LogEntry& entry);

/// Whether CheckEntry compares the entry's index with what the log signed: the proof of Rekor v1
/// has the index within one of its trees.
bool HasProvenIndex(const LogEntry& entry);

}  // namespace image_library::trust

#endif
