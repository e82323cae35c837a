#include "core/manifest.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/digest.h"
#include "core/error.h"

namespace image_library {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const std::string kDigestA = "sha256:" + std::string(64, 'a');
const std::string kDigestB = "sha256:" + std::string(64, 'b');

std::string Quote(std::string_view text) { return '"' + std::string(text) + '"'; }

/// A descriptor of kDigestA with more members, such as `, "size": 7`.
std::string DescriptorJson(const std::string& members) {
  return R"({"mediaType": "t", "digest": ")" + kDigestA + "\"" + members + "}";
}

/// The one layer of an image with this descriptor, or nothing.
std::optional<Descriptor> ReadLayer(const std::string& descriptor) {
  const Manifest manifest = ParseManifest(R"({"schemaVersion": 2, "layers": [)" + descriptor +
                                              ", " + DescriptorJson(R"(, "size": 1)") + "]}",
                                          "");
  // A bad descriptor takes nothing else with it.
  EXPECT_EQ(manifest.layers.back().size, 1);
  EXPECT_LE(manifest.layers.size(), 2u);
  if (manifest.layers.size() == 1) return std::nullopt;
  return manifest.layers.front();
}

TEST(ManifestTest, ReadsAnImage) {
  const Manifest manifest = ParseManifest(
      R"({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
          "artifactType": "application/x",
          "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 7, "digest": ")" +
          kDigestA + R"("},
          "layers": [{"mediaType": "layer", "size": 9223372036854775807, "digest": ")" +
          kDigestB + R"("}], "subject": {"mediaType": "m", "size": 3, "digest": ")" + kDigestB +
          R"("},
          "annotations": {"a": "b", "c": "d"}})",
      "application/vnd.oci.image.manifest.v1+json; charset=utf-8");
  EXPECT_FALSE(manifest.is_index);
  EXPECT_EQ(manifest.media_type, media_type::kOciManifest);
  EXPECT_EQ(manifest.artifact_type, "application/x");
  ASSERT_TRUE(manifest.config);
  EXPECT_EQ(manifest.config->media_type, media_type::kOciConfig);
  EXPECT_EQ(manifest.config->digest, kDigestA);
  EXPECT_EQ(manifest.config->size, 7);
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].size, INT64_MAX);
  ASSERT_TRUE(manifest.subject);
  EXPECT_EQ(manifest.subject->digest, kDigestB);
  EXPECT_THAT(manifest.annotations, ElementsAre(Pair("a", "b"), Pair("c", "d")));
  EXPECT_THAT(manifest.manifests, IsEmpty());
}

TEST(ManifestTest, ReadsAnIndex) {
  const Manifest manifest = ParseManifest(
      R"({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
          "manifests": [)" +
          DescriptorJson(
              R"(, "size": 1, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"})") +
          "," +
          DescriptorJson(
              R"(, "size": 2, "platform": {"os": "unknown", "architecture": "unknown"},
                 "annotations": {"vnd.docker.reference.type": "attestation-manifest"})") +
          "," + DescriptorJson(R"(, "size": 3, "artifactType": "sbom")") + "]}",
      "");
  EXPECT_TRUE(manifest.is_index);
  EXPECT_EQ(manifest.media_type, media_type::kDockerList);
  ASSERT_EQ(manifest.manifests.size(), 3u);
  EXPECT_EQ(manifest.manifests[0].platform->ToString(), "linux/arm/v7");
  EXPECT_FALSE(manifest.manifests[0].IsAttestation());
  EXPECT_TRUE(manifest.manifests[1].IsAttestation());
  EXPECT_EQ(manifest.manifests[2].platform, std::nullopt);
  EXPECT_EQ(manifest.manifests[2].artifact_type, "sbom");
  EXPECT_FALSE(manifest.manifests[2].IsAttestation());
  EXPECT_FALSE(manifest.config);
}

TEST(ManifestTest, Attestations) {
  const auto is_attestation = [](const std::string& members) {
    return ReadLayer(DescriptorJson(R"(, "size": 2)" + members))->IsAttestation();
  };
  EXPECT_TRUE(is_attestation(R"(, "platform": {"os": "unknown", "architecture": "unknown"})"));
  EXPECT_TRUE(
      is_attestation(R"(, "annotations": {"vnd.docker.reference.type": "attestation-manifest"})"));
  EXPECT_FALSE(is_attestation(R"(, "platform": {"os": "unknown", "architecture": "amd64"})"));
  EXPECT_FALSE(is_attestation(R"(, "annotations": {"vnd.docker.reference.digest": "x"})"));
  EXPECT_FALSE(is_attestation(""));
}

TEST(ManifestTest, MediaTypeComesFromBodyThenShape) {
  const std::string oci_manifest(media_type::kOciManifest), oci_index(media_type::kOciIndex);
  const std::string docker(media_type::kDockerManifest), docker_list(media_type::kDockerList);
  const std::string artifact = "application/vnd.oci.artifact.manifest.v1+json";
  const struct {
    std::string in_body, in_header;
    const char* shape;
    std::string media_type;
  } cases[] = {
      {oci_manifest, oci_manifest, "layers", oci_manifest},
      {docker, docker, "layers", docker},
      {docker, "", "layers", docker},
      {docker, "application/json", "layers", docker},
      {docker, "text/plain; charset=utf-8", "layers", docker},
      {"", docker + "; charset=utf-8", "layers", oci_manifest},
      {"", "APPLICATION/VND.OCI.IMAGE.MANIFEST.V1+JSON", "layers", oci_manifest},
      {"", docker_list, "manifests", oci_index},
      {"", "", "layers", oci_manifest},
      {"", "application/json", "manifests", oci_index},
      {"", "text/html", "layers", oci_manifest},
      {artifact, artifact, "blobs", artifact},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.in_body + " " + c.in_header + " " + c.shape);
    const std::string body =
        "{" + (c.in_body.empty() ? "" : R"("mediaType": )" + Quote(c.in_body) + ", ") +
        Quote(c.shape) + ": []}";
    EXPECT_EQ(ParseManifest(body, c.in_header).media_type, c.media_type);
  }
}

TEST(ManifestTest, OfSchema1OnlyTheTypeIsRead) {
  const std::string plain = R"({"schemaVersion": 1, "fsLayers": [], "history": []})";
  const std::string signed_body =
      R"({"schemaVersion": 1, "fsLayers": [], "signatures": [{"header": {}}]})";
  EXPECT_EQ(ParseManifest(plain, "").media_type, media_type::kSchema1);
  EXPECT_EQ(ParseManifest(signed_body, "application/json").media_type, media_type::kSignedSchema1);
  const Manifest manifest = ParseManifest(plain, std::string(media_type::kSignedSchema1) + "; a=b");
  EXPECT_TRUE(manifest.IsSchema1());
  EXPECT_FALSE(manifest.is_index);
  EXPECT_TRUE(manifest.layers.empty());
  EXPECT_FALSE(ParseManifest(R"({"layers": []})", "").IsSchema1());
}

TEST(ManifestTest, RefusesWhatIsAmbiguousOrNoManifest) {
  const std::string oci_manifest(media_type::kOciManifest), oci_index(media_type::kOciIndex);
  const std::string docker(media_type::kDockerManifest);
  const struct {
    std::string body, content_type;
  } cases[] = {
      // Image and index at once (CVE-2021-41190), whatever else they say.
      {R"({"manifests": [], "layers": []})", ""},
      {R"({"manifests": [], "config": {}})", ""},
      {R"({"manifests": [], "blobs": []})", ""},
      {R"({"mediaType": ")" + oci_index + R"(", "manifests": [], "layers": []})", oci_index},
      {R"({"mediaType": ")" + oci_manifest + R"(", "manifests": [], "config": {}, "layers": []})",
       oci_manifest},
      // The body's type against the header's and against the shape.
      {R"({"mediaType": ")" + oci_manifest + R"(", "layers": []})", docker},
      {R"({"mediaType": ")" + oci_manifest + R"(", "layers": []})", oci_index},
      {R"({"mediaType": ")" + oci_index + R"(", "layers": []})", ""},
      {R"({"mediaType": ")" + oci_manifest + R"(", "manifests": []})", ""},
      {R"({"layers": []})", oci_index},
      {R"({"manifests": []})", docker},
      {R"({"layers": []})", std::string(media_type::kSignedSchema1)},
      {R"({"mediaType": ")" + oci_manifest + R"(", "layers": []})",
       std::string(media_type::kSchema1)},
      {R"({"mediaType": ")" + std::string(media_type::kSchema1) + R"(", "layers": []})", ""},
      {R"({"mediaType": ")" + oci_manifest + R"(", "schemaVersion": 1, "fsLayers": []})", ""},
      // Schema 1, as something else.
      {R"({"schemaVersion": 1, "fsLayers": [], "history": []})", oci_manifest},
      {R"({"schemaVersion": 1, "layers": []})", ""},
      {R"({"schemaVersion": 2, "layers": [], "fsLayers": []})", ""},
      // No manifest.
      {"{}", oci_manifest},
      {"[]", oci_manifest},
      {"null", oci_manifest},
      {"\"x\"", ""},
      {"7", ""},
      {R"({"manifests": {}})", oci_index},
      {R"({"manifests": null})", oci_index},
      {R"({"layers": {"0": {}}})", ""},
      {R"({"errors": [{"code": "MANIFEST_UNKNOWN"}]})", oci_manifest},
      {"<html>Sign in</html>", oci_manifest},
      {"", oci_manifest},
      {R"({"layers": [], "annotations": {"a": "\u0000"}})", ""},
      {"{\"layers\": [], \"annotations\": {\"a\": \"\xff\"}}", ""},
      {R"({"layers": [], "x": )" + std::string(3000, '[') + std::string(3000, ']') + "}", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.body.substr(0, 120) + " as " + c.content_type);
    try {
      ParseManifest(c.body, c.content_type);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kMalformed) << error.what();
    }
  }
}

TEST(ManifestTest, LimitsDescriptors) {
  const auto index_of = [](int count) {
    std::string body = R"({"manifests": [)";
    for (int i = 0; i < count; ++i) body += (i == 0 ? "" : ",") + DescriptorJson(R"(, "size": 1)");
    return body + "]}";
  };
  EXPECT_EQ(ParseManifest(index_of(10000), "").manifests.size(), 10000u);
  try {
    ParseManifest(index_of(10001), "");
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTooLarge);
  }
}

/// `"annotations": {...}` of so many bytes of keys and values, in entries of 1,000.
std::string Annotations(std::size_t bytes) {
  std::string json = R"("annotations": {)";
  for (std::size_t i = 0; i < bytes / 1000; ++i) {
    const std::string key = std::to_string(1000000 + i);
    json += (i == 0 ? "\"" : ",\"") + key + R"(": ")" + std::string(1000 - key.size(), 'v') + '"';
  }
  return json + "}";
}

TEST(ManifestTest, AnnotationsOverTheirLimitAreCut) {
  constexpr std::size_t entry = kEntryBytes + 1000;
  const auto annotated = [](char digit, std::size_t bytes) {
    return R"({"size": 1, "digest": "sha256:)" + std::string(64, digit) + "\", " +
           Annotations(bytes) + "}";
  };
  std::string list = annotated('0', 1000) + "," + annotated('1', 100000);
  for (const char digit : std::string("23456789")) list += "," + annotated(digit, 64000);
  const Manifest manifest =
      ParseManifest(R"({"manifests": [)" + list + "], " + Annotations(600000) + "}", "");
  EXPECT_EQ(BytesOf(manifest.annotations), 476u * entry);
  EXPECT_TRUE(manifest.annotations_cut);
  EXPECT_EQ(BytesOf(manifest.manifests[0].annotations), entry);
  EXPECT_FALSE(manifest.manifests[0].annotations_cut);
  EXPECT_EQ(BytesOf(manifest.manifests[1].annotations), 59u * entry);
  EXPECT_TRUE(manifest.manifests[1].annotations_cut);
  std::size_t listed = 0;
  for (const Descriptor& child : manifest.manifests) listed += BytesOf(child.annotations);
  EXPECT_EQ(listed, 476u * entry);
  EXPECT_TRUE(manifest.manifests.back().annotations_cut);
  // What is repeated takes nothing from the others.
  list = annotated('0', 50000);
  for (int i = 0; i < 20; ++i) list += "," + annotated('0', 50000);
  const Manifest same =
      ParseManifest(R"({"manifests": [)" + list + "," + annotated('1', 50000) + "]}", "");
  EXPECT_EQ(BytesOf(same.manifests.back().annotations), 50u * entry);
  EXPECT_EQ(
      ParseImageConfig(R"({"config": {"Labels": {"a": ")" + std::string(600000, 'x') + R"("}}})")
          .labels_cut,
      true);
}

TEST(ManifestTest, LeavesOutBadDescriptorsOnly) {
  const std::string cases[] = {
      "null",
      "[]",
      "\"x\"",
      "7",
      "{}",
      R"({"mediaType": "t", "size": 1})",
      R"({"digest": null, "size": 1})",
      R"({"digest": 7, "size": 1})",
      R"({"digest": "sha256:abc", "size": 1})",
      R"({"digest": "md5:d41d8cd98f00b204e9800998ecf8427e", "size": 1})",
      R"({"digest": "../../etc/passwd", "size": 1})",
      DescriptorJson(""),
      DescriptorJson(R"(, "size": null)"),
      DescriptorJson(R"(, "size": -1)"),
      DescriptorJson(R"(, "size": "883")"),
      DescriptorJson(R"(, "size": 1.5)"),
      DescriptorJson(R"(, "size": 9223372036854775808)"),
      DescriptorJson(R"(, "size": 99999999999999999999)"),
      DescriptorJson(R"(, "size": -9223372036854775809)"),
      DescriptorJson(R"(, "size": {"a": 1})"),
      DescriptorJson(R"(, "size": 1, "size": -1)"),  // the last one counts
  };
  for (const std::string& json : cases) EXPECT_FALSE(ReadLayer(json)) << json;
  EXPECT_TRUE(ReadLayer(DescriptorJson(R"(, "size": 0)")));
  EXPECT_TRUE(ReadLayer(DescriptorJson(R"(, "size": -1, "size": 5)")));
}

TEST(ManifestTest, OtherMembersMayBeOfAnyType) {
  const auto layer = ReadLayer(DescriptorJson(
      R"(, "size": 1, "mediaType": 7, "artifactType": [], "platform": "linux", "data": {},
         "annotations": {"s": "v", "i": 1, "n": null, "o": {}, "b": true}, "urls": 3)"));
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->media_type, "");
  EXPECT_EQ(layer->artifact_type, "");
  EXPECT_EQ(layer->platform, std::nullopt);
  EXPECT_EQ(layer->data, std::nullopt);
  EXPECT_THAT(layer->annotations, ElementsAre(Pair("s", "v")));
  const Manifest manifest = ParseManifest(
      R"({"schemaVersion": "2", "mediaType": 7, "artifactType": {}, "config": [], "subject": "x",
          "layers": [], "annotations": ["a"]})",
      "");
  EXPECT_EQ(manifest.media_type, media_type::kOciManifest);
  EXPECT_FALSE(manifest.config);
  EXPECT_FALSE(manifest.subject);
  EXPECT_THAT(manifest.annotations, IsEmpty());
}

TEST(ManifestTest, AcceptsAConfigWithoutLayers) {
  const Manifest manifest =
      ParseManifest(R"({"config": )" + DescriptorJson(R"(, "size": 2)") + "}", "");
  EXPECT_EQ(manifest.config->digest, kDigestA);
  EXPECT_FALSE(manifest.is_index);
}

TEST(ManifestTest, ReadsBlobsOfAnArtifactManifest) {
  const Manifest manifest = ParseManifest(
      R"({"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "artifactType": "sbom",
          "blobs": [)" +
          DescriptorJson(R"(, "size": 5)") + "]}",
      "application/vnd.oci.artifact.manifest.v1+json");
  EXPECT_EQ(manifest.artifact_type, "sbom");
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].size, 5);
}

TEST(ManifestTest, InlineDataMustMatchSizeAndDigest) {
  const auto data_of = [](const std::string& digest, int size, const std::string& data) {
    return ReadLayer(R"({"digest": ")" + digest + R"(", "size": )" + std::to_string(size) +
                     R"(, "data": ")" + data + "\"}")
        ->data;
  };
  const std::string digest = Sha256Digest("{}");
  EXPECT_EQ(data_of(digest, 2, "e30="), "{}");
  EXPECT_EQ(data_of(digest, 2, "e30"), "{}");
  EXPECT_EQ(data_of(digest, 3, "e30="), std::nullopt);
  EXPECT_EQ(data_of(kDigestA, 2, "e30="), std::nullopt);
  EXPECT_EQ(data_of(digest, 2, "e34="), std::nullopt);
  EXPECT_EQ(data_of(digest, 2, "{}"), std::nullopt);
  EXPECT_EQ(data_of(digest, 2, ""), std::nullopt);
  EXPECT_EQ(data_of(Sha256Digest(""), 0, ""), "");
}

TEST(ManifestTest, ScrubsTypes) {
  const Manifest manifest = ParseManifest(
      R"({"artifactType": "a\u001b[31m", "layers": [)" +
          DescriptorJson(R"(, "size": 1, "platform": {"os": "li\rnux", "architecture": ")" +
                         std::string(1000, 'x') + "\"}") +
          "]}",
      "");
  EXPECT_EQ(manifest.artifact_type, "a\xef\xbf\xbd[31m");
  EXPECT_EQ(manifest.layers[0].platform->os, "li\xef\xbf\xbdnux");
  EXPECT_EQ(manifest.layers[0].platform->architecture.size(), 64u);
}

TEST(ImageConfigTest, Reads) {
  const ImageConfig config = ParseImageConfig(
      R"({"created": "2025-03-19T10:25:00.123456789+02:00", "os": "linux", "architecture": "arm64",
          "variant": "v8", "config": {"Labels": {"a": "b", "n": null, "i": 7}}})");
  EXPECT_EQ(config.platform.ToString(), "linux/arm64/v8");
  EXPECT_EQ(config.created, "2025-03-19 08:25:00.123456+00");
  EXPECT_THAT(config.labels, ElementsAre(Pair("a", "b")));
}

TEST(ImageConfigTest, WhatIsAbsentOrOfAnotherTypeIsEmpty) {
  for (const char* body :
       {"{}", R"({"created": null, "os": null, "config": null})",
        R"({"created": 1742379900, "os": 7, "architecture": [], "config": {"Labels": null}})",
        R"({"created": "0001-01-01T00:00:00Z", "config": {"Labels": ["a"]}})",
        R"({"created": "1970-01-01T00:00:00Z", "config": []})",
        R"({"created": "2024-02-30T00:00:00Z", "config": {"Labels": "a=b"}})"}) {
    SCOPED_TRACE(body);
    const ImageConfig config = ParseImageConfig(body);
    EXPECT_EQ(config.platform, Platform());
    EXPECT_EQ(config.created, "");
    EXPECT_THAT(config.labels, IsEmpty());
  }
}

std::string DiffIds(const std::vector<std::string>& ids) {
  std::string list;
  for (const std::string& id : ids) list += (list.empty() ? "\"" : ",\"") + id + "\"";
  return R"({"rootfs": {"type": "layers", "diff_ids": [)" + list + "]}}";
}

// By hand: sha256 of the ID before, a space and the diff_id.
TEST(ImageConfigTest, ChainsLayers) {
  const std::string a = "sha256:" + std::string(64, 'a'), b = "sha256:" + std::string(64, 'b'),
                    c = "sha256:" + std::string(64, 'c');
  EXPECT_THAT(ParseImageConfig(DiffIds({a, b, c})).chain_ids,
              testing::ElementsAre(
                  a, "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c",
                  "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588"));
  EXPECT_THAT(ParseImageConfig(DiffIds({a, "sha256:b"})).chain_ids, IsEmpty());
  EXPECT_THAT(ParseImageConfig(DiffIds({"sha512:" + std::string(128, 'a'), b})).chain_ids,
              IsEmpty());
  EXPECT_EQ(ParseImageConfig(DiffIds(std::vector<std::string>(200, a))).chain_ids.size(), 200u);
  EXPECT_THAT(ParseImageConfig(DiffIds(std::vector<std::string>(201, a))).chain_ids, IsEmpty());
  EXPECT_THAT(ParseImageConfig(R"({"rootfs": {"diff_ids": {"a": 1}}})").chain_ids, IsEmpty());
  EXPECT_THAT(ParseImageConfig(R"({"rootfs": [7]})").chain_ids, IsEmpty());
}

TEST(ImageConfigTest, Refuses) {
  for (const char* body : {"", "[]", "null", "{", "\x1f\x8b\x08", R"({"os": "\u0000"})"}) {
    SCOPED_TRACE(body);
    try {
      ParseImageConfig(body);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kMalformed);
    }
  }
}

TEST(ImageConfigTest, KnowsItsTypes) {
  EXPECT_TRUE(IsImageConfig(media_type::kOciConfig));
  EXPECT_TRUE(IsImageConfig(media_type::kDockerConfig));
  EXPECT_FALSE(IsImageConfig(media_type::kOciEmpty));
  EXPECT_FALSE(IsImageConfig("application/vnd.cncf.helm.config.v1+json"));
  EXPECT_FALSE(IsImageConfig(""));
}

}  // namespace
}  // namespace image_library
