// Signatures themselves: which layers are read, once, and within which limits.
#include "sync/evidence_reader.h"

#include "core/rule.h"
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kSimpleSigning[] = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr char kBundle[] = "application/vnd.dev.sigstore.bundle.v0.3+json";

std::string Layer(const std::string& type, const std::string& digest, std::int64_t size,
                  const std::string& annotations = "{}") {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":)" +
         std::to_string(size) + R"(,"annotations":)" + annotations + "}";
}

std::string ManifestOf(const std::string& layers, const std::string& more = "") {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
         R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
         Sha256Digest("{}") + R"(","size":2},"layers":[)" + layers + "]" + more + "}";
}

class EvidenceReaderTest : public EngineTest {
 protected:
  EvidenceReaderTest() {
    registry_.Tag("team/app", "1", "a");
    subject_ = registry_.DigestOf("team/app", "1");
    config_.reads_evidence = true;
  }
  // A layer whose blob the registry has.
  std::string Stored(const std::string& content, const std::string& type = kSimpleSigning,
                     const std::string& annotations = "{}") {
    registry_.Blob(content);
    return Layer(type, Sha256Digest(content), static_cast<std::int64_t>(content.size()),
                 annotations);
  }
  void Sign(const std::string& manifest, const std::string& suffix = ".sig") {
    registry_.Raw("team/app", FallbackTag(subject_) + suffix, manifest);
  }
  std::size_t Asked(const std::string& part) {
    std::size_t asked = 0;
    for (const std::string& line : transport_.TakeLog())
      if (line.find(part) != std::string::npos) ++asked;
    return asked;
  }
  const FoundEvidence& Found(std::size_t at) const { return store_.evidence.at(at).second; }

  std::string subject_;
};

TEST_F(EvidenceReaderTest, ASignatureInATagOfCosignIsReadWithItsAnnotations) {
  Sign(ManifestOf(Stored("payload", kSimpleSigning,
                         R"({"dev.cosignproject.cosign/signature":"c2ln","other":"x"})")));
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(1));
  EXPECT_EQ(store_.evidence[0].first, "team/app");
  EXPECT_EQ(Found(0).subject, subject_);
  EXPECT_EQ(Found(0).format, "simple signing");
  EXPECT_EQ(Found(0).document, "payload");
  EXPECT_EQ(Found(0).annotations, (StringMap{{"dev.cosignproject.cosign/signature", "c2ln"}}));
  ASSERT_THAT(store_.referrers, SizeIs(1));
  EXPECT_EQ(Found(0).referrer, store_.referrers[0].digest);
}

TEST_F(EvidenceReaderTest, WithoutTrustNothingButTheListIsRead) {
  config_.reads_evidence = false;
  Sign(ManifestOf(Stored("payload")));
  Sync();
  EXPECT_THAT(store_.referrers, SizeIs(1));
  EXPECT_THAT(store_.evidence, IsEmpty());
  EXPECT_EQ(store_.evidence_looks, 0);
}

TEST_F(EvidenceReaderTest, AnImageWithoutSignaturesCostsNoQuestion) {
  Sync();
  EXPECT_EQ(store_.evidence_looks, 0);
}

// cosign signs equal texts with several keys: one layer in several places.
TEST_F(EvidenceReaderTest, ALayerIsFetchedOnceWhicheverPlacesHaveIt) {
  const std::string layer =
      Stored("payload", kSimpleSigning, R"({"dev.cosignproject.cosign/signature":"first"})");
  Sign(ManifestOf(
      layer + "," +
      Stored("payload", kSimpleSigning, R"({"dev.cosignproject.cosign/signature":"second"})")));
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(2));
  EXPECT_EQ(Found(0).annotations.at("dev.cosignproject.cosign/signature"), "first");
  EXPECT_EQ(Found(1).annotations.at("dev.cosignproject.cosign/signature"), "second");
  EXPECT_TRUE(Found(0).document.has_value());
  EXPECT_FALSE(Found(1).document.has_value());
  EXPECT_THAT(Found(1).unread, IsEmpty());
  EXPECT_EQ(Found(1).place, 1);
  EXPECT_EQ(Asked("/blobs/" + Sha256Digest("payload")), 1u);
  // Another signature comes into the tag: only its layer is asked for.
  Sign(ManifestOf(layer + "," + Stored("second")));
  store_.due = {{"team/app", subject_, {FallbackTag(subject_) + ".sig"}, {}}};
  Sync();
  EXPECT_THAT(store_.evidence, SizeIs(4));
  std::size_t first = 0, second = 0;
  for (const std::string& line : transport_.TakeLog()) {
    first += line.find("/blobs/" + Sha256Digest("payload")) != std::string::npos;
    second += line.find("/blobs/" + Sha256Digest("second")) != std::string::npos;
  }
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(second, 1u);
  // And nothing once all is known.
  Sync();
  EXPECT_EQ(Asked("/blobs/"), 0u);
}

TEST_F(EvidenceReaderTest, ABundleIsReadFromTheReferrersApi) {
  const std::string manifest =
      ManifestOf(Stored("bundle", kBundle), R"(,"subject":{"digest":")" + subject_ + R"("})");
  registry_.Store(Sha256Digest(manifest), manifest);
  registry_.Serve(
      "/referrers/",
      Answer(
          200,
          R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
              Sha256Digest(manifest) + R"(","size":9,"artifactType":")" + kBundle +
              R"("},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
              Sha256Digest("sbom") + R"(","size":9,"artifactType":"application/spdx+json"}]})",
          {{"content-type", "application/vnd.oci.image.index.v1+json"}}));
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(1));
  EXPECT_EQ(Found(0).format, "sigstore bundle");
  EXPECT_EQ(Found(0).document, "bundle");
  EXPECT_EQ(Asked("/manifests/" + Sha256Digest("sbom")), 0u);
}

TEST_F(EvidenceReaderTest, LayersOfImagesAreNeverRead) {
  Sign(ManifestOf(Layer("application/vnd.oci.image.layer.v1.tar+gzip", Sha256Digest("x"), 9)));
  Sync();
  EXPECT_THAT(store_.evidence, IsEmpty());
  EXPECT_EQ(Asked("/blobs/" + Sha256Digest("x")), 0u);
}

// ---- what a hostile registry may do

TEST_F(EvidenceReaderTest, ALayerThatIsSaidToBeHugeIsNotAskedFor) {
  Sign(ManifestOf(Layer(kSimpleSigning, Sha256Digest("huge"), std::int64_t{1} << 30)));
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(1));
  EXPECT_FALSE(Found(0).document.has_value());
  EXPECT_FALSE(Found(0).retry);
  EXPECT_THAT(Found(0).unread, HasSubstr("more than 1048576 bytes"));
  EXPECT_EQ(Asked("/blobs/" + Sha256Digest("huge")), 0u);
}

TEST_F(EvidenceReaderTest, ALayerWithAnotherDigestIsNoEvidence) {
  Sign(ManifestOf(Layer(kSimpleSigning, Sha256Digest("asked"), 5)));
  registry_.Serve("/blobs/" + Sha256Digest("asked"), Answer(200, "other"));
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(1));
  EXPECT_FALSE(Found(0).document.has_value());
  EXPECT_TRUE(Found(0).retry);
  EXPECT_THAT(Found(0).unread, HasSubstr("another digest"));
  EXPECT_THAT(store_.referrers, SizeIs(1));
}

TEST_F(EvidenceReaderTest, OfAThousandSignaturesAFewAreRead) {
  std::string layers;
  for (int i = 0; i < 1000; ++i)
    layers += (i == 0 ? "" : ",") + Stored("payload " + std::to_string(i));
  Sign(ManifestOf(layers));
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(limit::kEvidenceLayers + 1));
  EXPECT_THAT(store_.evidence.back().second.unread, HasSubstr("more than 20 signatures"));
  EXPECT_LE(Asked("/blobs/"), limit::kEvidenceLayers + 1);  // and the config of the image
  // They are not asked for again.
  store_.due = {{"team/app", subject_, {FallbackTag(subject_) + ".sig"}, {}}};
  Sync();
  EXPECT_EQ(Asked("/blobs/"), 0u);
}

TEST_F(EvidenceReaderTest, OfAThousandManifestsAFewAreRead) {
  std::string descriptors;
  for (int i = 0; i < 1000; ++i) {
    const std::string manifest = ManifestOf(Stored("bundle " + std::to_string(i), kBundle));
    registry_.Store(Sha256Digest(manifest), manifest);
    descriptors += (i == 0 ? "" : ",") +
                   (R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
                    Sha256Digest(manifest)) +
                   R"(","size":9,"artifactType":")" + kBundle + R"("})";
  }
  registry_.Serve("/referrers/",
                  Answer(200, R"({"schemaVersion":2,"manifests":[)" + descriptors + "]}",
                         {{"content-type", "application/vnd.oci.image.index.v1+json"}}));
  Sync();
  EXPECT_THAT(store_.evidence, SizeIs(limit::kEvidenceManifests));
}

TEST_F(EvidenceReaderTest, TheBytesOfAnImagesSignaturesAreBounded) {
  std::string layers;
  for (int i = 0; i < 12; ++i)
    layers += (i == 0 ? "" : ",") + Stored(std::string(1 << 20, static_cast<char>('a' + i)));
  Sign(ManifestOf(layers));
  Sync();
  std::size_t bytes = 0;
  for (const auto& [where, found] : store_.evidence)
    if (found.document) bytes += found.document->size();
  EXPECT_EQ(bytes, static_cast<std::size_t>(limit::kEvidenceTotal));
  EXPECT_THAT(store_.evidence.back().second.unread, HasSubstr("is not read"));
}

TEST_F(EvidenceReaderTest, ARegistryInTroubleIsAskedAgainLater) {
  const std::string layer = Stored("payload");
  Sign(ManifestOf(layer));
  registry_.Fail("/blobs/" + Sha256Digest("payload"), 404);
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(1));
  EXPECT_TRUE(Found(0).retry);
  registry_.Heal();
  store_.due = {{"team/app", subject_, {FallbackTag(subject_) + ".sig"}, {}}};
  Sync();
  ASSERT_THAT(store_.evidence, SizeIs(1));
  EXPECT_EQ(Found(0).document, "payload");
}

}  // namespace
}  // namespace image_library::sync
