// libFuzzer target: checkpoints, and bodies of log entries. The same input is read as each.
#include "trust/transparency_log.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  const std::string_view text = TextOf(data, size);
  Try([&] {
    const Checkpoint checkpoint = ParseCheckpoint(text);
    REQUIRE(text.starts_with(checkpoint.text));
    REQUIRE(checkpoint.text.ends_with("\n"));
    REQUIRE(checkpoint.size >= 0 && checkpoint.root.size() == 32);
    REQUIRE(!checkpoint.signatures.empty() && checkpoint.signatures.size() <= 50);
  });
  LogEntry entry;
  entry.body = text;
  Try([&] { KindOf(entry); });
  static const Envelope* const envelope = new Envelope{"payload", "type", {"signature"}};
  Content content;
  content.signature = "signature";
  content.message = std::make_shared<const Message>("bytes");
  Try([&] { CheckBody(entry, content, "verifier"); });
  content.envelope = envelope;
  Try([&] { CheckBody(entry, content, "verifier"); });
  InclusionProof proof;
  for (std::size_t i = 0; i + 32 <= size && proof.hashes.size() < 70; i += 32)
    proof.hashes.emplace_back(text.substr(i, 32));
  proof.index = size > 1 ? data[0] : 0;
  proof.size = size > 1 ? data[1] : 1;
  Try([&] { CheckInclusion(proof, text); });
  return 0;
}
