// What a hostile signer can make verification do, counted.
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/cosign_layer.h"
#include "trust/refusal.h"
#include "trust/transparency_log.h"
#include "trust/verifier.h"
#include "trust_material.h"

namespace image_library::trust {
namespace {

using test::TestKey;
using testing::HasSubstr;
using Kind = TestKey::Kind;

constexpr char kImage[] = "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";
constexpr char kInToto[] = "application/vnd.in-toto+json";

// A statement about the image of some size, which base64 makes a third larger.
std::string StatementOfSize(std::size_t size) {
  return test::StatementOf(kImage, "https://example.com/scan",
                           "\"" + std::string(size, 'x') + "\"");
}

Evidence Enveloped(const std::string& statement, const std::vector<std::string>& signatures) {
  std::string list;
  for (const std::string& signature : signatures)
    list += (list.empty() ? R"({"sig":")" : R"(,{"sig":")") + test::Base64(signature) + "\"}";
  return {EvidenceFormat::kDsseEnvelope,
          R"({"payload":")" + test::Base64(statement) + R"(","payloadType":")" + kInToto +
              R"(","signatures":[)" + list + "]}",
          {}};
}

TEST(TrustEffort, AMessageIsHashedOnceWhateverIsTried) {
  const std::string statement = StatementOfSize(1000);
  const std::vector<std::string> bad(10, TestKey(Kind::kP384).Sign("other"));
  const SignedMaterial material = ReadCosignLayer(Enveloped(statement, bad));
  ASSERT_EQ(material.contents.size(), 10u);
  std::vector<PublicKey> keys;
  for (int i = 0; i < 50; ++i)
    keys.push_back(PublicKey::FromPem(TestKey(i % 2 == 0 ? Kind::kP256 : Kind::kP384).Pem()));
  for (const Content& content : material.contents)
    for (const PublicKey& key : keys) EXPECT_FALSE(content.VerifiedBy(key));
  EXPECT_EQ(material.contents.front().message->hash_count(), 2) << "SHA-256 and SHA-384";
  for (const Content& content : material.contents)
    EXPECT_EQ(content.message, material.contents.front().message) << "of one envelope";
}

TEST(TrustEffort, ASignatureOfAnotherLengthIsNotTried) {
  const TestKey p256, p384(Kind::kP384), edwards(Kind::kEd25519), rsa(Kind::kRsa2048);
  const auto may = [](const TestKey& key, const std::string& signature) {
    return PublicKey::FromPem(key.Pem()).MayHaveMade(signature);
  };
  for (const TestKey* key : {&p256, &p384, &edwards, &rsa})
    EXPECT_TRUE(may(*key, key->Sign("message")));
  EXPECT_FALSE(may(p256, rsa.Sign("message")));
  EXPECT_FALSE(may(edwards, p256.Sign("message")));
  EXPECT_FALSE(may(rsa, p384.Sign("message")));
  EXPECT_FALSE(may(rsa, rsa.Sign("message") + "x"));
}

class TrustEffortOfEd25519 : public testing::Test {
 protected:
  TrustEffortOfEd25519() {
    for (int i = 0; i < 30; ++i) {
      keys_.emplace_back(Kind::kEd25519);
      anchors_.keys.push_back({"key " + std::to_string(i), keys_.back().Pem()});
    }
  }

  // By the last trusted key, which is tried last, behind some other signatures.
  Verdict Verify(std::size_t size, std::size_t bad) const {
    const std::string statement = StatementOfSize(size);
    std::vector<std::string> signatures(bad, TestKey(Kind::kEd25519).Sign("other"));
    signatures.push_back(keys_.back().Sign(test::Pae(kInToto, statement)));
    return Verifier(anchors_).Verify(Enveloped(statement, signatures), kImage);
  }

  std::vector<TestKey> keys_;
  Anchors anchors_;
};

// Each try hashes the message anew.
TEST_F(TrustEffortOfEd25519, IsBoundedByTheTrustedKeys) {
  EXPECT_EQ(Verify(1000, 9).signer, "key:key 29") << "a small message";
  EXPECT_EQ(Verify(700000, 0).signer, "key:key 29") << "one signature";
  EXPECT_FALSE(Verify(700000, 1).verified);
  EXPECT_THAT(Verify(700000, 1).reason, HasSubstr("several of Ed25519, and the message is large"));
}

TEST_F(TrustEffortOfEd25519, OthersAreTriedAllTheSame) {
  const TestKey key;
  anchors_.keys.push_back({"release", key.Pem()});
  const std::string statement = StatementOfSize(700000);
  std::vector<std::string> signatures(9, TestKey(Kind::kEd25519).Sign("other"));
  signatures.push_back(key.Sign(test::Pae(kInToto, statement)));
  EXPECT_EQ(Verifier(anchors_).Verify(Enveloped(statement, signatures), kImage).signer,
            "key:release");
}

// Each of its signatures could make a log's key of Ed25519 hash it.
TEST(TrustEffort, ACheckpointIsSmall) {
  const std::string note = "origin\n1\n" + test::Base64(std::string(32, 'r')) + "\n" +
                           std::string(64 << 10, 'x') + "\n\n\xe2\x80\x94 origin AAAAAAAA\n";
  try {
    ParseCheckpoint(note);
    ADD_FAILURE() << "it is read";
  } catch (const Refusal& refusal) {
    EXPECT_STREQ(refusal.what(), "the checkpoint is larger than 64 KiB");
  }
}

}  // namespace
}  // namespace image_library::trust
