// libFuzzer target: in-toto statements and provenance.
#include "trust/statement.h"
#include "trust_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace image_library::trust;
  using namespace image_library::trust::fuzz;
  Envelope envelope;
  envelope.payload = TextOf(data, size);
  envelope.payload_type = "application/vnd.in-toto+json";
  Try([&] {
    Statement statement = ReadStatement(envelope, kImage);
    Verdict verdict;
    verdict.verified = true;
    verdict.reason = verdict.signer = "x";
    verdict.predicate_type = statement.predicate_type;
    verdict.provenance = statement.provenance;
    RequireReadable(verdict);
    REQUIRE(envelope.payload.find(std::string_view(kImage).substr(7)) != std::string::npos ||
            envelope.payload.find('\\') != std::string::npos);
  });
  return 0;
}
