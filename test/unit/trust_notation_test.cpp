// Signatures of Notation.
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "notation_material.h"
#include "trust/verifier.h"
#include "trust_material.h"

namespace image_library::trust {
namespace {

using test::Jws;
using test::kDay;
using test::kSignedAt;
using test::TestCertificate;
using test::TestKey;
using testing::HasSubstr;

constexpr char kImage[] = "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";

class TrustNotation : public testing::Test {
 protected:
  TrustNotation() {
    anchors_.authorities.push_back({"company", root_.Pem(), "CN=release*"});
    jws_.chain = {signer_, authority_, root_};
  }

  Verdict VerifyJson(const std::string& json, std::int64_t now = kSignedAt) const {
    return Verifier(anchors_).VerifyAt({EvidenceFormat::kNotationJws, json, {}}, kImage, now);
  }
  Verdict Verify(const Jws& jws, std::int64_t now = kSignedAt) const {
    return VerifyJson(jws.Json(), now);
  }

  TestCertificate root_ = test::MakeCertificate(test::AuthorityOptions("root"), nullptr);
  TestCertificate authority_ = test::MakeCertificate(test::AuthorityOptions("middle"), &root_);
  TestCertificate signer_ =
      test::MakeCertificate(test::NotationSignerOptions("release team"), &authority_);
  Anchors anchors_;
  Jws jws_{kImage};
};

TEST_F(TrustNotation, SaysWhoSigned) {
  const Verdict verdict = Verify(jws_);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signer, "authority:company");
  EXPECT_EQ(verdict.issuer, "CN=middle");
  EXPECT_EQ(verdict.subject, "CN=release team");
  EXPECT_FALSE(verdict.signed_at.has_value()) << "the signer's own word proves no time";
  EXPECT_EQ(verdict.reason, "signed by CN=release team of the trusted authority \"company\"");
}

TEST_F(TrustNotation, TakesTheAlgorithmsOfItsKeys) {
  const auto take = [&](const TestKey& key, const std::vector<const char*>& algorithms) {
    jws_.chain[0] = test::MakeCertificate(test::NotationSignerOptions("release"), &authority_, key);
    for (const char* algorithm : algorithms) {
      jws_.algorithm = algorithm;
      EXPECT_TRUE(Verify(jws_).verified) << algorithm << ": " << Verify(jws_).reason;
    }
  };
  take(TestKey(TestKey::Kind::kP384), {"ES384"});
  take(TestKey(TestKey::Kind::kP521), {"ES512"});
  take(TestKey(TestKey::Kind::kRsa2048), {"PS256", "PS384", "PS512"});
  jws_.chain[0] = signer_;
  jws_.algorithm = "ES384";
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("does not fit the certificate's key"));
  jws_.algorithm = "HS256";
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("not one of Notation's"));
}

TEST_F(TrustNotation, EachChangeHasItsReason) {
  const auto reason = [&](const std::function<void(Jws&)>& change) {
    Jws jws = jws_;
    change(jws);
    const Verdict verdict = Verify(jws);
    EXPECT_FALSE(verdict.verified);
    return verdict.reason;
  };
  EXPECT_THAT(reason([](Jws& j) { j.damaged = true; }), HasSubstr("not by the key"));
  EXPECT_THAT(reason([](Jws& j) { j.payload[50] ^= 1; }), HasSubstr("for another image"));
  EXPECT_THAT(reason([](Jws& j) { j.payload = "{}"; }), HasSubstr("names no image"));
  EXPECT_THAT(reason([](Jws& j) { j.type = "text/plain"; }), HasSubstr("not of Notation's type"));
  EXPECT_THAT(reason([](Jws& j) { j.scheme = "x"; }), HasSubstr("signing scheme is not known"));
  EXPECT_THAT(reason([](Jws& j) { j.critical = ""; }), HasSubstr("not a critical header"));
  EXPECT_THAT(reason([](Jws& j) { j.critical += R"(,"new")"; }),
              HasSubstr("unknown critical header: new"));
  EXPECT_THAT(reason([](Jws& j) { j.critical += R"(,"io.cncf.notary.verificationPlugin")"; }),
              HasSubstr("needs a plugin"));
  EXPECT_THAT(reason([](Jws& j) { j.chain.resize(11, j.chain[2]); }),
              HasSubstr("more than 10 certificates"));
  EXPECT_THAT(reason([](Jws& j) { j.chain.erase(j.chain.begin() + 1); }),
              HasSubstr("does not lead to the authority"));
  EXPECT_THAT(VerifyJson("{}").reason, HasSubstr("the signed payload is missing"));
}

TEST_F(TrustNotation, HeadersAreReadAsTheyAreSigned) {
  const auto reason = [&](const std::string& critical, const std::string& more) {
    Jws jws = jws_;
    jws.critical += critical;
    jws.more = more;
    return Verify(jws).reason;
  };
  EXPECT_EQ(reason(",7", ""), "the list of critical headers has something else than names");
  EXPECT_EQ(reason(R"(,"io.cncf.notary.expiry")", ""),
            "the critical header io.cncf.notary.expiry is missing");
  // Of whatever type it is, it is an expiry.
  for (const char* value : {"1.5", "null", "99999999999999999999", "{}", "\"\""})
    EXPECT_EQ(
        reason(R"(,"io.cncf.notary.expiry")", std::string(R"(,"io.cncf.notary.expiry":)") + value),
        "the header io.cncf.notary.expiry is not a time")
        << value;
}

// Anybody can push a signature, and its reasons are read by people who approve images.
TEST_F(TrustNotation, AReasonIsOneLine) {
  jws_.critical += R"(,"x\nsimple signing: signed by release\u202e")";
  EXPECT_EQ(Verify(jws_).reason,
            "the signature has an unknown critical header: x\uFFFDsimple signing: signed by "
            "release\uFFFD");
}

TEST_F(TrustNotation, NoValueOfANameLooksLikeSeveral) {
  anchors_.authorities[0].subject = "CN=*,O=Company";
  auto options = test::NotationSignerOptions("x");
  options.name = "x,O=Company";
  jws_.chain[0] = test::MakeCertificate(options, &authority_);
  EXPECT_EQ(Verify(jws_).reason,
            "signed by CN=x\\2CO=Company, which the authority is not trusted for");
  anchors_.authorities[0].subject = "CN=x\\\\2CO=Company";
  EXPECT_TRUE(Verify(jws_).verified) << Verify(jws_).reason;
  options.name = "a+b \\ c";
  jws_.chain[0] = test::MakeCertificate(options, &authority_);
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("CN=a\\2Bb \\\\ c,"));
}

TEST_F(TrustNotation, TheCertificateIsForNothingElse) {
  const auto reason = [&](const std::string& key_usage, const std::string& extended) {
    auto options = test::NotationSignerOptions("release");
    options.extensions.clear();
    if (!key_usage.empty()) options.extensions.push_back({"keyUsage", key_usage});
    if (!extended.empty()) options.extensions.push_back({"extendedKeyUsage", extended});
    jws_.chain[0] = test::MakeCertificate(options, &authority_);
    return Verify(jws_).reason;
  };
  EXPECT_THAT(reason("critical,digitalSignature", ""), HasSubstr("signed by"));
  EXPECT_THAT(reason("critical,digitalSignature,nonRepudiation", ""), HasSubstr("signed by"));
  EXPECT_EQ(reason("", "codeSigning"), "the certificate has no critical key usage");
  EXPECT_EQ(reason("digitalSignature", ""), "the certificate has no critical key usage");
  EXPECT_EQ(reason("critical,digitalSignature,keyEncipherment", ""),
            "the certificate is for more than digital signatures");
  EXPECT_EQ(reason("critical,digitalSignature", "codeSigning,serverAuth"),
            "the certificate is for more than code signing");
  EXPECT_EQ(reason("critical,digitalSignature", "codeSigning,anyExtendedKeyUsage"),
            "the certificate is for more than code signing");
}

TEST_F(TrustNotation, Expires) {
  jws_.AddTime("io.cncf.notary.expiry", "2025-06-15T15:06:40Z");
  EXPECT_TRUE(Verify(jws_, kSignedAt - 1).verified) << Verify(jws_, kSignedAt - 1).reason;
  EXPECT_EQ(Verify(jws_, kSignedAt - 1).valid_until, kSignedAt);
  EXPECT_EQ(Verify(jws_).reason, "the signature expired at 2025-06-15 15:06:40 UTC");
  EXPECT_FALSE(Verify(jws_).valid_until.has_value());
  jws_.critical = R"("io.cncf.notary.signingScheme")";
  EXPECT_EQ(Verify(jws_).reason, "the expiry is not a critical header");
  jws_.more = R"(,"io.cncf.notary.expiry":7)";
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("is not a time"));
}

TEST_F(TrustNotation, TheCertificateMustBeValidNow) {
  EXPECT_THAT(Verify(jws_, kSignedAt + 366 * kDay).reason,
              HasSubstr("was not valid at 2026-06-16"));
  EXPECT_THAT(Verify(jws_, kSignedAt - 366 * kDay).reason,
              HasSubstr("was not valid at 2024-06-14"));
  jws_.more = R"(,"io.cncf.notary.signingTime":"2025-06-15T15:06:40Z")";
  EXPECT_FALSE(Verify(jws_, kSignedAt + 366 * kDay).verified) << "the signer's own word";
}

// What is said of it agrees with what is found then.
TEST_F(TrustNotation, SaysWhenItsCertificateEnds) {
  const std::int64_t end = kSignedAt + 365 * kDay;
  EXPECT_EQ(Verify(jws_).valid_until, end);
  EXPECT_TRUE(Verify(jws_, end - 1).verified);
  EXPECT_FALSE(Verify(jws_, end).verified);
  // The first of a chain to end decides, also of the authority.
  auto options = test::AuthorityOptions("brief");
  options.to = kSignedAt + kDay;
  const TestCertificate brief = test::MakeCertificate(options, nullptr);
  anchors_.authorities.push_back({"brief", brief.Pem(), "**"});
  jws_.chain = {test::MakeCertificate(test::NotationSignerOptions("release"), &brief), brief};
  EXPECT_EQ(Verify(jws_).valid_until, kSignedAt + kDay) << Verify(jws_).reason;
  EXPECT_TRUE(Verify(jws_, kSignedAt + kDay - 1).verified);
  EXPECT_FALSE(Verify(jws_, kSignedAt + kDay).verified);
  // Or the expiry, if it is before.
  jws_.AddTime("io.cncf.notary.expiry", "2025-06-15T15:06:41Z");
  EXPECT_EQ(Verify(jws_).valid_until, kSignedAt + 1);
}

TEST_F(TrustNotation, OrWhenATimestampWasMade) {
  const test::Instance instance;
  const auto stamp = [&](const std::string& signature) {
    return test::MakeTimestamp(instance.timestamper, signature, kSignedAt + 3);
  };
  const std::int64_t later = kSignedAt + 3000 * kDay;
  EXPECT_FALSE(VerifyJson(jws_.Json(stamp), later).verified) << "its authority is not trusted";
  anchors_.trusted_root = instance.TrustedRoot();
  const Verdict verdict = VerifyJson(jws_.Json(stamp), later);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signed_at, kSignedAt + 3);
  EXPECT_FALSE(verdict.valid_until.has_value()) << "it outlives its certificate";
  const auto other = [&](const std::string&) { return stamp("other"); };
  EXPECT_FALSE(VerifyJson(jws_.Json(other), later).verified);
}

TEST_F(TrustNotation, OrWhenASigningAuthoritySays) {
  jws_.scheme = "notary.x509.signingAuthority";
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("does not say when it signed"));
  jws_.AddTime("io.cncf.notary.authenticSigningTime", "2025-06-15T15:06:41Z");
  const std::int64_t later = kSignedAt + 3000 * kDay;
  EXPECT_THAT(Verify(jws_, later).reason, HasSubstr("not trusted to say when it signed"));
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("not trusted to say when it signed"));
  anchors_.authorities[0].signing_authority = true;
  const Verdict verdict = Verify(jws_, later);
  EXPECT_TRUE(verdict.verified) << verdict.reason;
  EXPECT_EQ(verdict.signed_at, kSignedAt + 1);
  EXPECT_FALSE(verdict.valid_until.has_value());
  jws_.scheme = "notary.x509";
  EXPECT_THAT(Verify(jws_, later).reason, HasSubstr("not of this signing scheme"));
}

TEST_F(TrustNotation, ChecksWhoAndWhatTheCertificateIsFor) {
  anchors_.authorities[0].subject = "CN=somebody";
  EXPECT_EQ(Verify(jws_).reason,
            "signed by CN=release team, which the authority is not trusted for");
  anchors_.authorities[0].subject = "**";
  EXPECT_TRUE(Verify(jws_).verified);
  anchors_.authorities.clear();
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("no authority is trusted"));
  const auto other = test::MakeCertificate(test::AuthorityOptions("other"), nullptr);
  anchors_.authorities.push_back({"other", other.Pem(), "**"});
  EXPECT_EQ(Verify(jws_).reason, "the certificate is not from a trusted authority");
  const auto namesake = test::MakeCertificate(test::AuthorityOptions("root"), nullptr);
  anchors_.authorities.push_back({"namesake", namesake.Pem(), "**"});
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("does not lead to the authority"));
  anchors_.authorities.push_back({"several", other.Pem() + root_.Pem(), "**"});
  EXPECT_EQ(Verify(jws_).signer, "authority:several");
  auto options = test::NotationSignerOptions("release");
  options.extensions[1].second = "serverAuth";
  jws_.chain[0] = test::MakeCertificate(options, &authority_);
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("not for code signing"));
  options.extensions.pop_back();
  jws_.chain[0] = test::MakeCertificate(options, &authority_);
  EXPECT_TRUE(Verify(jws_).verified) << "no extended key usage is any";
}

TEST_F(TrustNotation, AnIntermediateForOtherUsesDoesNotCount) {
  auto options = test::AuthorityOptions("servers");
  options.extensions.push_back({"extendedKeyUsage", "serverAuth"});
  const auto servers = test::MakeCertificate(options, &root_);
  jws_.chain = {test::MakeCertificate(test::NotationSignerOptions("release"), &servers), servers,
                root_};
  EXPECT_THAT(Verify(jws_).reason, HasSubstr("is for other uses"));
}

// As `notation cert generate-test` makes one.
TEST_F(TrustNotation, ASelfSignedCertificateMayBeTrusted) {
  jws_.chain = {test::MakeCertificate(test::NotationSignerOptions("alone"), nullptr)};
  EXPECT_EQ(Verify(jws_).reason, "the certificate is not from a trusted authority");
  anchors_.authorities.push_back({"alone", jws_.chain[0].Pem(), "**"});
  EXPECT_EQ(Verify(jws_).signer, "authority:alone") << Verify(jws_).reason;
}

}  // namespace
}  // namespace image_library::trust
