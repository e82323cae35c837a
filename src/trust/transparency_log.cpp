#include "trust/transparency_log.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "core/base64.h"
#include "core/hex.h"
#include "core/strings.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

constexpr std::size_t kHashSize = 32;
constexpr std::size_t kHintSize = 4;
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // em dash and space

std::string HashChildren(std::string_view left, std::string_view right) {
  std::string node(1, '\x01');
  node += left;
  node += right;
  return HashOf(HashAlgorithm::kSha256, node);
}

// Takes a line with its end; empty without one.
std::string_view TakeLine(std::string_view* text) {
  const std::size_t end = text->find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end + 1);
  return line;
}

Checkpoint::Signature ParseSignature(std::string_view line) {
  Check(line.starts_with(kDash), "a signature of the checkpoint is malformed");
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  std::string bytes;
  Check(space != std::string_view::npos && space > 0 &&
            DecodeBase64(line.substr(space + 1), &bytes) && bytes.size() > kHintSize,
        "a signature of the checkpoint is malformed");
  return {std::string(line.substr(0, space)), bytes.substr(0, kHintSize), bytes.substr(kHintSize)};
}

// A log of Rekor v1 has its tree behind its name: `rekor.sigstore.dev - 2605736670972794746`.
bool IsOrigin(std::string_view origin, std::string_view name) {
  return origin == name ||
         (origin.starts_with(name) && origin.substr(name.size()).starts_with(" - "));
}

void CheckCheckpoint(const Checkpoint& checkpoint, const TrustedLog& log, bool rekor2) {
  bool known = false;
  const Message message(checkpoint.text);
  for (const Checkpoint::Signature& signature : checkpoint.signatures) {
    if (!log.checkpoint_id.starts_with(signature.hint)) continue;  // of a witness, or another key
    if (!IsOrigin(checkpoint.origin, signature.name)) continue;
    if (rekor2 && signature.name != log.host) continue;
    known = true;
    if (log.key.Verifies(message, signature.bytes)) return;
  }
  Check(known, "the checkpoint is not signed by the log");
  throw Refusal("the log's signature of the checkpoint is wrong");
}

// What Rekor v1 signs: canonical JSON (RFC 8785) of these members.
std::string PromisedText(const LogEntry& entry) {
  return "{\"body\":\"" + EncodeBase64(entry.body) +
         "\",\"integratedTime\":" + std::to_string(entry.integrated_time) + ",\"logID\":\"" +
         Hex(entry.log_id) + "\",\"logIndex\":" + std::to_string(entry.index) + "}";
}

// An entry itself does not say when the log took it.
bool IsWithin(const Period& period, const std::vector<std::int64_t>& proven) {
  return proven.empty() || std::any_of(proven.begin(), proven.end(), [&](std::int64_t instant) {
           return period.Contains(instant);
         });
}

void CheckProof(const LogEntry& entry, const TrustedLog& log, bool rekor2) {
  const InclusionProof& proof = *entry.proof;
  const Checkpoint checkpoint = ParseCheckpoint(proof.checkpoint);
  CheckCheckpoint(checkpoint, log, rekor2);
  Check(checkpoint.size == proof.size && checkpoint.root == proof.root,
        "the checkpoint is of another tree than the inclusion proof");
  Check(!rekor2 || proof.index == entry.index, "the inclusion proof is for another entry");
  CheckInclusion(proof, entry.body);
}

}  // namespace

Checkpoint ParseCheckpoint(std::string_view note) {
  constexpr char kMalformed[] = "the checkpoint is malformed";
  Check(note.size() <= kMostNoteBytes, "the checkpoint is larger than 64 KiB");
  const std::size_t blank = note.find("\n\n");
  Check(blank != std::string_view::npos, kMalformed);
  Checkpoint checkpoint;
  checkpoint.text = note.substr(0, blank + 1);
  std::string_view text = checkpoint.text;
  checkpoint.origin = TakeLine(&text);
  const std::string_view size = TakeLine(&text);
  const std::string_view root = TakeLine(&text);
  Check(!checkpoint.origin.empty(), "the checkpoint has no origin");
  const auto [end, error] =
      std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  Check(IsDigits(size) && error == std::errc() && end == size.data() + size.size(),
        "the checkpoint has no valid size");
  Check(DecodeBase64(root, &checkpoint.root) && checkpoint.root.size() == kHashSize,
        "the checkpoint has no valid root hash");
  for (std::string_view rest = note.substr(blank + 2); !rest.empty();) {
    Check(rest.find('\n') != std::string_view::npos, kMalformed);
    Check(checkpoint.signatures.size() < kMostNoteSignatures,
          "the checkpoint has more than 50 signatures");
    checkpoint.signatures.push_back(ParseSignature(TakeLine(&rest)));
  }
  Check(!checkpoint.signatures.empty(), "the checkpoint has no signature");
  return checkpoint;
}

void CheckInclusion(const InclusionProof& proof, std::string_view body) {
  constexpr char kWrong[] = "the inclusion proof is wrong";
  Check(proof.size > 0 && proof.index >= 0 && proof.index < proof.size, kWrong);
  const auto index = static_cast<std::uint64_t>(proof.index);
  const auto last = static_cast<std::uint64_t>(proof.size) - 1;
  // Below `inner` the paths of the leaf and of the last leaf differ; above, the hashes are those of
  // the trees to the left.
  const auto inner = static_cast<std::size_t>(std::bit_width(index ^ last));
  const auto border = static_cast<std::size_t>(inner < 64 ? std::popcount(index >> inner) : 0);
  Check(proof.hashes.size() == inner + border, kWrong);
  std::string leaf(1, '\0');
  leaf += body;
  std::string hash = HashOf(HashAlgorithm::kSha256, leaf);
  for (std::size_t i = 0; i < proof.hashes.size(); ++i) {
    Check(proof.hashes[i].size() == kHashSize, kWrong);
    const bool left = i < inner && (index >> i & 1) == 0;
    hash = left ? HashChildren(hash, proof.hashes[i]) : HashChildren(proof.hashes[i], hash);
  }
  Check(hash == proof.root, kWrong);
}

bool IsPromised(const LogEntry& entry) {
  return !entry.promise.empty() && !KindOf(entry).IsRekor2();
}

bool HasProvenIndex(const LogEntry& entry) { return IsPromised(entry) || KindOf(entry).IsRekor2(); }

std::optional<std::int64_t> CheckEntry(const LogEntry& entry, const TrustedRoot& root,
                                       const std::vector<std::int64_t>& proven) {
  const bool rekor2 = KindOf(entry).IsRekor2();
  const bool promised = IsPromised(entry);
  Check(promised || entry.proof.has_value(), "nothing proves that the log has the entry");
  bool known = false;
  std::string reason = promised ? "the log's key was not valid when the log took the entry"
                                : "the log's key was not valid when the image was signed";
  for (const TrustedLog& log : root.logs) {
    if (log.id != entry.log_id) continue;
    known = true;
    if (promised ? !log.period.Contains(entry.integrated_time) : !IsWithin(log.period, proven))
      continue;
    try {
      if (promised)
        Check(log.key.Verifies(Message(PromisedText(entry)), entry.promise),
              "the log's promise to have the entry is wrong");
      if (entry.proof) CheckProof(entry, log, rekor2);
      return promised ? std::optional(entry.integrated_time) : std::nullopt;
    } catch (const Refusal& refusal) {
      reason = refusal.what();
    }
  }
  Check(known, "the transparency log is not in the trusted root");
  throw Refusal(reason);
}

}  // namespace image_library::trust
