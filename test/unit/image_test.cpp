#include "core/image.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assemble_image.h"

namespace image_library {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string DigestOf(char digit) { return "sha256:" + std::string(64, digit); }

Descriptor Part(std::string media_type, std::int64_t size, char digit = 'c') {
  Descriptor descriptor;
  descriptor.media_type = std::move(media_type);
  descriptor.digest = DigestOf(digit);
  descriptor.size = size;
  return descriptor;
}

/// A platform of one layer whose digest, config digest and label `name` follow from digit.
FetchedPlatform Fetched(char digit, std::optional<Platform> platform, std::int64_t layer_size,
                        std::string layer_type = "layer") {
  FetchedPlatform fetched;
  fetched.digest = DigestOf(digit);
  fetched.platform = platform;
  fetched.manifest.media_type = media_type::kOciManifest;
  fetched.manifest.config = Part(std::string(media_type::kOciConfig), 10, digit);
  fetched.manifest.layers = {Part(std::move(layer_type), layer_size)};
  fetched.manifest.annotations = {{"child", std::string(1, digit)}};
  fetched.config = ImageConfig{};
  fetched.config->created = "2025-01-0" + std::string(1, digit) + " 00:00:00+00";
  fetched.config->labels = {{"name", std::string(1, digit)}};
  return fetched;
}

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", "v8"};
const Platform kWindows{"windows", "amd64", ""};
const Platform kUnknown{"unknown", "unknown", ""};

Manifest Index() {
  Manifest index;
  index.is_index = true;
  index.media_type = media_type::kOciIndex;
  return index;
}

TEST(ImageTest, AssemblesAnIndex) {
  Manifest index = Index();
  index.annotations = {{"child", "index"}, {"own", "x"}};
  const Image image = AssembleImage(DigestOf('f'), index,
                                    {Fetched('1', kArm64, 100, "b"), Fetched('2', kAmd64, 200, "a"),
                                     Fetched('3', kWindows, 300, "a")});
  EXPECT_EQ(image.digest, DigestOf('f'));
  EXPECT_EQ(image.media_type, media_type::kOciIndex);
  // linux/amd64 stands for the image, wherever it comes in the index.
  EXPECT_EQ(image.config_type, media_type::kOciConfig);
  EXPECT_EQ(image.config_digest, DigestOf('2'));
  EXPECT_EQ(image.size_bytes, 210);
  EXPECT_EQ(image.created, "2025-01-02 00:00:00+00");
  EXPECT_THAT(image.labels, ElementsAre(Pair("name", "2")));
  EXPECT_THAT(image.annotations, ElementsAre(Pair("child", "index"), Pair("own", "x")));
  EXPECT_THAT(image.layer_types, ElementsAre("a", "b"));
  EXPECT_THAT(image.referrers, IsEmpty());
  ASSERT_EQ(image.platforms.size(), 3u);
  EXPECT_EQ(image.platforms[0].platform, kArm64);
  EXPECT_EQ(image.platforms[0].manifest_digest, DigestOf('1'));
  EXPECT_EQ(image.platforms[0].config_digest, DigestOf('1'));
  EXPECT_EQ(image.platforms[0].size_bytes, 110);
  EXPECT_EQ(image.platforms[0].created, "2025-01-01 00:00:00+00");
  EXPECT_EQ(image.platforms[2].platform, kWindows);
  EXPECT_EQ(image.platforms[2].size_bytes, 310);
}

TEST(ImageTest, AnnotationsOfTheIndexBeforeTheChildsBeforeItsDescriptors) {
  Manifest index = Index();
  index.annotations = {{"child", "index"}};
  for (const char digit : {'1', '2'}) {
    Descriptor listed = Part(std::string(media_type::kOciManifest), 10, digit);
    listed.annotations = {{"child", "listed"}, {"base", std::string(1, digit)}};
    index.manifests.push_back(listed);
  }
  const Image image =
      AssembleImage(DigestOf('f'), index, {Fetched('1', kArm64, 100), Fetched('2', kAmd64, 200)});
  EXPECT_THAT(image.annotations, ElementsAre(Pair("base", "2"), Pair("child", "index")));
}

TEST(ImageTest, WithoutLinuxAmd64TheFirstThatRunsStands) {
  const Image image = AssembleImage(
      DigestOf('f'), Index(),
      {Fetched('1', kUnknown, 100), Fetched('2', kWindows, 200), Fetched('3', kArm64, 300)});
  EXPECT_EQ(image.config_digest, DigestOf('2'));
  EXPECT_EQ(image.size_bytes, 210);
  ASSERT_EQ(image.platforms.size(), 2u);
  EXPECT_EQ(image.platforms[0].platform, kWindows);
  EXPECT_EQ(image.platforms[1].platform, kArm64);
}

TEST(ImageTest, AssemblesASingleImage) {
  FetchedPlatform fetched = Fetched('1', std::nullopt, 100);
  fetched.config->platform = kArm64;
  const Image image = AssembleImage(fetched.digest, fetched.manifest, {fetched});
  EXPECT_EQ(image.media_type, media_type::kOciManifest);
  EXPECT_EQ(image.size_bytes, 110);
  EXPECT_THAT(image.annotations, ElementsAre(Pair("child", "1")));
  ASSERT_EQ(image.platforms.size(), 1u);
  EXPECT_EQ(image.platforms[0].platform, kArm64);
  EXPECT_EQ(image.platforms[0].manifest_digest, image.digest);
}

TEST(ImageTest, TheIndexNamesThePlatformBeforeTheConfig) {
  FetchedPlatform fetched = Fetched('1', kArm64, 100);
  fetched.config->platform = kWindows;
  const Image image = AssembleImage(DigestOf('f'), Index(), {fetched});
  ASSERT_EQ(image.platforms.size(), 1u);
  EXPECT_EQ(image.platforms[0].platform, kArm64);
}

TEST(ImageTest, APlatformThatNamesNothingIsTheConfigs) {
  FetchedPlatform fetched = Fetched('1', Platform(), 100);
  fetched.config->platform = kArm64;
  const Image image = AssembleImage(DigestOf('f'), Index(), {fetched});
  ASSERT_EQ(image.platforms.size(), 1u);
  EXPECT_EQ(image.platforms[0].platform, kArm64);
}

TEST(ImageTest, VariantsAreDifferentPlatforms) {
  const Image image =
      AssembleImage(DigestOf('f'), Index(),
                    {Fetched('1', Platform{"linux", "arm", "v6"}, 100),
                     Fetched('2', Platform{"linux", "arm", "v7"}, 200), Fetched('3', kArm64, 300)});
  ASSERT_EQ(image.platforms.size(), 3u);
  EXPECT_EQ(image.platforms[0].platform.ToString(), "linux/arm/v6");
  EXPECT_EQ(image.platforms[1].platform.ToString(), "linux/arm/v7");
  EXPECT_EQ(image.platforms[2].platform.ToString(), "linux/arm64/v8");
  EXPECT_EQ(image.size_bytes, 110);
}

TEST(ImageTest, AnArtifactHasNoPlatform) {
  FetchedPlatform model;
  model.digest = DigestOf('1');
  model.manifest.media_type = media_type::kOciManifest;
  model.manifest.artifact_type = "application/vnd.cnai.model.manifest.v1+json";
  model.manifest.config = Part("application/vnd.cnai.model.config.v1+json", 5, '2');
  model.manifest.layers = {Part("weights", 1000), Part("", 1)};
  const Image image = AssembleImage(model.digest, model.manifest, {model});
  EXPECT_EQ(image.artifact_type, "application/vnd.cnai.model.manifest.v1+json");
  EXPECT_EQ(image.config_type, "application/vnd.cnai.model.config.v1+json");
  EXPECT_EQ(image.config_digest, DigestOf('2'));
  EXPECT_EQ(image.size_bytes, 1006);
  EXPECT_THAT(image.layer_types, ElementsAre("weights"));
  EXPECT_THAT(image.platforms, IsEmpty());
  EXPECT_EQ(image.created, "");
}

TEST(ImageTest, AnEmptyIndexIsAnImageOfNothing) {
  const Image image = AssembleImage(DigestOf('f'), Index(), {});
  EXPECT_EQ(image.size_bytes, 0);
  EXPECT_THAT(image.platforms, IsEmpty());
  EXPECT_THAT(image.layer_types, IsEmpty());
}

TEST(ImageTest, AMissingChildIsKnownByItsDescriptor) {
  FetchedPlatform missing;
  missing.digest = DigestOf('1');
  missing.platform = kArm64;
  const Image image = AssembleImage(DigestOf('f'), Index(), {missing, Fetched('2', kAmd64, 200)});
  ASSERT_EQ(image.platforms.size(), 2u);
  EXPECT_EQ(image.platforms[0].manifest_digest, DigestOf('1'));
  EXPECT_EQ(image.platforms[0].config_digest, "");
  EXPECT_EQ(image.platforms[0].size_bytes, 0);
  EXPECT_EQ(image.size_bytes, 210);
}

TEST(ImageTest, AttestationsAreReferrersOfTheImage) {
  Manifest index = Index();
  Descriptor attestation = Part("m", 7, '8');
  attestation.annotations = {{"vnd.docker.reference.type", "attestation-manifest"},
                             {"vnd.docker.reference.digest", DigestOf('1')}};
  Descriptor typed = Part("m", 9, '9');
  typed.platform = kUnknown;
  typed.artifact_type = "application/spdx+json";
  Descriptor platform = Part("m", 5, '1');
  platform.platform = kAmd64;
  index.manifests = {platform, attestation, typed};
  const Image image = AssembleImage(DigestOf('f'), index, {Fetched('1', kAmd64, 100)});
  EXPECT_EQ(image.platforms.size(), 1u);
  ASSERT_EQ(image.referrers.size(), 2u);
  EXPECT_EQ(image.referrers[0].subject, DigestOf('f'));
  EXPECT_EQ(image.referrers[0].digest, DigestOf('8'));
  EXPECT_EQ(image.referrers[0].artifact_type, "application/vnd.in-toto+json");
  EXPECT_EQ(image.referrers[0].size_bytes, 7);
  EXPECT_EQ(image.referrers[0].source, "index");
  // Which platform is attested stays readable.
  EXPECT_EQ(image.referrers[0].annotations.at("vnd.docker.reference.digest"), DigestOf('1'));
  EXPECT_EQ(image.referrers[1].artifact_type, "application/spdx+json");
}

TEST(ImageTest, CreatedComesFromTheAnnotationWhenThatIsATime) {
  const char kKey[] = "org.opencontainers.image.created";
  const struct {
    const char* annotation;
    const char* created;
  } cases[] = {
      {"2026-05-06T07:08:09Z", "2026-05-06 07:08:09+00"},
      {"2026-05-06T07:08:09+02:00", "2026-05-06 05:08:09+00"},
      {"1970-01-01T00:00:00Z", "2025-01-01 00:00:00+00"},
      {"2024-02-30T00:00:00Z", "2025-01-01 00:00:00+00"},
      {"yesterday", "2025-01-01 00:00:00+00"},
  };
  for (const auto& c : cases) {
    Manifest index = Index();
    index.annotations = {{kKey, c.annotation}};
    EXPECT_EQ(AssembleImage(DigestOf('f'), index, {Fetched('1', kAmd64, 1)}).created, c.created);
  }
  FetchedPlatform child = Fetched('1', kAmd64, 1);
  child.manifest.annotations[kKey] = "2026-05-06T07:08:09Z";
  EXPECT_EQ(AssembleImage(DigestOf('f'), Index(), {child}).created, "2026-05-06 07:08:09+00");
}

TEST(ImageTest, SizesThatOverflowStopAtTheLargest) {
  FetchedPlatform fetched = Fetched('1', kAmd64, INT64_MAX);
  fetched.manifest.layers.push_back(Part("layer", INT64_MAX));
  const Image image = AssembleImage(fetched.digest, fetched.manifest, {fetched});
  EXPECT_EQ(image.size_bytes, INT64_MAX);
  EXPECT_EQ(image.platforms[0].size_bytes, INT64_MAX);
}

TEST(ImageTest, ScrubsAndCapsText) {
  FetchedPlatform fetched = Fetched('1', kAmd64, 1);
  fetched.manifest.annotations = {{"key\x1b", "value\r"},
                                  {std::string(300, 'k'), std::string(70000, 'v')}};
  for (int i = 0; i < 1500; ++i) fetched.config->labels["label" + std::to_string(i)] = "x";
  const Image image = AssembleImage(fetched.digest, fetched.manifest, {fetched});
  EXPECT_EQ(image.annotations.at("key\xef\xbf\xbd"), "value\xef\xbf\xbd");
  EXPECT_EQ(image.annotations.at(std::string(256, 'k')).size(), 65536u);
  EXPECT_EQ(image.labels.size(), 1000u);
  EXPECT_TRUE(image.cut);
  EXPECT_FALSE(AssembleImage(DigestOf('f'), Index(), {Fetched('1', kAmd64, 1)}).cut);
}

// A few of the largest annotations, and a great many layer types and attestations.
TEST(ImageTest, WhatAnImageKeepsIsBounded) {
  FetchedPlatform fetched = Fetched('1', kAmd64, 1);
  for (char key = 'a'; key < 'k'; ++key)
    fetched.manifest.annotations[std::string(1, key)] = std::string(65536, key);
  const Image image = AssembleImage(fetched.digest, fetched.manifest, {fetched});
  EXPECT_EQ(image.annotations.size(), 8u);  // seven of them, and its own
  EXPECT_TRUE(image.cut);

  FetchedPlatform layers = Fetched('1', kAmd64, 1);
  for (int i = 0; i < 300; ++i) layers.manifest.layers.push_back(Part(std::to_string(i), 1));
  EXPECT_EQ(AssembleImage(DigestOf('f'), Index(), {layers}).layer_types.size(), 100u);

  ImageParts parts;
  Descriptor attestation = Part(std::string(media_type::kOciManifest), 1);
  attestation.annotations = {{"a", std::string(60000, 'x')}};
  for (int i = 0; i < 3000; ++i) parts.AddAttestation(attestation);
  const Image attested = std::move(parts).Assemble(DigestOf('f'), Index());
  EXPECT_EQ(attested.referrers.size(), 1000u);
  EXPECT_EQ(attested.referrers[7].annotations.size(), 1u);
  EXPECT_EQ(attested.referrers[8].annotations.size(), 0u);
  EXPECT_TRUE(attested.cut);
}

}  // namespace
}  // namespace image_library
