// Limits on what verification reads; what is over one is unverified.
#ifndef IMAGE_LIBRARY_TRUST_LIMITS_H_
#define IMAGE_LIBRARY_TRUST_LIMITS_H_

#include <cstddef>

namespace image_library::trust {

inline constexpr std::size_t kMostDocumentBytes = 1u << 20;  ///< evidence, and each annotation
inline constexpr std::size_t kMostRootBytes = 4u << 20;      ///< trusted_root.json
inline constexpr std::size_t kMostChain = 10;                ///< certificates of one chain
inline constexpr std::size_t kMostListed = 1000;    ///< subjects, materials, keys, authorities
inline constexpr std::size_t kMostSignatures = 10;  ///< of one envelope
/// Bytes that are hashed to try signatures on keys of Ed25519, which hash the message each time;
/// one signature is always tried with each key.
inline constexpr std::size_t kMostTriedBytes = 16u << 20;
inline constexpr std::size_t kMostTimestamps = 10;  ///< RFC 3161 timestamps
inline constexpr std::size_t kMostLogEntries = 10;
inline constexpr std::size_t kMostProofHashes = 64;  ///< a tree of 2^64 leaves
inline constexpr std::size_t kMostNoteSignatures = 50;
inline constexpr std::size_t kMostNoteBytes = 64u << 10;  ///< a checkpoint; in use are some 300
inline constexpr std::size_t kMostTextBytes = 2048;       ///< of a name or URI in a verdict

}  // namespace image_library::trust

#endif
