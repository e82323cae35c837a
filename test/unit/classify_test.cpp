#include "core/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/extension_list.h"
#include "core/manifest.h"
#include "core/model_profile.h"

namespace image_library {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ImageFacts ImageAt(std::string repository, std::string tag, StringMap annotations = {},
                   StringMap labels = {}) {
  return {.repository = std::move(repository),
          .tag = std::move(tag),
          .config_type = std::string(media_type::kOciConfig),
          .layer_types = {"application/vnd.oci.image.layer.v1.tar+gzip"},
          .annotations = std::move(annotations),
          .labels = std::move(labels)};
}

Classification Read(const ImageFacts& facts, const char* forced = "auto") {
  return Classify(facts, DefaultClassificationKeys(), forced);
}

// `name,version,description` with header; base64 of
// name,version,description\npgvector,0.8.0,"vectors, and ""more"""\npostgis,3.5.2,\n
constexpr const char* kExtensions =
    "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBndmVjdG9yLDAuOC4wLCJ2ZWN0b3JzLCBhbmQgIiJtb3JlIiIiCnBvc3Rn"
    "aXMsMy41LjIsCg==";

struct PostgresCase {
  ImageFacts facts;
  const char* flavor;
  int major;
  const char* version;
  const char* build_at;
  const char* variant;
  const char* os;
};

TEST(ClassifyTest, PostgresImages) {
  const PostgresCase cases[] = {
      // EDB, annotated on the index
      {ImageAt("pgai-platform/edb-postgres-advanced", "17.4-2503191025-full",
               {{"org.enterprisedb.pg.flavor", "epas"},
                {"org.enterprisedb.pg.major_version", "17"},
                {"org.opencontainers.image.created", "2025-03-19T10:25:31Z"}}),
       "epas", 17, "17.4", "2025-03-19 10:25:00+00", "full", ""},
      // EDB, a repository with a name of its own
      {ImageAt("team/db", "18.3-2605132051",
               {{"org.enterprisedb.pg.flavor", "PG"}, {"org.enterprisedb.pg.major_version", "18"}}),
       "postgresql", 18, "18.3", "2026-05-13 20:51:00+00", "", ""},
      {ImageAt("team/db", "latest",
               {{"org.enterprisedb.pg.flavor", "pgextended"},
                {"org.enterprisedb.pg.major_version", "16"},
                {"org.opencontainers.image.created", "2026-01-02T03:04:05Z"}}),
       "pge", 16, "16", "2026-01-02 03:04:05+00", "", ""},
      // only as labels
      {ImageAt(
           "team/db", "17", {},
           {{"org.enterprisedb.pg.flavor", "epas"}, {"org.enterprisedb.pg.major_version", "17"}}),
       "epas", 17, "17", "", "", ""},
      // EDB, by the repository's name alone
      {ImageAt("pgai-platform/postgresql", "17.4-2503310734"), "postgresql", 17, "17.4",
       "2025-03-31 07:34:00+00", "", ""},
      {ImageAt("edb-postgres-extended", "17.4-2503310734"), "pge", 17, "17.4",
       "2025-03-31 07:34:00+00", "", ""},
      {ImageAt("k8s/edb-postgres-advanced-pgd", "16.2.0-5.4.1-1"), "epas", 16, "16.2.0", "",
       "5.4.1-1", ""},
      {ImageAt("postgresql-torsten", "16.4-2503310734"), "postgresql", 16, "16.4",
       "2025-03-31 07:34:00+00", "", ""},
      // CloudNativePG
      {ImageAt("cloudnative-pg/postgresql", "18.6-202608170814-minimal-trixie",
               {{"org.opencontainers.image.version", "18.6"},
                {"org.opencontainers.image.created", "2026-08-17T08:14:59Z"},
                {"org.opencontainers.image.base.name", "docker.io/library/debian:trixie-slim"}}),
       "postgresql", 18, "18.6", "2026-08-17 08:14:00+00", "minimal", "trixie"},
      // a rolling tag says less than its annotations
      {ImageAt("cloudnative-pg/postgresql", "18-standard-bookworm",
               {{"org.opencontainers.image.version", "18.6"},
                {"org.opencontainers.image.created", "2026-08-17T08:14:59Z"}}),
       "postgresql", 18, "18.6", "2026-08-17 08:14:59+00", "standard", "bookworm"},
      {ImageAt("cloudnative-pg/postgresql", "18",
               {{"org.opencontainers.image.base.name", "docker.io/library/debian:trixie-slim"}}),
       "postgresql", 18, "18", "", "", "trixie"},
      {ImageAt("cloudnative-pg/postgresql-testing", "18beta1-minimal-trixie",
               {{"org.opencontainers.image.version", "18~beta1"}}),
       "postgresql", 18, "18beta1", "", "minimal", "trixie"},
      {ImageAt("cloudnative-pg/postgis", "17-3.5.2-system-bookworm",
               {{"org.opencontainers.image.version", "17.5-3.5.2"}}),
       "postgresql", 17, "17.5", "", "3.5.2-system", "bookworm"},
      // custom images tell by their base
      {ImageAt("team/custom", "1.0.0",
               {{"org.opencontainers.image.base.name",
                 "docker.enterprisedb.com/pgai-platform/edb-postgres-advanced:17.4-2503191025"}}),
       "epas", 17, "", "", "", ""},
      {ImageAt("team/custom", "17.5-2504010000", {},
               {{"org.opencontainers.image.base.name",
                 "ghcr.io/cloudnative-pg/postgresql:17-minimal-bookworm@sha256:00"}}),
       "postgresql", 17, "17.5", "2025-04-01 00:00:00+00", "", "bookworm"},
      // Docker Hub, with labels inherited from Ubuntu
      {ImageAt("library/postgres", "17.4-alpine3.20", {},
               {{"org.opencontainers.image.version", "22.04"},
                {"org.opencontainers.image.ref.name", "ubuntu"}}),
       "postgresql", 17, "17.4", "", "", "alpine3.20"},
      {ImageAt("bitnami/postgresql", "17.4.0-debian-12-r3"), "postgresql", 17, "17.4.0", "", "",
       "debian-12"},
      {ImageAt("library/postgres", "9.6.24"), "postgresql", 9, "9.6.24", "", "", ""},
      {ImageAt("acme/postgresql-16", "2025.08"), "postgresql", 16, "", "", "", ""},
  };
  for (const PostgresCase& c : cases) {
    const std::string where = c.facts.repository + ":" + c.facts.tag;
    const Classification image = Read(c.facts);
    EXPECT_EQ(image.kind, "postgres") << where;
    EXPECT_EQ(image.flavor, c.flavor) << where;
    EXPECT_EQ(image.major_version, c.major) << where;
    EXPECT_EQ(image.version, c.version) << where;
    EXPECT_EQ(image.build_at, c.build_at) << where;
    EXPECT_EQ(image.variant, c.variant) << where;
    EXPECT_EQ(image.os, c.os) << where;
    EXPECT_THAT(image.conflicts, IsEmpty()) << where;
  }
}

TEST(ClassifyTest, FeaturesAndExtensions) {
  const Classification image = Read(ImageAt("postgresql", "17.4",
                                            {{"org.enterprisedb.pg.features", "TDE, psr,pgd,,tde"},
                                             {"org.enterprisedb.pgextensions", kExtensions}}));
  EXPECT_THAT(image.features, ElementsAre("pgd", "psr", "tde"));
  ASSERT_EQ(image.extensions.size(), 2u);
  EXPECT_EQ(image.extensions[0].name, "pgvector");
  EXPECT_EQ(image.extensions[0].version, "0.8.0");
  EXPECT_EQ(image.extensions[0].description, "vectors, and \"more\"");
  EXPECT_EQ(image.extensions[1].name, "postgis");
  EXPECT_THAT(image.conflicts, IsEmpty());
  EXPECT_THAT(Read(ImageAt("edb-postgres-advanced-pgd", "16.2.0-5.4.1-1")).features,
              ElementsAre("pgd"));
}

struct ConflictCase {
  ImageFacts facts;
  const char* flavor;
  int major;
  const char* version;
  const char* phrase;
};

TEST(ClassifyTest, OfManyFaultsOfAValueFewAreTold) {
  std::string faults;
  for (int i = 0; i < 1000; ++i) faults += std::to_string(i) + "!,";
  const Classification postgres =
      Read(ImageAt("postgresql", "17.4", {{"org.enterprisedb.pg.features", faults}}));
  EXPECT_EQ(postgres.conflicts.size(), kMostFaults);
  EXPECT_EQ(postgres.conflicts.front(), "feature \"0!\" is no name");
  const Classification model =
      Read(ImageAt("nim/meta/llama", "1.8.5", {{"com.nvidia.nim.profiles", faults}}));
  EXPECT_EQ(model.conflicts.size(), kMostFaults);
}

TEST(ClassifyTest, ContradictionsAreShown) {
  const ConflictCase cases[] = {
      {ImageAt("postgresql", "17.4", {{"org.enterprisedb.pg.major_version", "18"}}), "postgresql",
       18, "18", "annotation says major version 18, version says 17"},
      {ImageAt("postgresql", "17.4", {{"org.enterprisedb.pg.flavor", "epas"}}), "epas", 17, "17.4",
       "annotation says flavor epas, repository says postgresql"},
      {ImageAt("postgresql", "17.4", {{"org.enterprisedb.pg.flavor", "oracle"}}), "postgresql", 17,
       "17.4", "flavor \"oracle\" is unknown"},
      {ImageAt("postgresql", "17.4", {{"org.enterprisedb.pg.major_version", "eighteen"}}),
       "postgresql", 17, "17.4", "major version \"eighteen\" is no major version"},
      {ImageAt("postgresql", "17.4", {{"org.opencontainers.image.version", "17.5"}}), "postgresql",
       17, "17.5", "annotation says version \"17.5\", tag says \"17.4\""},
      {ImageAt("postgresql", "17.4", {}, {{"org.opencontainers.image.version", "17.5"}}),
       "postgresql", 17, "17.4", "label says version \"17.5\", tag says \"17.4\""},
      {ImageAt("postgresql", "17.4-2503191025",
               {{"org.opencontainers.image.created", "2025-03-21T10:25:00Z"}}),
       "postgresql", 17, "17.4", "annotation says created 2025-03-21 10:25:00+00, tag says"},
      {ImageAt("postgresql", "17.4", {{"org.opencontainers.image.created", "yesterday"}}),
       "postgresql", 17, "17.4", "created \"yesterday\" is no time"},
      {ImageAt("postgresql", "17.4", {{"org.enterprisedb.pgextensions", "%%%"}}), "postgresql", 17,
       "17.4", "extension list is not"},
      {ImageAt("postgresql", "17.4", {{"org.enterprisedb.pg.features", "tde,a/b"}}), "postgresql",
       17, "17.4", "feature \"a/b\" is no name"},
      {ImageAt(
           "postgresql", "18-trixie",
           {{"io.cloudnativepg.image.base.os", "bookworm"}, {"org.enterprisedb.pg.flavor", "pg"}}),
       "postgresql", 18, "18", "annotation says operating system \"bookworm\""},
  };
  for (const ConflictCase& c : cases) {
    const Classification image = Read(c.facts);
    EXPECT_EQ(image.kind, "postgres") << c.phrase;
    EXPECT_EQ(image.flavor, c.flavor) << c.phrase;
    EXPECT_EQ(image.major_version, c.major) << c.phrase;
    EXPECT_EQ(image.version, c.version) << c.phrase;
    EXPECT_THAT(image.conflicts, ElementsAre(HasSubstr(c.phrase)));
  }
}

TEST(ClassifyTest, BuildTimePrefersTheAnnotationOverTheTagOverALabel) {
  const StringMap created = {{"org.opencontainers.image.created", "2025-03-21T10:25:00Z"}};
  EXPECT_EQ(Read(ImageAt("postgresql", "17.4-2503191025", created)).build_at,
            "2025-03-21 10:25:00+00");
  EXPECT_EQ(Read(ImageAt("postgresql", "17.4-2503191025", {}, created)).build_at,
            "2025-03-19 10:25:00+00");
  const Classification reproducible = Read(ImageAt(
      "postgresql", "17.4", {{"org.opencontainers.image.created", "1970-01-01T00:00:00Z"}}));
  EXPECT_EQ(reproducible.build_at, "");
  EXPECT_THAT(reproducible.conflicts, IsEmpty());
}

TEST(ClassifyTest, ExtensionImagesAreNoServers) {
  const StringMap annotations = {
      {"io.cloudnativepg.image.base.name", "ghcr.io/cloudnative-pg/postgresql:18-minimal-trixie"},
      {"io.cloudnativepg.image.base.pgmajor", "18"},
      {"io.cloudnativepg.image.base.os", "trixie"},
      {"io.cloudnativepg.image.sql.version", "0.8.6"},
      {"org.opencontainers.image.base.name", "scratch"},
      {"org.opencontainers.image.version", "0.8.6"},
      {"org.opencontainers.image.description", "A pgvector image"}};
  const ImageFacts facts =
      ImageAt("cloudnative-pg/pgvector", "0.8.6-202608201414-18-trixie", annotations);
  const Classification image = Read(facts);
  EXPECT_EQ(image.kind, "other");
  EXPECT_EQ(image.flavor, "");
  EXPECT_EQ(image.major_version, 18);
  EXPECT_EQ(image.os, "trixie");
  EXPECT_EQ(image.version, "0.8.6");
  EXPECT_EQ(image.build_at, "2026-08-20 14:14:00+00");
  ASSERT_EQ(image.extensions.size(), 1u);
  EXPECT_EQ(image.extensions[0].name, "pgvector");
  EXPECT_EQ(image.extensions[0].version, "0.8.6");
  EXPECT_THAT(image.conflicts, IsEmpty());

  // PostGIS is the name of a server repository and of an extension repository.
  EXPECT_EQ(Read(ImageAt("cloudnative-pg/postgis", "3.6.0-18-trixie", annotations)).kind, "other");
  EXPECT_THAT(Read(ImageAt("cloudnative-pg/pgvector", "0.8.6-17-trixie", annotations)).conflicts,
              ElementsAre("annotation says major version 18, tag says 17"));
  EXPECT_THAT(Read(facts, "postgres").conflicts, Contains(HasSubstr("extension image")));

  // Only the base is told, and only on a label.
  const Classification sparse =
      Read(ImageAt("x/pgaudit-testing", "18.0-202608201414", {},
                   {{"io.cloudnativepg.image.base.name",
                     "ghcr.io/cloudnative-pg/postgresql:18-minimal-trixie"}}));
  EXPECT_EQ(sparse.kind, "other");
  EXPECT_EQ(sparse.major_version, 18);
  EXPECT_EQ(sparse.os, "trixie");
  EXPECT_EQ(sparse.extensions.at(0).name, "pgaudit");
  EXPECT_EQ(sparse.extensions.at(0).version, "18.0");
}

struct ModelCase {
  ImageFacts facts;
  const char* format;
  const char* publisher;
  const char* model;
  const char* model_version;
};

ImageFacts Artifact(std::string repository, std::string tag, std::string artifact_type,
                    std::string config_type, std::vector<std::string> layer_types,
                    StringMap annotations = {}) {
  return {.repository = std::move(repository),
          .tag = std::move(tag),
          .artifact_type = std::move(artifact_type),
          .config_type = std::move(config_type),
          .layer_types = std::move(layer_types),
          .annotations = std::move(annotations)};
}

TEST(ClassifyTest, Models) {
  const std::string oci(media_type::kOciConfig), docker(media_type::kDockerConfig);
  const std::string empty(media_type::kOciEmpty);
  const ModelCase cases[] = {
      {ImageAt("nim/meta/llama-3.1-8b-instruct", "1.8.5"), "nim", "meta", "llama-3.1-8b-instruct",
       "1.8.5"},
      {ImageAt("mirror/nim/baidu/paddleocr", "latest", {}, {{"com.nvidia.nim.version", "1.4.0"}}),
       "nim", "baidu", "paddleocr", "1.4.0"},
      {ImageAt("ai/chat", "1.3", {},
               {{"com.nvidia.nim.model_download_protocol", "native-v1"},
                {"com.nvidia.nim.model", "meta/llama3-8b-instruct"},
                {"com.nvidia.nim.version", "1.3.3"}}),
       "nim", "meta", "llama3-8b-instruct", "1.3.3"},
      {ImageAt("ai/chat", "latest", {},
               {{"com.nvidia.nim.model_download_protocol", "native-v1"},
                {"org.opencontainers.image.ref.name", "ubuntu"},
                {"org.opencontainers.image.version", "22.04"}}),
       "nim", "ai", "chat", ""},
      {Artifact("models/gpt4", "v1.0.0-rc.2", "application/vnd.cncf.model.manifest.v1+json",
                "application/vnd.cncf.model.config.v1+json",
                {"application/vnd.cncf.model.weight.v1.tar"},
                {{"org.opencontainers.image.vendor", "Acme"}}),
       "modelpack", "Acme", "gpt4", "1.0.0-rc.2"},
      {Artifact("a/b", "1", "", "application/vnd.cncf.model.config.v1+json", {}), "modelpack", "a",
       "b", "1"},
      {Artifact("a/b", "1", "", docker, {"application/vnd.cncf.model.weight.v1.gguf"}), "modelpack",
       "a", "b", "1"},
      {Artifact("a/b", "1", "", "application/vnd.kitops.modelkit.config.v1+json",
                {"application/vnd.kitops.modelkit.model.v1.tar+gzip"}),
       "kitops", "a", "b", "1"},
      {Artifact("ai/smollm2", "360M-Q4_K_M", "", "application/vnd.docker.ai.model.config.v0.2+json",
                {"application/vnd.docker.ai.gguf.v3", "application/vnd.docker.ai.license"}),
       "docker-model", "ai", "smollm2", ""},
      {Artifact("library/llama3.2", "1b", "", docker,
                {"application/vnd.ollama.image.license", "application/vnd.ollama.image.model"}),
       "ollama", "", "llama3.2", ""},
      {Artifact("m/q", "1", "application/vnd.ramalama.model.gguf", empty,
                {"application/octet-stream"}),
       "ramalama", "m", "q", "1"},
      {ImageAt("rhelai1/modelcar-granite-3-1-8b", "1.4.0"), "modelcar", "rhelai1", "granite-3-1-8b",
       "1.4.0"},
      {ImageAt("redhat-ai-services/modelcar-catalog", "qwen3-8b"), "modelcar", "redhat-ai-services",
       "qwen3-8b", ""},
  };
  for (const ModelCase& c : cases) {
    const std::string where = c.facts.repository + ":" + c.facts.tag;
    const Classification image = Read(c.facts);
    EXPECT_EQ(image.kind, "model") << where;
    EXPECT_EQ(image.format, c.format) << where;
    EXPECT_EQ(image.publisher, c.publisher) << where;
    EXPECT_EQ(image.model, c.model) << where;
    EXPECT_EQ(image.model_version, c.model_version) << where;
    EXPECT_THAT(image.conflicts, IsEmpty()) << where;
    EXPECT_EQ(image.flavor, "");
  }
}

TEST(ClassifyTest, ModelsByRule) {
  EXPECT_EQ(Read(ImageAt("team/bert", "1.0"), "model").format, "modelcar");
  EXPECT_EQ(Read(ImageAt("nim/x/y", "1.0"), "model").format, "nim");
  EXPECT_EQ(Read(Artifact("team/bert", "1.0", "application/vnd.acme.v1",
                          std::string(media_type::kOciEmpty), {}),
                 "model")
                .format,
            "oci-volume");
  const Classification forced = Read(ImageAt("postgresql", "17.4"), "model");
  EXPECT_EQ(forced.kind, "model");
  EXPECT_THAT(forced.conflicts, ElementsAre("rule says model, image looks like postgres"));
  const Classification plain = Read(ImageAt("team/db", "17.4-2503191025"), "postgres");
  EXPECT_EQ(plain.kind, "postgres");
  EXPECT_EQ(plain.flavor, "");
  EXPECT_EQ(plain.major_version, 17);
  EXPECT_EQ(Read(ImageAt("pgvector/pgvector", "0.8.0-pg17-bookworm"), "postgres").major_version,
            17);
  EXPECT_EQ(Read(ImageAt("postgresql", "17.4"), "other").kind, "other");
}

TEST(ClassifyTest, ProfilesAndGpus) {
  const std::string id(64, 'a');
  const char* const name = "tensorrt_llm-h100-fp8-tp2-pp1-latency";
  const auto with = [](const std::string& profiles) {
    return Read(ImageAt("nim/meta/x", "1.0", {}, {{"com.nvidia.nim.profiles", profiles}}));
  };
  for (const std::string& list :
       {std::string(name) + ",vllm-bf16-tp4-pp1", std::string(name) + "\nvllm-bf16-tp4-pp1\n",
        "[\"" + std::string(name) + "\", \"vllm-bf16-tp4-pp1\"]",
        "[{\"name\": \"" + std::string(name) + "\"}, {\"profile\": \"vllm-bf16-tp4-pp1\"}]",
        "{\"" + id + "\": \"" + name + "\", \"b\": \"vllm-bf16-tp4-pp1\"}",
        "- " + id + " (" + name + ")\n- " + id + ": vllm-bf16-tp4-pp1"}) {
    const Classification image = with(list);
    ASSERT_EQ(image.profiles.size(), 2u) << list;
    EXPECT_EQ(image.profiles[0].name, name);
    EXPECT_EQ(image.gpu_count, 2) << list;
    EXPECT_THAT(image.conflicts, IsEmpty()) << list;
  }
  EXPECT_THAT(with("nonsense").conflicts, ElementsAre("profile \"nonsense\" is no profile name"));
  EXPECT_THAT(with("[broken").conflicts, ElementsAre(HasSubstr("no profile name")));
  EXPECT_EQ(with("nonsense").gpu_count, std::nullopt);

  const StringMap labels = {{"com.nvidia.nim.profiles", name},
                            {"com.nvidia.nim.gpu_count", "8"},
                            {"com.nvidia.nim.task", "Text-Generation"}};
  EXPECT_EQ(Read(ImageAt("nim/a/b", "1", {}, labels)).gpu_count, 8);
  EXPECT_EQ(Read(ImageAt("nim/a/b", "1", {}, labels)).task, "text-generation");
  EXPECT_THAT(Read(ImageAt("nim/a/b", "1", {}, {{"com.nvidia.nim.gpu_count", "many"}})).conflicts,
              ElementsAre("GPU count \"many\" is no number of GPUs"));
}

TEST(ClassifyTest, AttachmentsAreNeverImages) {
  const std::string oci(media_type::kOciConfig), empty(media_type::kOciEmpty);
  const std::string hex(64, 'b');
  const ImageFacts cases[] = {
      Artifact("charts/postgresql", "17.4", "", "application/vnd.cncf.helm.config.v1+json",
               {"application/vnd.cncf.helm.chart.content.v1.tar+gzip"}),
      Artifact("postgresql", "x", "application/vnd.dev.cosign.artifact.sig.v1+json", empty, {}),
      Artifact("postgresql", "x", "application/vnd.dev.sigstore.bundle.v0.3+json", empty, {}),
      Artifact("postgresql", "x", "application/vnd.cncf.notary.signature", empty, {}),
      Artifact("postgresql", "x", "", "application/vnd.cncf.notary.signature", {}),
      Artifact("postgresql", "x", "", oci, {"application/vnd.dev.cosign.simplesigning.v1+json"}),
      Artifact("nim/a/b", "x", "", oci, {"application/vnd.in-toto+json"}),
      Artifact("nim/a/b", "x", "application/spdx+json", empty, {}),
      Artifact("nim/a/b", "x", "application/vnd.cyclonedx+json", empty, {}),
      Artifact("postgresql", "x", "", oci, {},
               {{"vnd.docker.reference.type", "attestation-manifest"}}),
      ImageAt("postgresql", "sha256-" + hex + ".sig"),
  };
  for (const ImageFacts& facts : cases) {
    for (const char* forced : {"auto", "postgres", "model", "other"}) {
      EXPECT_EQ(Read(facts, forced).kind, "other")
          << facts.artifact_type << " " << facts.config_type << " " << forced;
    }
  }
}

TEST(ClassifyTest, EverythingElseIsOther) {
  const ImageFacts cases[] = {
      ImageAt("pgbouncer", "1.24.1"),
      ImageAt("postgres-exporter", "0.15.0"),
      ImageAt("postgresql-operator", "1.28.0"),
      ImageAt("nim-operator", "1.0"),
      ImageAt("nim", "1.0"),
      ImageAt("tools/nimble/x", "1.0"),
      Artifact("postgresql", "17.4", "application/vnd.acme.thing.v1",
               std::string(media_type::kOciEmpty), {}),
      Artifact("postgresql", "17.4", "", "application/vnd.wasm.config.v0+json",
               {"application/wasm"}),
      Artifact("postgresql", "17.4", "application/vnd.edb.operandset.v1", "", {},
               {{"org.enterprisedb.pg.flavor", "epas"}}),
  };
  for (const ImageFacts& facts : cases) {
    EXPECT_EQ(Read(facts).kind, "other") << facts.repository << " " << facts.config_type;
  }
  EXPECT_EQ(Read(ImageAt("pgbouncer", "1.24.1")).version, "1.24.1");
}

TEST(ClassifyTest, KeysAreTheAdmins) {
  const ClassificationKeys keys =
      ParseClassificationKeys(R"({"flavor": ["com.acme.flavor"], "title": ["com.acme.*.title"]})");
  const ImageFacts facts = ImageAt(
      "team/db", "17.4", {{"com.acme.flavor", "epas"}, {"org.enterprisedb.pg.flavor", "pg"}},
      {{"com.acme.image.title", " Ours "}});
  const Classification image = Classify(facts, keys);
  EXPECT_EQ(image.kind, "postgres");
  EXPECT_EQ(image.flavor, "epas");
  EXPECT_EQ(image.title, "Ours");
  EXPECT_EQ(Classify(ImageAt("team/db", "1", {{"org.enterprisedb.pg.flavor", "pg"}}), keys).kind,
            "other");

  for (const char* bad : {"", "[]", "{\"flavor\": 1}", "{\"flavor\": [1]}", "{"}) {
    try {
      ParseClassificationKeys(bad);
      ADD_FAILURE() << "accepted " << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    }
  }
}

TEST(ClassifyTest, HostileValuesStayData) {
  const Classification image =
      Read(ImageAt("postgresql", "17.4",
                   {{"org.enterprisedb.pg.flavor", "x'; DROP TABLE rule; --\x01\xff"},
                    {"org.enterprisedb.pg.major_version", std::string(100'000, '9')},
                    {"org.enterprisedb.pg.features", std::string(10'000, '/')}}));
  ASSERT_EQ(image.conflicts.size(), 3u);
  for (const std::string& phrase : image.conflicts) {
    EXPECT_LT(phrase.size(), 200u);
    EXPECT_EQ(phrase.find('\x01'), std::string::npos);
    EXPECT_EQ(phrase.find('\xff'), std::string::npos);
  }
}

struct ExtensionListCase {
  const char* base64;
  bool valid;
  std::vector<std::string> names;
};

TEST(ExtensionListTest, Parses) {
  const ExtensionListCase cases[] = {
      {kExtensions, true, {"pgvector", "postgis"}},
      {"cGd2ZWN0b3IsMC44LjAsdmVjdG9ycw==", true, {"pgvector"}},  // no header, no newline
      {"cGd2ZWN0b3IsMC44LjAsdmVjdG9ycw", true, {"pgvector"}},    // no padding
      {"YSwxDQpiLDINCg==", true, {"a", "b"}},                    // a,1\r\nb,2\r\n
      {"dmVyc2lvbixuYW1lCjEsYQo=", true, {"a"}},                 // version,name\n1,a\n
      {"77u/bmFtZSx2ZXJzaW9uCmEsMQo=", true, {"a"}},             // byte order mark
      {"YSwxCmEsMgo=", true, {"a"}},                             // a twice
      {"bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCg==", true, {}},        // only the header
      {"", true, {}},
      {"%%%", false, {}},
      {"aGVsbG8=", false, {}},      // hello
      {"YSwiMQo=", false, {}},      // a,"1 unclosed
      {"YSwxIjIK", false, {}},      // a,1"2
      {"LDEsZAo=", false, {}},      // ,1,d
      {"YSwxLGQsZQo=", false, {}},  // four fields
      {"YQBiLDE=", false, {}},      // NUL
      {"/////w==", false, {}},      // no UTF-8
  };
  for (const ExtensionListCase& c : cases) {
    std::vector<Extension> extensions = {{"left", "over", ""}};
    EXPECT_EQ(ParseExtensionList(c.base64, &extensions), c.valid) << c.base64;
    std::vector<std::string> names;
    for (const Extension& e : extensions) names.push_back(e.name);
    EXPECT_EQ(names, c.names) << c.base64;
  }
}

struct ProfileCase {
  const char* name;
  const char* engine;
  const char* gpu;
  const char* precision;
  int tp, pp;
  const char* qos;
  bool lora, buildable;
};

TEST(ModelProfileTest, Parses) {
  const ProfileCase cases[] = {
      {"tensorrt_llm-h100-fp8-tp2-pp1-latency", "tensorrt_llm", "h100", "fp8", 2, 1, "latency",
       false, false},
      {"vllm-bf16-tp1-pp1-lora", "vllm", "", "bf16", 1, 1, "", true, false},
      {"vllm-bf16-tp1-pp1-feat_lora", "vllm", "", "bf16", 1, 1, "", true, false},
      {"tensorrt_llm-trtllm_buildable-bf16-tp1-pp1", "tensorrt_llm", "", "bf16", 1, 1, "", false,
       true},
      {"tensorrt_llm-h100_nvl-fp8-tp8-pp2-throughput", "tensorrt_llm", "h100_nvl", "fp8", 8, 2,
       "throughput", false, false},
      {"tensorrt_llm-a100-sxm4-40gb-fp16-tp4-pp1-balanced", "tensorrt_llm", "a100_sxm4_40gb",
       "fp16", 4, 1, "balanced", false, false},
      {"tensorrt_llm-h100x2-fp8-latency", "tensorrt_llm", "h100", "fp8", 2, 1, "latency", false,
       false},
      {"tensorrt_llm-h100x4-fp8-tp2-pp2-latency", "tensorrt_llm", "h100", "fp8", 2, 2, "latency",
       false, false},
      {"tensorrt_llm-h100-fp8-tp1-pp1-throughput-2330:10de-2", "tensorrt_llm", "h100", "fp8", 1, 1,
       "throughput", false, false},
      {"sglang-nvfp4-tp8-pp1", "sglang", "", "nvfp4", 8, 1, "", false, false},
      {"vllm-int4_awq-tp2-pp1", "vllm", "", "int4_awq", 2, 1, "", false, false},
      {"onnx-fp16", "onnx", "", "fp16", 1, 1, "", false, false},
  };
  for (const ProfileCase& c : cases) {
    const auto profile = ParseModelProfile(c.name);
    ASSERT_TRUE(profile) << c.name;
    EXPECT_EQ(profile->name, c.name);
    EXPECT_EQ(profile->engine, c.engine) << c.name;
    EXPECT_EQ(profile->gpu, c.gpu) << c.name;
    EXPECT_EQ(profile->precision, c.precision) << c.name;
    EXPECT_EQ(profile->tp, c.tp) << c.name;
    EXPECT_EQ(profile->pp, c.pp) << c.name;
    EXPECT_EQ(profile->qos, c.qos) << c.name;
    EXPECT_EQ(profile->lora, c.lora) << c.name;
    EXPECT_EQ(profile->buildable, c.buildable) << c.name;
  }
  for (const char* name : {"", "-", "vllm", "hello world", "hello-world", "vllm--tp1", "tp1-pp1",
                           "vllm-tp1-tp2", "vllm-tp0x", "fp8-tp1", "1-tp1-pp1", "a/b-tp1-pp1"}) {
    EXPECT_FALSE(ParseModelProfile(name)) << name;
  }
}

}  // namespace
}  // namespace image_library
