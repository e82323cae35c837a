// The trusted root, transparency logs' proofs and times.
#include <string>

#include <openssl/x509v3.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/refusal.h"
#include "trust/transparency_log.h"
#include "trust/trusted_root.h"
#include "trust_material.h"

namespace image_library::trust {
namespace {

using testing::HasSubstr;

template <typename Do>
std::string Refused(Do run) {
  try {
    run();
    return {};
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TrustedRoot, HasItsParts) {
  const test::Instance instance;
  const TrustedRoot root = ParseTrustedRoot(instance.TrustedRoot());
  ASSERT_EQ(root.logs.size(), 2u);
  EXPECT_EQ(root.logs[0].id, instance.LogId());
  EXPECT_EQ(root.logs[0].host, "rekor.test");
  EXPECT_EQ(root.certificate_logs.size(), 1u);
  EXPECT_EQ(root.authorities.size(), 1u);
  EXPECT_EQ(root.timestamp_authorities.size(), 1u);
  EXPECT_EQ(root.authorities[0].period.start, 1577836800);
}

TEST(TrustedRoot, NamesThePartThatIsWrong) {
  test::Instance instance;
  const std::string good = instance.TrustedRoot();
  const auto refused = [](const std::string& json) {
    return Refused([&] { ParseTrustedRoot(json); });
  };
  EXPECT_EQ(refused(good), "");
  EXPECT_EQ(refused("{"), "it is not valid JSON");
  EXPECT_EQ(refused(std::string((4 << 20) + 1, ' ')), "it is larger than 4 MiB");
  EXPECT_EQ(refused(R"({"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"})"),
            "it has no authority and no log");
  EXPECT_THAT(refused(Replaced(good, "version=0.1", "version=7")), HasSubstr("mediaType"));
  EXPECT_EQ(refused(Replaced(good, "SHA2_256", "SHA1")),
            "tlogs[0]: its hash algorithm is not SHA2_256");
  EXPECT_EQ(refused(Replaced(good, test::Base64(instance.log2_key.Der()), "AAAA")),
            "tlogs[1]: the key is not a public key in DER form");
  EXPECT_EQ(refused(Replaced(good, test::Base64(instance.authority.Der()), "AAAA")),
            "certificateAuthorities[0]: the certificate is malformed");
  EXPECT_THAT(refused(Replaced(good, test::Base64(instance.timestamp_root.Der()),
                               test::Base64(instance.root.Der()))),
              HasSubstr("timestampAuthorities[0]: the certificate does not lead to"));
  EXPECT_EQ(refused(Replaced(good, test::Base64(instance.authority.Der()),
                             test::Base64(instance.timestamper.Der()))),
            "certificateAuthorities[0]: a certificate of it is not for code signing");
  instance.period_of_certificate_log = R"({"end":"2030-01-01T00:00:00Z"})";
  EXPECT_EQ(refused(instance.TrustedRoot()), "ctlogs[0]: its period has no valid start");
  instance.period_of_certificate_log = R"({"start":"2020-01-01T00:00:00Z","end":"soon"})";
  EXPECT_EQ(refused(instance.TrustedRoot()), "ctlogs[0]: its period has no valid end");
  instance.period_of_certificate_log = R"({"start":"2020-01-01T00:00:00Z","end":null})";
  EXPECT_EQ(refused(instance.TrustedRoot()), "") << "null is absent in protobuf's JSON";
}

// What a chain's upper certificates ask of those below counts, though they are checked but once.
TEST(CertificateChain, KeepsConstraints) {
  const auto limited = [](const std::string& extension, const std::string& value) {
    auto options = test::AuthorityOptions("limited root");
    if (extension == "basicConstraints") options.extensions.erase(options.extensions.begin());
    options.extensions.push_back({extension, value});
    const auto root = test::MakeCertificate(options, nullptr);
    const auto authority = test::MakeCertificate(test::AuthorityOptions("authority"), &root);
    std::vector<X509Owner> chain;
    chain.push_back(ReadCertificate(authority.Der()));
    chain.push_back(ReadCertificate(root.Der()));
    const CertificateChain parsed(std::move(chain), XKU_CODE_SIGN);
    const auto signer = test::MakeCertificate(
        test::SignerOptions("URI:https://git.test/x", "https://issuer.test"), &authority);
    return Refused([&] { parsed.CheckIssued(signer.x509.get(), test::kSignedAt); });
  };
  EXPECT_EQ(limited("basicConstraints", "critical,CA:TRUE,pathlen:1"), "");
  EXPECT_THAT(limited("basicConstraints", "critical,CA:TRUE,pathlen:0"),
              HasSubstr("path length constraint exceeded"));
  EXPECT_EQ(limited("nameConstraints", "critical,permitted;URI:git.test"), "");
  EXPECT_THAT(limited("nameConstraints", "critical,permitted;URI:other.test"),
              HasSubstr("permitted subtree violation"));
}

TEST(InclusionProof, HoldsForEveryLeafOfEveryTree) {
  std::vector<std::string> leaves;
  for (std::size_t size = 1; size <= 20; ++size) {
    leaves.push_back("leaf " + std::to_string(size));
    for (std::size_t index = 0; index < size; ++index) {
      InclusionProof proof;
      proof.index = static_cast<std::int64_t>(index);
      proof.size = static_cast<std::int64_t>(size);
      proof.root = test::TreeRoot(leaves);
      proof.hashes = test::TreePath(leaves, index);
      EXPECT_NO_THROW(CheckInclusion(proof, leaves[index])) << size << " " << index;
      EXPECT_THROW(CheckInclusion(proof, "other"), Refusal);
      for (std::size_t other = 0; other < size; ++other) {
        proof.index = static_cast<std::int64_t>(other);
        EXPECT_EQ(Refused([&] { CheckInclusion(proof, leaves[index]); }).empty(), other == index);
      }
      proof.index = proof.size;
      EXPECT_THROW(CheckInclusion(proof, leaves[index]), Refusal);
    }
  }
  InclusionProof huge;
  huge.index = INT64_MAX - 1;
  huge.size = INT64_MAX;
  EXPECT_THROW(CheckInclusion(huge, "x"), Refusal);
  huge.size = -1;
  EXPECT_THROW(CheckInclusion(huge, "x"), Refusal);
}

TEST(Checkpoint, IsASignedNote) {
  const std::string root = test::Base64(std::string(32, 'r'));
  const std::string text = "log.test - 7\n12\n" + root + "\nTimestamp: 5\n";
  const std::string signature = "\xe2\x80\x94 log.test " + test::Base64("hintsignature") + "\n";
  const Checkpoint checkpoint = ParseCheckpoint(text + "\n" + signature + signature);
  EXPECT_EQ(checkpoint.text, text);
  EXPECT_EQ(checkpoint.origin, "log.test - 7");
  EXPECT_EQ(checkpoint.size, 12);
  EXPECT_EQ(checkpoint.root, std::string(32, 'r'));
  ASSERT_EQ(checkpoint.signatures.size(), 2u);
  EXPECT_EQ(checkpoint.signatures[0].name, "log.test");
  EXPECT_EQ(checkpoint.signatures[0].hint, "hint");
  EXPECT_EQ(checkpoint.signatures[0].bytes, "signature");
  const auto refused = [](const std::string& note) {
    return Refused([&] { ParseCheckpoint(note); });
  };
  EXPECT_EQ(refused(text), "the checkpoint is malformed");
  EXPECT_EQ(refused(text + "\n"), "the checkpoint has no signature");
  EXPECT_EQ(refused("\n" + text + "\n" + signature), "the checkpoint has no origin");
  EXPECT_EQ(refused("o\n-1\n" + root + "\n\n" + signature), "the checkpoint has no valid size");
  EXPECT_EQ(refused("o\n99999999999999999999\n" + root + "\n\n" + signature),
            "the checkpoint has no valid size");
  EXPECT_EQ(refused("o\n1\nAAAA\n\n" + signature), "the checkpoint has no valid root hash");
  EXPECT_EQ(refused(text + "\n" + signature + "x"), "the checkpoint is malformed");
  EXPECT_EQ(refused(text + "\n- log.test AAAA\n"), "a signature of the checkpoint is malformed");
  EXPECT_EQ(refused(text + "\n\xe2\x80\x94 log.test AAAA\n"),
            "a signature of the checkpoint is malformed");
  std::string many;
  for (int i = 0; i < 51; ++i) many += signature;
  EXPECT_EQ(refused(text + "\n" + many), "the checkpoint has more than 50 signatures");
}

TEST(Instant, IsShown) {
  EXPECT_EQ(ShownInstant(1750000000), "2025-06-15 15:06:40 UTC");
  EXPECT_EQ(ShownInstant(-1), "1969-12-31 23:59:59 UTC");
  EXPECT_EQ(ShownInstant(INT64_MAX), "9223372036854775807");
}

}  // namespace
}  // namespace image_library::trust
