// Entries of Rekor, as bundles and annotations have them.
#ifndef IMAGE_LIBRARY_TRUST_LOG_ENTRY_H_
#define IMAGE_LIBRARY_TRUST_LOG_ENTRY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trust/content.h"

namespace image_library::trust {

struct InclusionProof {
  std::int64_t index = 0;
  std::int64_t size = 0;  ///< of the tree
  std::string root;
  std::vector<std::string> hashes;
  std::string checkpoint;  ///< signed note
};

struct LogEntry {
  std::string log_id;  ///< bytes
  std::int64_t index = 0;
  std::int64_t integrated_time = 0;  ///< 0: none, as in Rekor v2
  std::string body;                  ///< canonical JSON, as it was logged
  std::string promise;               ///< signed entry timestamp; empty: none
  std::optional<InclusionProof> proof;
};

/// What the body of an entry is, by its own members `kind` and `apiVersion`.
struct EntryKind {
  std::string kind;
  std::string version;

  /// Rekor v2 has 0.0.2 of what v1 has in 0.0.1; `intoto` 0.0.2 is v1's.
  bool IsRekor2() const noexcept { return version == "0.0.2" && kind != "intoto"; }
};

/// Throws Refusal.
EntryKind KindOf(const LogEntry& entry);

/// Throws Refusal unless the body is that of the content, its signature and its signer: verifier is
/// the DER of the certificate or of the key. Kinds: hashedrekord 0.0.1 and 0.0.2, dsse 0.0.1 and
/// 0.0.2, intoto 0.0.1 and 0.0.2 (rekor/pkg/types; rekor-tiles, api/proto).
void CheckBody(const LogEntry& entry, const Content& content, std::string_view verifier);

}  // namespace image_library::trust

#endif
