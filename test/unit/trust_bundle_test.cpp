// Sigstore bundles: every check passes once, and fails for its own reason when one thing is
// changed.
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/verifier.h"
#include "trust_material.h"

namespace image_library::trust {
namespace {

using test::BundleParts;
using test::Instance;
using test::kDay;
using test::kSignedAt;
using test::TestKey;
using testing::HasSubstr;

constexpr char kImage[] = "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";
constexpr char kOther[] = "sha256:ff11223344556677889900aabbccddeeff11223344556677889900aabbccddee";

void Flip(std::string* bytes) { (*bytes)[bytes->size() / 2] ^= 1; }

class TrustBundle : public testing::Test {
 protected:
  Verdict Verify(const BundleParts& parts, const char* subject = kImage) const {
    return Verifier(instance_.Trusted()).Verify(parts.ToEvidence(), subject);
  }

  // What the reason is after a change of the parts.
  std::string ReasonAfter(BundleParts parts,
                          const std::function<void(BundleParts&)>& change) const {
    change(parts);
    const Verdict verdict = Verify(parts);
    EXPECT_FALSE(verdict.verified);
    EXPECT_EQ(verdict.signer, "");
    return verdict.reason;
  }

  // The bundle of a signer whose certificate is another than usual.
  BundleParts SignedBy(const test::TestCertificate& signer) const {
    BundleParts parts = instance_.Enveloped(test::StatementOf(kImage, "p"), "dsse 0.0.1");
    parts.certificate = signer.Der();
    parts.sig = signer.key.Sign(test::Pae(parts.payload_type, parts.payload));
    parts.entries = {instance_.Log(
        "dsse", "0.0.1",
        R"({"apiVersion":"0.0.1","kind":"dsse","spec":{"payloadHash":{"algorithm":"sha256","value":")" +
            test::HexOf(test::Sha256(parts.payload)) + R"("},"signatures":[{"signature":")" +
            test::Base64(parts.sig) + R"(","verifier":")" + test::Base64(signer.Pem()) +
            R"("}]}})")};
    return parts;
  }

  test::TestCertificate Logged(const test::CertificateOptions& options) const {
    return test::MakeLoggedCertificate(options, instance_.authority, instance_.certificate_log_key,
                                       TestKey());
  }

  test::CertificateOptions Options() const {
    return test::SignerOptions(std::string("URI:") + Instance::kSubject, Instance::kIssuer);
  }

  Instance instance_;
};

TEST_F(TrustBundle, SaysWhoSigned) {
  const Verdict verdict = Verify(instance_.Message(kImage));
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signer, "identity:builder");
  EXPECT_EQ(verdict.issuer, Instance::kIssuer);
  EXPECT_EQ(verdict.subject, Instance::kSubject);
  EXPECT_EQ(verdict.signed_at, kSignedAt);
  EXPECT_EQ(verdict.log_index, 1004);
  EXPECT_EQ(verdict.predicate_type, "");
  EXPECT_EQ(verdict.reason, std::string("signed by ") + Instance::kSubject + " of " +
                                Instance::kIssuer + ", the trusted identity \"builder\"");
}

TEST_F(TrustBundle, TakesRekor2WithATimestamp) {
  const Verdict verdict = Verify(instance_.Message2(kImage));
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signed_at, kSignedAt + 5);
  EXPECT_EQ(verdict.log_index, 4);
}

TEST_F(TrustBundle, TakesEveryKindOfEntryOfAnEnvelope) {
  for (const char* kind :
       {"dsse 0.0.1", "dsse 0.0.2", "intoto 0.0.1", "intoto 0.0.2", "hashedrekord 0.0.2"}) {
    SCOPED_TRACE(kind);
    const BundleParts parts = instance_.Enveloped(test::StatementOf(kImage, "p"), kind);
    EXPECT_TRUE(Verify(parts).verified) << Verify(parts).reason;
    EXPECT_EQ(Verify(parts).predicate_type, "p");
    // Another statement, by the same signer, than the log has.
    BundleParts other = instance_.Enveloped(test::StatementOf(kImage, "q"), kind);
    other.entries = parts.entries;
    EXPECT_THAT(Verify(other).reason, HasSubstr("the log's entry is for other content"));
    // The same statement signed by somebody else.
    other = instance_.Enveloped(test::StatementOf(kImage, "p"), kind);
    other.entries = parts.entries;
    EXPECT_THAT(Verify(other).reason, HasSubstr("the log's entry is for another sign"));
  }
}

TEST_F(TrustBundle, TakesEveryVersion) {
  for (const char* type : {"application/vnd.dev.sigstore.bundle+json;version=0.1",
                           "application/vnd.dev.sigstore.bundle+json;version=0.2",
                           "application/vnd.dev.sigstore.bundle+json;version=0.3",
                           "application/vnd.dev.sigstore.bundle.v0.3+json"}) {
    BundleParts parts = instance_.Message(kImage);
    parts.media_type = type;
    EXPECT_TRUE(Verify(parts).verified) << type << ": " << Verify(parts).reason;
  }
  BundleParts parts = instance_.Message(kImage);
  parts.media_type = "application/vnd.dev.sigstore.bundle+json;version=0.1";
  parts.entries[0].has_proof = false;
  EXPECT_TRUE(Verify(parts).verified) << "the promise suffices in version 0.1";
  parts.entries[0].promise.clear();
  EXPECT_THAT(Verify(parts).reason, HasSubstr("no promise, which version 0.1 requires"));
  parts = instance_.Message(kImage);
  parts.media_type = "application/vnd.dev.sigstore.bundle+json;version=0.2";
  const auto chain = [](const std::string& list) { return R"({"certificates":[)" + list + "]}"; };
  const auto raw = [](const std::string& der) {
    return R"({"rawBytes":")" + test::Base64(der) + "\"}";
  };
  parts.chain = chain(raw(parts.certificate) + "," + raw(instance_.authority.Der()));
  EXPECT_TRUE(Verify(parts).verified) << Verify(parts).reason;
  parts.chain = chain(raw(parts.certificate) + "," + raw(instance_.root.Der()));
  EXPECT_THAT(Verify(parts).reason, HasSubstr("has the root"));
  parts.chain = chain("");
  EXPECT_THAT(Verify(parts).reason, HasSubstr("the certificate chain is empty"));
  std::string many = raw(parts.certificate);
  for (int i = 0; i < 10; ++i) many += "," + raw(parts.certificate);
  parts.chain = chain(many);
  EXPECT_THAT(Verify(parts).reason, HasSubstr("more than 10 certificates"));
  parts.media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
  parts.chain = chain(raw(parts.certificate));
  EXPECT_THAT(Verify(parts).reason, HasSubstr("version 0.3"));
}

TEST_F(TrustBundle, EachChangeHasItsReason) {
  struct Case {
    const char* reason;
    std::function<void(BundleParts&)> change;
  };
  const Case cases[] = {
      {"version 0.1, 0.2 or 0.3", [](auto& p) { p.media_type = "application/json"; }},
      {"for another image", [](auto& p) { Flip(&p.digest); }},
      {"not by the key of the certificate", [](auto& p) { Flip(&p.signature); }},
      {"the certificate is malformed", [](auto& p) { p.certificate.pop_back(); }},
      {"no transparency log has", [](auto& p) { p.entries.clear(); }},
      {"the log's entry is not valid JSON", [](auto& p) { p.entries[0].body = "{"; }},
      {"of another kind than the bundle says", [](auto& p) { p.entries[0].kind = "dsse"; }},
      {"the transparency log is not in the trusted root",
       [](auto& p) { Flip(&p.entries[0].log_id); }},
      {"promise to have the entry is wrong", [](auto& p) { Flip(&p.entries[0].promise); }},
      {"promise to have the entry is wrong", [](auto& p) { ++p.entries[0].integrated_time; }},
      {"promise to have the entry is wrong", [](auto& p) { ++p.entries[0].index; }},
      {"has no inclusion proof", [](auto& p) { p.entries[0].has_proof = false; }},
      {"the inclusion proof is wrong", [](auto& p) { Flip(&p.entries[0].hashes[1]); }},
      {"the inclusion proof is wrong", [](auto& p) { --p.entries[0].proof_index; }},
      {"the inclusion proof is wrong", [](auto& p) { p.entries[0].hashes.pop_back(); }},
      {"of another tree", [](auto& p) { Flip(&p.entries[0].root); }},
      {"of another tree", [](auto& p) { ++p.entries[0].tree_size; }},
      {"has no checkpoint", [](auto& p) { p.entries[0].checkpoint.clear(); }},
      {"more than 64 hashes", [](auto& p) { p.entries[0].hashes.resize(65, "x"); }},
      {"more than 10 log entries", [](auto& p) { p.entries.resize(11, p.entries[0]); }},
      {"more than 10 timestamps", [](auto& p) { p.timestamps.resize(11, "x"); }},
      {"not a number from 0", [](auto& p) { p.entries[0].index = -5; }},
  };
  for (const Case& one : cases)
    EXPECT_THAT(ReasonAfter(instance_.Message(kImage), one.change), HasSubstr(one.reason));
}

TEST_F(TrustBundle, EveryEntryMustVerify) {
  BundleParts parts = instance_.Message(kImage);
  parts.entries.push_back(parts.entries[0]);
  EXPECT_TRUE(Verify(parts).verified);
  Flip(&parts.entries[1].promise);
  EXPECT_FALSE(Verify(parts).verified);
}

TEST_F(TrustBundle, ChecksTheLogsSignatureOfTheCheckpoint) {
  const BundleParts good = instance_.Message(kImage);
  const auto with = [&](const std::string& origin, const std::string& name, std::string_view hint,
                        const TestKey& key) {
    BundleParts parts = good;
    parts.entries[0].checkpoint = instance_.Note(origin, parts.entries[0], name, hint, key);
    return Verify(parts);
  };
  const std::string id = instance_.LogId();
  EXPECT_TRUE(with("rekor.test - 42", "rekor.test", id, instance_.log_key).verified);
  EXPECT_THAT(with("rekor.test - 42", "rekor.test", id, TestKey()).reason,
              HasSubstr("the log's signature of the checkpoint is wrong"));
  EXPECT_THAT(with("rekor.test - 42", "rekor.test", "abcd", instance_.log_key).reason,
              HasSubstr("not signed by the log"));
  EXPECT_THAT(with("other.test - 42", "rekor.test", id, instance_.log_key).reason,
              HasSubstr("not signed by the log"));
  // A log of Rekor v2 signs as the host that it has in the trusted root.
  BundleParts second = instance_.Message2(kImage);
  second.entries[0].checkpoint = instance_.Note("else.test", second.entries[0], "else.test",
                                                instance_.Log2Id(), instance_.log2_key);
  EXPECT_THAT(Verify(second).reason, HasSubstr("not signed by the log"));
}

TEST_F(TrustBundle, Rekor2NeedsATimestampAndItsOwnIndex) {
  const BundleParts good = instance_.Message2(kImage);
  EXPECT_THAT(ReasonAfter(good, [](auto& p) { p.timestamps.clear(); }),
              HasSubstr("no log and no timestamp proves when"));
  EXPECT_THAT(ReasonAfter(good, [](auto& p) { ++p.entries[0].index; }),
              HasSubstr("the inclusion proof is for another entry"));
  // An integrated time that nobody signed proves nothing.
  EXPECT_THAT(ReasonAfter(good,
                          [](auto& p) {
                            p.timestamps.clear();
                            p.entries[0].integrated_time = kSignedAt;
                          }),
              HasSubstr("no log and no timestamp proves when"));
}

TEST_F(TrustBundle, ChecksTimestamps) {
  const BundleParts good = instance_.Message2(kImage);
  const auto with = [&](const std::string& timestamp) {
    return ReasonAfter(good, [&](auto& p) { p.timestamps = {timestamp}; });
  };
  using test::MakeTimestamp;
  EXPECT_THAT(with(MakeTimestamp(instance_.timestamper, "another", kSignedAt)),
              HasSubstr("the timestamp is for another signature"));
  EXPECT_THAT(with(MakeTimestamp(instance_.timestamper, good.signature, kSignedAt + 600)),
              HasSubstr("the certificate was not valid at 2025-06-15 15:16:40 UTC"));
  EXPECT_THAT(with(MakeTimestamp(instance_.timestamper, good.signature, kSignedAt - 366 * kDay)),
              HasSubstr("when a certificate of its authority was not valid"));
  EXPECT_THAT(with("no DER"), HasSubstr("the timestamp is malformed"));
  std::string wrong = good.timestamps[0];
  wrong.back() ^= 1;  // its signature ends it
  EXPECT_THAT(with(wrong), HasSubstr("the signature of the timestamp is wrong"));
  const auto other_root = test::MakeCertificate(test::AuthorityOptions("other"), nullptr);
  const auto other = test::MakeCertificate(test::TimestamperOptions("timestamper"), &other_root);
  EXPECT_THAT(with(MakeTimestamp(other, good.signature, kSignedAt)),
              HasSubstr("not from an authority of the trusted root"));
  // The same name and serial number do not make another's key trusted.
  test::TestCertificate impostor = instance_.timestamper;
  impostor.key = TestKey();
  impostor.x509 = {X509_dup(instance_.timestamper.x509.get()), &X509_free};
  X509_set_pubkey(impostor.x509.get(), impostor.key.get());
  X509_sign(impostor.x509.get(), impostor.key.get(), EVP_sha256());
  EXPECT_THAT(with(MakeTimestamp(impostor, good.signature, kSignedAt)),
              HasSubstr("the signature of the timestamp is wrong"));
  // One that does not verify does not hinder another that does.
  BundleParts both = good;
  both.timestamps.insert(both.timestamps.begin(), MakeTimestamp(other, good.signature, kSignedAt));
  EXPECT_TRUE(Verify(both).verified) << Verify(both).reason;
}

// The certificate within a timestamp is not signed, and not used.
TEST_F(TrustBundle, ByteByByteATimestampKeepsItsTime) {
  const BundleParts good = instance_.Message2(kImage);
  const Verifier verifier(instance_.Trusted());
  for (std::size_t i = 0; i < good.timestamps[0].size(); i += 3) {
    BundleParts parts = good;
    parts.timestamps[0][i] ^= 1;
    const Verdict verdict = verifier.Verify(parts.ToEvidence(), kImage);
    EXPECT_TRUE(!verdict.verified || verdict.signed_at == kSignedAt + 5) << i;
  }
}

TEST_F(TrustBundle, PeriodsOfTheRootCountWithBothEnds) {
  const BundleParts message = instance_.Message(kImage), second = instance_.Message2(kImage);
  const std::string until = R"({"start":"2020-01-01T00:00:00Z","end":")";
  const auto ends = [&](const char* end) { return until + end + "\"}"; };
  const char *at = "2025-06-15T15:06:40Z", *before = "2025-06-15T15:06:39Z";
  const std::string always = instance_.period_of_log;
  instance_.period_of_log = ends(at);
  EXPECT_TRUE(Verify(message).verified);
  instance_.period_of_log = ends(before);
  EXPECT_THAT(Verify(message).reason, HasSubstr("the log's key was not valid when"));
  instance_.period_of_log = always;
  instance_.period_of_authority = ends(at);
  EXPECT_TRUE(Verify(message).verified);
  instance_.period_of_authority = ends(before);
  EXPECT_THAT(Verify(message).reason, HasSubstr("outside the period of its authority"));
  instance_.period_of_authority = always;
  instance_.period_of_certificate_log = ends(before);
  EXPECT_THAT(Verify(message).reason, HasSubstr("log is not in the trusted root"));
  instance_.period_of_certificate_log = always;
  instance_.period_of_timestamper = ends("2025-06-15T17:06:45+02:00");
  EXPECT_TRUE(Verify(second).verified) << Verify(second).reason;
  instance_.period_of_timestamper = ends("2025-06-15T15:06:44.9Z");
  EXPECT_THAT(Verify(second).reason, HasSubstr("outside the period of its authority"));
}

// Entries without a promise do not say when the log took them: the timestamp does.
TEST_F(TrustBundle, TheLogsKeyMustBeValidAtTheTimestamp) {
  const BundleParts second = instance_.Message2(kImage);
  BundleParts first = instance_.Message(kImage);
  first.entries[0].promise.clear();
  first.timestamps = {test::MakeTimestamp(instance_.timestamper, first.signature, kSignedAt + 5)};
  const auto period = [&](const char* start, const char* end) {
    instance_.period_of_log = std::string(R"({"start":")") + start + R"(","end":")" + end + "\"}";
  };
  const char* const reason = "the log's key was not valid when the image was signed";
  const std::vector<const BundleParts*> both_versions = {&first, &second};
  for (const BundleParts* const each : both_versions) {
    const BundleParts& parts = *each;
    period("2025-06-15T15:06:45Z", "2025-06-15T15:06:45Z");
    EXPECT_TRUE(Verify(parts).verified) << Verify(parts).reason;
    // The index in a bundle with a proof of Rekor v1 is the word of whoever wrote the bundle.
    EXPECT_EQ(Verify(parts).log_index.has_value(), each != &first);
    period("2020-01-01T00:00:00Z", "2025-06-15T15:06:44Z");
    EXPECT_EQ(Verify(parts).reason, reason);
    period("2025-06-15T15:06:46Z", "2030-01-01T00:00:00Z");
    EXPECT_EQ(Verify(parts).reason, reason);
    BundleParts unproven = parts;
    unproven.timestamps.clear();
    EXPECT_EQ(Verify(unproven).reason, "no log and no timestamp proves when the image was signed");
  }
  // A promise of another entry is as good, wherever it stands.
  BundleParts both = first;
  both.timestamps.clear();
  both.entries.push_back(both.entries[0]);
  both.entries[1].promise = instance_.Promise(both.entries[1]);
  period("2025-06-15T15:06:40Z", "2025-06-15T15:06:40Z");
  EXPECT_TRUE(Verify(both).verified) << Verify(both).reason;
  EXPECT_EQ(Verify(both).signed_at, kSignedAt);
}

TEST_F(TrustBundle, NamesAreShort) {
  auto options = Options();
  options.extensions[2].second = "critical,URI:https://git.test/" + std::string(2048, 'x');
  EXPECT_EQ(Verify(SignedBy(Logged(options))).reason,
            "a name in the certificate is longer than 2,048 bytes");
  options = Options();
  options.extensions[3].second = "ASN1:UTF8String:https://" + std::string(2048, 'x');
  EXPECT_EQ(Verify(SignedBy(Logged(options))).reason,
            "the issuer in the certificate is longer than 2,048 bytes");
}

TEST_F(TrustBundle, ChecksTheCertificate) {
  EXPECT_TRUE(Verify(SignedBy(Logged(Options()))).verified);
  auto options = Options();
  options.to = kSignedAt - 1;
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason, HasSubstr("the certificate was not valid"));
  options = Options();
  options.extensions[0].second = "critical,keyAgreement";
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason, HasSubstr("not for digital signatures"));
  options = Options();
  options.extensions[1].second = "serverAuth";
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason, HasSubstr("not for code signing"));
  options = Options();
  options.extensions.erase(options.extensions.begin() + 1);
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason, HasSubstr("not for code signing"));
  options = Options();
  options.extensions[0].second = "critical,digitalSignature,keyCertSign";
  options.extensions.push_back({"basicConstraints", "critical,CA:TRUE"});
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason,
              HasSubstr("an authority's, not a signer's"));
  options = Options();
  options.extensions.pop_back();
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason, HasSubstr("does not say who vouched"));
  options = Options();
  options.extensions[2].second = "critical,DNS:git.test";
  EXPECT_THAT(Verify(SignedBy(Logged(options))).reason, HasSubstr("does not name the signer"));
  // An authority of the same name with another key.
  const auto impostor = test::MakeCertificate(test::AuthorityOptions("authority"), nullptr);
  EXPECT_THAT(Verify(SignedBy(test::MakeLoggedCertificate(
                         Options(), impostor, instance_.certificate_log_key, TestKey())))
                  .reason,
              HasSubstr("does not lead to the authority"));
  // Where the certificate says which key issued it, that is seen before its signature.
  options = Options();
  options.extensions.push_back({"authorityKeyIdentifier", "keyid"});
  EXPECT_TRUE(Verify(SignedBy(Logged(options))).verified);
  EXPECT_THAT(Verify(SignedBy(test::MakeLoggedCertificate(
                         options, impostor, instance_.certificate_log_key, TestKey())))
                  .reason,
              HasSubstr("not from an authority of the trusted root"));
  const auto stranger = test::MakeCertificate(test::AuthorityOptions("stranger"), nullptr);
  EXPECT_THAT(Verify(SignedBy(test::MakeLoggedCertificate(
                         Options(), stranger, instance_.certificate_log_key, TestKey())))
                  .reason,
              HasSubstr("not from an authority of the trusted root"));
}

TEST_F(TrustBundle, ChecksTheCertificatesLog) {
  EXPECT_THAT(Verify(SignedBy(test::MakeCertificate(Options(), &instance_.authority))).reason,
              HasSubstr("no timestamp of a certificate log"));
  EXPECT_THAT(Verify(SignedBy(test::MakeLoggedCertificate(Options(), instance_.authority, TestKey(),
                                                          TestKey())))
                  .reason,
              HasSubstr("the certificate's log is not in the trusted root"));
  // The log's timestamp of another certificate.
  test::TestCertificate signer = Logged(Options());
  ASN1_TIME_set(X509_getm_notAfter(signer.x509.get()), kSignedAt + 7200);
  X509_sign(signer.x509.get(), instance_.authority.key.get(), EVP_sha256());
  EXPECT_THAT(Verify(SignedBy(signer)).reason,
              HasSubstr("the certificate log's timestamp in the certificate is wrong"));
}

TEST_F(TrustBundle, KnowsEveryFormOfIdentity) {
  struct Case {
    const char* san;
    const char* subject;
  };
  for (const Case& one :
       {Case{"email:Jo@team.test", "Jo@team.test"},
        Case{"URI:https://git.test/x", "https://git.test/x"},
        Case{"otherName:1.3.6.1.4.1.57264.1.7;UTF8:bot!team.test", "bot!team.test"}}) {
    const BundleParts parts = SignedBy(Logged(test::SignerOptions(one.san, Instance::kIssuer)));
    Anchors anchors = instance_.Trusted();
    const Verdict nobody = Verifier(anchors).Verify(parts.ToEvidence(), kImage);
    EXPECT_EQ(nobody.reason, std::string("signed by ") + one.subject + " of " + Instance::kIssuer +
                                 ", which is no trusted identity");
    anchors.identities.push_back({"other", "https://other.test", one.subject});
    EXPECT_FALSE(Verifier(anchors).Verify(parts.ToEvidence(), kImage).verified);
    anchors.identities.push_back({"this", Instance::kIssuer, one.subject});
    const Verdict verdict = Verifier(anchors).Verify(parts.ToEvidence(), kImage);
    EXPECT_TRUE(verdict.verified) << verdict.reason;
    EXPECT_EQ(verdict.signer, "identity:this");
  }
  auto options = Options();  // of older certificates: the issuer without DER
  options.extensions[3] = {"1.3.6.1.4.1.57264.1.1", "DER:" + test::HexOf(Instance::kIssuer)};
  EXPECT_TRUE(Verify(SignedBy(Logged(options))).verified)
      << Verify(SignedBy(Logged(options))).reason;
}

TEST_F(TrustBundle, SubjectsOfIdentitiesArePatterns) {
  const BundleParts parts = instance_.Message(kImage);
  Anchors anchors = instance_.Trusted();
  const auto matches = [&](const char* pattern) {
    anchors.identities[0].subject = pattern;
    return Verifier(anchors).Verify(parts.ToEvidence(), kImage).verified;
  };
  EXPECT_TRUE(matches("https://git.test/team/*/.build.yml@refs/heads/main"));
  EXPECT_TRUE(matches("https://git.test/team/**"));
  EXPECT_TRUE(matches("regex:^https://git\\.test/team/"));
  EXPECT_FALSE(matches("https://git.test/team/*"));
  EXPECT_FALSE(matches("https://git.test/**/.build.yml@refs/tags/*"));
  EXPECT_FALSE(matches("HTTPS://git.test/**"));
}

TEST_F(TrustBundle, AKeySuffices) {
  BundleParts parts = instance_.Message(kImage);
  parts.certificate.clear();
  Anchors anchors;
  EXPECT_THAT(Verifier(anchors).Verify(parts.ToEvidence(), kImage).reason,
              HasSubstr("no key is trusted"));
  const TestKey key;
  anchors.keys.push_back({"other", key.Pem()});
  EXPECT_THAT(Verifier(anchors).Verify(parts.ToEvidence(), kImage).reason,
              HasSubstr("not by a trusted key"));
  anchors.keys.push_back({"plain", TestKey(TestKey::Kind::kEd25519).Pem()});
  EXPECT_THAT(Verifier(anchors).Verify(parts.ToEvidence(), kImage).reason,
              HasSubstr("unless it is by one of Ed25519"));
  BundleParts enveloped = instance_.Enveloped(
      test::StatementOf(kImage, "https://sigstore.dev/cosign/sign/v1"), "dsse 0.0.1");
  enveloped.certificate.clear();
  enveloped.entries.clear();
  enveloped.sig = key.Sign(test::Pae(enveloped.payload_type, enveloped.payload));
  const Verdict verdict = Verifier(anchors).Verify(enveloped.ToEvidence(), kImage);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signer, "key:other");
  EXPECT_EQ(verdict.predicate_type, "") << "a signature, no attestation";
  EXPECT_FALSE(verdict.signed_at.has_value());
  EXPECT_FALSE(Verifier(anchors).Verify(enveloped.ToEvidence(), kOther).verified);
}

// The key of a certificate may be trusted as a key. What a log proves is added then, and what it
// fails to prove takes nothing away.
TEST_F(TrustBundle, AKeyInACertificateSufficesToo) {
  const test::TestCertificate signer = Logged(Options());
  BundleParts parts = SignedBy(signer);
  Anchors anchors;
  anchors.keys.push_back({"known", signer.key.Pem()});
  Verdict verdict = Verifier(anchors).Verify(parts.ToEvidence(), kImage);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_FALSE(verdict.log_index.has_value());
  anchors.trusted_root = instance_.TrustedRoot();
  verdict = Verifier(anchors).Verify(parts.ToEvidence(), kImage);
  EXPECT_EQ(verdict.signer, "key:known");
  EXPECT_EQ(verdict.signed_at, kSignedAt);
  EXPECT_EQ(verdict.log_index, 1004);
  Flip(&parts.entries[0].promise);
  verdict = Verifier(anchors).Verify(parts.ToEvidence(), kImage);
  EXPECT_TRUE(verdict.verified);
  EXPECT_FALSE(verdict.signed_at.has_value());
}

TEST_F(TrustBundle, WithoutARootNothingKeylessVerifies) {
  Anchors anchors = instance_.Trusted();
  anchors.trusted_root.clear();
  EXPECT_THAT(Verifier(anchors).Verify(instance_.Message(kImage).ToEvidence(), kImage).reason,
              HasSubstr("no trusted root is installed"));
}

TEST_F(TrustBundle, IsBoundedAndNeverThrows) {
  const Verifier verifier(instance_.Trusted());
  Evidence evidence{EvidenceFormat::kSigstoreBundle, std::string((1 << 20) + 1, ' '), {}};
  EXPECT_EQ(verifier.Verify(evidence, kImage).reason, "the signature is larger than 1 MiB");
  evidence.document = std::string(1000, '[');
  EXPECT_EQ(verifier.Verify(evidence, kImage).reason, "the bundle is not valid JSON");
  for (const char* document : {"", "null", "[]", "{}", "\"x\"", "{\"mediaType\":7}"}) {
    evidence.document = document;
    EXPECT_FALSE(verifier.Verify(evidence, kImage).verified);
  }
  EXPECT_EQ(verifier.Verify(evidence, "latest").reason, "the subject is not a digest");
}

}  // namespace
}  // namespace image_library::trust
