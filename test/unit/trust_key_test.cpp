// Keys and their algorithms, and cosign's layers of signatures and attestations.
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "trust/key.h"
#include "trust/refusal.h"
#include "trust/signed_text.h"
#include "trust/verifier.h"
#include "trust_material.h"

namespace image_library::trust {
namespace {

using test::Instance;
using test::kSignedAt;
using test::TestKey;
using testing::HasSubstr;
using Kind = TestKey::Kind;

constexpr char kImage[] = "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";

std::string Payload(const std::string& digest,
                    const std::string& type = "cosign container image signature") {
  return R"({"critical":{"identity":{"docker-reference":"r.test/app"},"image":)"
         R"({"docker-manifest-digest":")" +
         digest + R"("},"type":")" + type + R"("},"optional":null})";
}

Evidence Layer(const std::string& payload, const std::string& signature) {
  return {EvidenceFormat::kSimpleSigning,
          payload,
          {{"dev.cosignproject.cosign/signature", test::Base64(signature)}}};
}

TEST(TrustKey, VerifiesByCosignsAlgorithms) {
  struct Case {
    Kind kind;
    const char* algorithm;
    bool pss;
    bool verifies;
  };
  std::map<Kind, TestKey> keys;  // those of RSA take long to make
  for (const Case& one :
       {Case{Kind::kP256, "SHA256", false, true}, Case{Kind::kP256, "SHA384", false, false},
        Case{Kind::kP384, "SHA256", false, true}, Case{Kind::kP384, "SHA384", false, true},
        Case{Kind::kP384, "SHA512", false, false}, Case{Kind::kP521, "SHA512", false, true},
        Case{Kind::kEd25519, "", false, true}, Case{Kind::kRsa2048, "SHA256", false, true},
        Case{Kind::kRsa2048, "SHA256", true, false}, Case{Kind::kRsa2048, "SHA1", false, false},
        Case{Kind::kRsaPss, "SHA256", true, true}}) {
    SCOPED_TRACE(std::string(one.algorithm) + " " + std::to_string(static_cast<int>(one.kind)));
    const TestKey& key = keys.try_emplace(one.kind, one.kind).first->second;
    const PublicKey read = PublicKey::FromPem(key.Pem());
    std::string signature = key.Sign("message", one.algorithm, one.pss);
    EXPECT_EQ(read.Verifies(Message("message"), signature), one.verifies);
    EXPECT_FALSE(read.Verifies(Message("massage"), signature));
    EXPECT_FALSE(read.Verifies(Message("message"), signature + "x"));
    EXPECT_FALSE(read.Verifies(Message("message"), ""));
    signature[signature.size() / 2] ^= 1;
    EXPECT_FALSE(read.Verifies(Message("message"), signature));
  }
}

TEST(TrustKey, VerifiesATextThatWasSignedOutside) {
  const TestKey key, other, edwards(Kind::kEd25519);
  const std::string text = "c3d7fadeeab1155f";
  std::string signature = test::Base64(key.Sign(text));
  EXPECT_EQ(SignatureProblem(key.Pem(), text, signature), "");
  signature.insert(20, "\n");
  EXPECT_EQ(SignatureProblem(key.Pem(), text, signature + "\n"), "");
  EXPECT_EQ(SignatureProblem(edwards.Pem(), text, test::Base64(edwards.Sign(text))), "");
  for (const std::string& changed : {text + "\n", std::string("c3d7fadeeab1155e"), std::string()})
    EXPECT_EQ(SignatureProblem(key.Pem(), changed, signature), "the signature does not verify");
  EXPECT_EQ(SignatureProblem(other.Pem(), text, signature), "the signature does not verify");
  EXPECT_EQ(SignatureProblem(edwards.Pem(), text, signature), "the signature does not verify");
  EXPECT_EQ(SignatureProblem(key.Pem(), text, ""), "the signature is not base64");
  EXPECT_EQ(SignatureProblem(key.Pem(), text, "%"), "the signature is not base64");
  EXPECT_THAT(SignatureProblem(key.Pem(), text, std::string(4097, 'A')), HasSubstr("longer"));
  EXPECT_THAT(SignatureProblem("no key", text, signature), HasSubstr("not a public key"));
}

TEST(TrustKey, TakesAHashInsteadOfTheMessage) {
  const TestKey key, plain(Kind::kEd25519);
  const std::string hash = HashOf(HashAlgorithm::kSha256, "message");
  const PublicKey read = PublicKey::FromPem(key.Pem());
  EXPECT_TRUE(read.VerifiesHash(HashAlgorithm::kSha256, hash, key.Sign("message")));
  EXPECT_FALSE(read.VerifiesHash(HashAlgorithm::kSha512, hash, key.Sign("message")));
  EXPECT_FALSE(PublicKey::FromPem(plain.Pem())
                   .VerifiesHash(HashAlgorithm::kSha256, hash, plain.Sign("message")));
}

TEST(TrustKey, SaysWhatIsWrongWithAKey) {
  const auto refusal = [](const std::string& pem) -> std::string {
    try {
      PublicKey::FromPem(pem);
      return {};
    } catch (const Refusal& error) {
      return error.what();
    }
  };
  EXPECT_EQ(refusal(TestKey().Pem()), "");
  EXPECT_THAT(refusal(TestKey(Kind::kRsa1024).Pem()), HasSubstr("shorter than 2,048 bits"));
  EXPECT_THAT(refusal(TestKey(Kind::kP224).Pem()), HasSubstr("other than P-256"));
  EXPECT_THAT(refusal("ssh-ed25519 AAAA"), HasSubstr("not a public key in PEM form"));
  EXPECT_THAT(refusal(""), HasSubstr("not a public key in PEM form"));
}

TEST(TrustVerifier, NamesTheAnchorThatIsWrong) {
  const auto error = [](const Anchors& anchors) -> std::string {
    try {
      Verifier{anchors};
      return {};
    } catch (const Error& refused) {
      EXPECT_TRUE(refused.kind() == ErrorKind::kInvalidArgument ||
                  refused.kind() == ErrorKind::kInvalidPattern);
      return refused.what();
    }
  };
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({.keys = {{"a", TestKey().Pem()}, {"b", "no key"}}}),
            "trust key \"b\" cannot be used: the key is not a public key in PEM form");
  EXPECT_EQ(error({.authorities = {{"c", "no certificate", "**"}}}),
            "trust authority \"c\" cannot be used: there is no certificate in PEM form");
  EXPECT_EQ(error({.trusted_root = "{}"}),
            "trusted root cannot be used: its mediaType is not of a trusted root 0.1 or 0.2");
  EXPECT_THAT(error({.identities = {{"d", "https://i.test", "regex:("}}}), HasSubstr("regex:("));
  EXPECT_EQ(error({.keys = std::vector<TrustKey>(1001)}), "there are more than 1,000 trusted keys");
}

TEST(TrustVerifier, LeavesNoErrorForOpensslsNextUser) {
  ERR_clear_error();
  Anchors anchors;
  anchors.keys.push_back({"key", TestKey().Pem()});
  const Verifier verifier(anchors);
  EXPECT_FALSE(verifier.Verify(Layer(Payload(kImage), "no signature"), kImage).verified);
  EXPECT_EQ(ERR_peek_error(), 0u);
  EXPECT_THROW(Verifier({.keys = {{"b", "no key"}}}), Error);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

class TrustLayer : public testing::Test {
 protected:
  TrustLayer() { anchors_.keys.push_back({"release", key_.Pem()}); }

  std::string Reason(const Evidence& evidence) const {
    const Verdict verdict = Verifier(anchors_).Verify(evidence, kImage);
    EXPECT_FALSE(verdict.verified);
    return verdict.reason;
  }
  Evidence Signed(const std::string& payload) const { return Layer(payload, key_.Sign(payload)); }

  TestKey key_;
  Anchors anchors_;
};

TEST_F(TrustLayer, SimpleSigningWithAKey) {
  for (const char* type :
       {"cosign container image signature", "https://sigstore.dev/cosign/sign/v1"}) {
    const Verdict verdict = Verifier(anchors_).Verify(Signed(Payload(kImage, type)), kImage);
    EXPECT_TRUE(verdict.verified) << verdict.reason;
    EXPECT_EQ(verdict.signer, "key:release");
    EXPECT_EQ(verdict.reason, "signed with the trusted key \"release\"");
  }
  std::string other = kImage;
  other.back() = '1';
  EXPECT_EQ(Reason(Signed(Payload(other))), "the signature is for another image");
  EXPECT_EQ(Reason(Signed(Payload(kImage, "atomic container signature"))),
            "the signed payload is not of a type that signs an image");
  EXPECT_EQ(Reason(Signed("{}")), "the signed payload is not of a type that signs an image");
  EXPECT_EQ(Reason(Signed("?")), "the signed payload is not valid JSON");
  Evidence evidence = Signed(Payload(kImage));
  evidence.document += " ";
  EXPECT_EQ(Reason(evidence), "the signature is not by a trusted key");
  evidence = Signed(Payload(kImage));
  evidence.annotations["dev.cosignproject.cosign/signature"] = "%%%";
  EXPECT_EQ(Reason(evidence), "the signature is not valid base64");
  evidence.annotations.clear();
  EXPECT_EQ(Reason(evidence), "the annotation with the signature is missing");
  anchors_.keys[0].pem = TestKey().Pem();
  EXPECT_EQ(Reason(Signed(Payload(kImage))), "the signature is not by a trusted key");
}

std::string RekorBundle(const Instance& instance, const std::string& body, std::int64_t at) {
  test::EntryParts entry;
  entry.log_id = instance.LogId();
  entry.index = 9;
  entry.integrated_time = at;
  entry.body = body;
  return R"({"SignedEntryTimestamp":")" + test::Base64(instance.Promise(entry)) +
         R"(","Payload":{"body":")" + test::Base64(body) + R"(","integratedTime":)" +
         std::to_string(at) + R"(,"logIndex":9,"logID":")" + test::HexOf(entry.log_id) + "\"}}";
}

TEST_F(TrustLayer, KeylessSimpleSigning) {
  const Instance instance;
  anchors_ = instance.Trusted();
  const test::TestCertificate signer = instance.Signer();
  const std::string payload = Payload(kImage), signature = signer.key.Sign(payload);
  const std::string body =
      R"({"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":)"
      R"("sha256","value":")" +
      test::HexOf(test::Sha256(payload)) + R"("}},"signature":{"content":")" +
      test::Base64(signature) + R"(","publicKey":{"content":")" + test::Base64(signer.Pem()) +
      R"("}}}})";
  Evidence evidence = Layer(payload, signature);
  evidence.annotations["dev.sigstore.cosign/certificate"] = signer.Pem();
  evidence.annotations["dev.sigstore.cosign/chain"] =
      instance.authority.Pem() + instance.root.Pem();
  const Evidence without_log = evidence;
  evidence.annotations["dev.sigstore.cosign/bundle"] = RekorBundle(instance, body, kSignedAt);
  const Verdict verdict = Verifier(anchors_).Verify(evidence, kImage);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signer, "identity:builder");
  EXPECT_EQ(verdict.signed_at, kSignedAt);
  EXPECT_EQ(verdict.log_index, 9);
  EXPECT_EQ(Reason(without_log), "no transparency log has the signature");
  Evidence changed = evidence;
  changed.annotations["dev.sigstore.cosign/bundle"] = RekorBundle(instance, body, kSignedAt + 900);
  EXPECT_THAT(Reason(changed), HasSubstr("the certificate was not valid at"));
  changed.annotations["dev.sigstore.cosign/bundle"].replace(30, 1, "!");
  EXPECT_THAT(Reason(changed), HasSubstr("the log's promise is not valid base64"));
  changed.annotations["dev.sigstore.cosign/bundle"] = "{}";
  EXPECT_THAT(Reason(changed), HasSubstr("the log's promise is missing"));
  changed = evidence;
  changed.annotations["dev.sigstore.cosign/certificate"] = "no certificate";
  EXPECT_THAT(Reason(changed), HasSubstr("the certificate is not in PEM form"));
  // Without a log in the root, the timestamp alone proves the time.
  const std::size_t logs = anchors_.trusted_root.find("\"tlogs\"");
  anchors_.trusted_root.replace(logs, 7, "\"none\"");
  changed = without_log;
  EXPECT_THAT(Reason(changed), HasSubstr("no log and no timestamp proves"));
  changed.annotations["dev.sigstore.cosign/rfc3161timestamp"] =
      R"({"SignedRFC3161Timestamp":")" +
      test::Base64(test::MakeTimestamp(instance.timestamper, signature, kSignedAt + 1)) + "\"}";
  const Verdict stamped = Verifier(anchors_).Verify(changed, kImage);
  EXPECT_TRUE(stamped.verified) << stamped.reason;
  EXPECT_EQ(stamped.signed_at, kSignedAt + 1);
}

Evidence Attestation(const std::string& statement, const std::vector<std::string>& signatures) {
  std::string list;
  for (const std::string& signature : signatures)
    list += (list.empty() ? R"({"keyid":"","sig":")" : R"(,{"keyid":"","sig":")") +
            test::Base64(signature) + "\"}";
  return {EvidenceFormat::kDsseEnvelope,
          R"({"payloadType":"application/vnd.in-toto+json","payload":")" + test::Base64(statement) +
              R"(","signatures":[)" + list + "]}",
          {}};
}

TEST_F(TrustLayer, AttestationsWithAKey) {
  const std::string statement = test::StatementOf(kImage, "https://spdx.dev/Document");
  const std::string signature = key_.Sign(test::Pae("application/vnd.in-toto+json", statement));
  const Verdict verdict =
      Verifier(anchors_).Verify(Attestation(statement, {"other", signature}), kImage);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.predicate_type, "https://spdx.dev/Document");
  EXPECT_EQ(Reason(Attestation(statement, {key_.Sign(statement)})),
            "the signature is not by a trusted key");
  EXPECT_EQ(Reason(Attestation(statement, {})), "the envelope has no signature");
  EXPECT_EQ(Reason(Attestation(statement, std::vector<std::string>(11, signature))),
            "the envelope has more than 10 signatures");
}

// The timestamp of an attestation in a layer is over the whole envelope.
TEST_F(TrustLayer, KeylessAttestations) {
  const Instance instance;
  anchors_ = instance.Trusted();
  const std::size_t logs = anchors_.trusted_root.find("\"tlogs\"");
  anchors_.trusted_root.replace(logs, 7, "\"none\"");
  const test::TestCertificate signer = instance.Signer();
  const std::string statement = test::StatementOf(kImage, "p");
  Evidence evidence = Attestation(
      statement, {signer.key.Sign(test::Pae("application/vnd.in-toto+json", statement))});
  evidence.annotations["dev.sigstore.cosign/certificate"] = signer.Pem();
  evidence.annotations["dev.sigstore.cosign/rfc3161timestamp"] =
      R"({"SignedRFC3161Timestamp":")" +
      test::Base64(test::MakeTimestamp(instance.timestamper, evidence.document, kSignedAt + 1)) +
      "\"}";
  const Verdict verdict = Verifier(anchors_).Verify(evidence, kImage);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signed_at, kSignedAt + 1);
}

TEST_F(TrustLayer, CoseIsNotSupported) {
  EXPECT_EQ(Reason({EvidenceFormat::kNotationCose, "x", {}}),
            "signatures of Notation in COSE form are not supported");
}

}  // namespace
}  // namespace image_library::trust
