// A second catalogue, of published formats in the forms that are met in the field: what each row
// must be was written from the publishers' documents, not from what the classifier says.
// Sources: EDB "Custom operand images", "Identify image name" (PGD for Kubernetes), CloudNativePG
// docker-bake.hcl of postgres-containers and postgres-extensions-containers, Docker Official
// Images, NVIDIA NIM "list-model-profiles", ModelPack model-spec, KitOps, Docker Model Runner,
// Ollama.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue_entry.h"

namespace image_library {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// buildx with the annotation levels index and manifest, and the same as labels.
Entry Built(std::string repository, std::string tag, const StringMap& facts) {
  return {.repository = std::move(repository),
          .tag = std::move(tag),
          .parts = {{.annotations = facts, .labels = facts},
                    {.platform = "linux/arm64", .annotations = facts, .labels = facts}},
          .annotations = facts,
          .has_attestations = true};
}

Entry Named(std::string repository, std::string tag) {
  return {.repository = std::move(repository), .tag = std::move(tag), .parts = {{}}};
}

Entry Labelled(std::string repository, std::string tag, StringMap labels) {
  return {.repository = std::move(repository),
          .tag = std::move(tag),
          .parts = {{.labels = std::move(labels)}}};
}

Entry Indexed(std::string repository, std::string tag, StringMap annotations) {
  return {.repository = std::move(repository),
          .tag = std::move(tag),
          .parts = {{}, {.platform = "linux/s390x"}},
          .annotations = std::move(annotations)};
}

StringMap Pg(const char* flavor, const char* major, const char* features = "",
             const char* created = "") {
  StringMap map = {{"org.enterprisedb.pg.flavor", flavor},
                   {"org.enterprisedb.pg.major_version", major}};
  if (*features) map["org.enterprisedb.pg.features"] = features;
  if (*created) map["org.opencontainers.image.created"] = created;
  return map;
}

StringMap Cnpg(const std::string& version, const std::string& type, const std::string& suite) {
  const std::string home = "https://github.com/cloudnative-pg/postgres-containers";
  return {{"org.opencontainers.image.created", "2026-08-17T08:14:05Z"},
          {"org.opencontainers.image.url", home},
          {"org.opencontainers.image.source", home},
          {"org.opencontainers.image.version", version},
          {"org.opencontainers.image.revision", "0123456789abcdef"},
          {"org.opencontainers.image.vendor", "The CloudNativePG Contributors"},
          {"org.opencontainers.image.title", "CloudNativePG PostgreSQL " + version + " " + type},
          {"org.opencontainers.image.description",
           "A " + type + " PostgreSQL " + version + " container image"},
          {"org.opencontainers.image.licenses", "Apache-2.0"},
          {"org.opencontainers.image.base.name", "docker.io/library/debian:" + suite + "-slim"}};
}

StringMap BaseName(const char* name) { return {{"org.opencontainers.image.base.name", name}}; }

struct ServerRow {
  Entry entry;
  const char* flavor;
  int major;
  const char* version;
  const char* build_at;
  const char* variant;
  const char* os;
  const char* features = "";
};

std::string Joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ",") + text;
  return all;
}

TEST(ClassifyPublishedTest, Servers) {
  const ServerRow rows[] = {
      // EDB Postgres AI
      {Built("pgai-platform/postgresql", "17.4-2503191025",
             Pg("pg", "17", "", "2025-03-19T10:25:44Z")),
       "postgresql", 17, "17.4", "2025-03-19 10:25:00+00", "", ""},
      {Built("pgai-platform/postgresql", "17.4-2503191025-full",
             Pg("pg", "17", "", "2025-03-19T10:25:44Z")),
       "postgresql", 17, "17.4", "2025-03-19 10:25:00+00", "full", ""},
      {Built("pgai-platform/edb-postgres-advanced", "18.3-2605132051-full",
             Pg("epas", "18", "psr,pgd,analytics,tde", "2026-05-13T20:51:09Z")),
       "epas", 18, "18.3", "2026-05-13 20:51:00+00", "full", "", "analytics,pgd,psr,tde"},
      {Built("pgai-platform/edb-postgres-extended", "17.5-2505220734", Pg("pgextended", "17")),
       "pge", 17, "17.5", "2025-05-22 07:34:00+00", "", ""},
      {Built("edb-postgres-extended", "17.5", Pg("pge", "17")), "pge", 17, "17.5", "", "", ""},
      {Built("edb-postgres-extended", "17.5", Pg("extended", "17")), "pge", 17, "17.5", "", "", ""},
      {Built("team/a", "17.5", Pg("Extended", "17")), "pge", 17, "17.5", "", "", ""},
      {Built("team/a", "17.5", Pg("pg_extended", "17")), "pge", 17, "17.5", "", "", ""},
      {Built("team/a", "17.5", Pg("EDB Postgres Extended", "17")), "pge", 17, "17.5", "", "", ""},
      {Built("team/a", "17.5", Pg("advanced", "17")), "epas", 17, "17.5", "", "", ""},
      {Built("team/a", "17.5", Pg("edb-postgres-advanced", "17")), "epas", 17, "17.5", "", "", ""},
      {Built("team/a", "17.5", Pg("PostgreSQL", "17")), "postgresql", 17, "17.5", "", "", ""},
      {Named("postgresql-torsten", "16.6-2411190915-full"), "postgresql", 16, "16.6",
       "2024-11-19 09:15:00+00", "full", ""},
      {Named("postgresql", "9.6.24"), "postgresql", 9, "9.6.24", "", "", ""},
      // EDB Postgres Distributed
      {Named("k8s_enterprise_pgd/edb-postgres-advanced-pgd", "16.2.0-5.4.1-1"), "epas", 16,
       "16.2.0", "", "5.4.1-1", "", "pgd"},
      {Named("k8s_enterprise_pgd/postgresql-pgd", "15.6-5.4.1-1"), "postgresql", 15, "15.6", "",
       "5.4.1-1", "", "pgd"},
      {Named("k8s_enterprise_pgd/edb-postgres-extended-pgd", "17.2-5.6.1-1-ubi9"), "pge", 17,
       "17.2", "", "5.6.1-1", "ubi9", "pgd"},
      // EDB Postgres for Kubernetes
      {Named("k8s_enterprise/edb-postgres-advanced", "16.4-ubi9"), "epas", 16, "16.4", "", "",
       "ubi9"},
      {Named("enterprisedb/postgresql", "17.2-ubi8"), "postgresql", 17, "17.2", "", "", "ubi8"},
      {Named("enterprisedb/edb-postgres-advanced", "14.10"), "epas", 14, "14.10", "", "", ""},
      // No version in the tag: the annotations are all there is.
      {Built("pgai-platform/postgresql", "latest", Pg("pg", "18", "tde", "2026-05-13T20:51:09Z")),
       "postgresql", 18, "18", "2026-05-13 20:51:09+00", "", "", "tde"},
      {Indexed("team/prod-db", "latest", Pg("epas", "15", "psr")), "epas", 15, "15", "", "", "",
       "psr"},
      {Labelled("team/prod-db", "17.2-2411190915", Pg("epas", "17", "tde")), "epas", 17, "17.2",
       "2024-11-19 09:15:00+00", "", "", "tde"},
      // Labels of the base image beside the image's own annotations
      {{.repository = "team/ledger",
        .tag = "18.3-2605132051",
        .parts = {{.annotations = Pg("pg", "18"), .labels = Pg("epas", "17", "tde")}}},
       "postgresql",
       18,
       "18.3",
       "2026-05-13 20:51:00+00",
       "",
       ""},
      {Labelled("library/postgres", "16.4",
                {{"org.opencontainers.image.ref.name", "ubuntu"},
                 {"org.opencontainers.image.version", "24.04"}}),
       "postgresql", 16, "16.4", "", "", ""},
      // Custom images by their base
      {Labelled("team/app-db", "3.0.1",
                BaseName("docker.enterprisedb.com/pgai-platform/postgresql:17.4-2503191025-full")),
       "postgresql", 17, "", "", "", ""},
      {Indexed("team/app-db", "prod",
               BaseName("docker.enterprisedb.com/pgai-platform/edb-postgres-advanced@sha256:0")),
       "epas", 0, "", "", "prod", ""},
      {Indexed("team/app-db", "1.0.0", BaseName("postgres:16.3-alpine3.20")), "postgresql", 16, "",
       "", "", "alpine3.20"},
      {Indexed("team/app-db", "1.0.0", BaseName("docker.io/library/postgres:15")), "postgresql", 15,
       "", "", "", ""},
      // CloudNativePG
      {Built("cloudnative-pg/postgresql", "18.6-202608170814-minimal-trixie",
             Cnpg("18.6", "minimal", "trixie")),
       "postgresql", 18, "18.6", "2026-08-17 08:14:00+00", "minimal", "trixie"},
      {Built("cloudnative-pg/postgresql", "18-standard-bookworm",
             Cnpg("18.6", "standard", "bookworm")),
       "postgresql", 18, "18.6", "2026-08-17 08:14:05+00", "standard", "bookworm"},
      {Built("cloudnative-pg/postgresql", "17.11-system-bullseye",
             Cnpg("17.11", "system", "bullseye")),
       "postgresql", 17, "17.11", "2026-08-17 08:14:05+00", "system", "bullseye"},
      {Built("cloudnative-pg/postgresql", "19beta3-202608170814-standard-trixie",
             Cnpg("19~beta3", "standard", "trixie")),
       "postgresql", 19, "19beta3", "2026-08-17 08:14:00+00", "standard", "trixie"},
      {Built("cloudnative-pg/postgresql", "19-minimal-trixie",
             Cnpg("19~beta3", "minimal", "trixie")),
       "postgresql", 19, "19beta3", "2026-08-17 08:14:05+00", "minimal", "trixie"},
      {Built("cloudnative-pg/postgresql-testing", "18.6-202608170814-system-trixie",
             Cnpg("18.6", "system", "trixie")),
       "postgresql", 18, "18.6", "2026-08-17 08:14:00+00", "system", "trixie"},
      // Rolling tags that say nothing of the type: the title does.
      {Built("cloudnative-pg/postgresql", "17.11", Cnpg("17.11", "system", "bullseye")),
       "postgresql", 17, "17.11", "2026-08-17 08:14:05+00", "system", "bullseye"},
      {Built("cloudnative-pg/postgresql", "17", Cnpg("17.11", "system", "bullseye")), "postgresql",
       17, "17.11", "2026-08-17 08:14:05+00", "system", "bullseye"},
      // Mirrored under a name of the company's own
      {Built("golden/database-base", "2026q3", Cnpg("16.15", "minimal", "bookworm")), "postgresql",
       16, "16.15", "2026-08-17 08:14:05+00", "minimal", "bookworm"},
      // Revisions of CloudNativePG's first years
      {Named("cloudnative-pg/postgresql", "16.2-7"), "postgresql", 16, "16.2", "", "", ""},
      {Named("cloudnative-pg/postgresql", "15.6-12-bookworm"), "postgresql", 15, "15.6", "", "",
       "bookworm"},
      {Named("cloudnative-pg/postgresql", "14.11-bullseye"), "postgresql", 14, "14.11", "", "",
       "bullseye"},
      {Named("cloudnative-pg/postgis", "17-3.5-system-bookworm"), "postgresql", 17, "17", "",
       "3.5-system", "bookworm"},
      // Docker Official Images and their kin
      {Named("library/postgres", "16.3-alpine3.20"), "postgresql", 16, "16.3", "", "",
       "alpine3.20"},
      {Named("library/postgres", "17rc1"), "postgresql", 17, "17rc1", "", "", ""},
      {Named("library/postgres", "17rc1-alpine"), "postgresql", 17, "17rc1", "", "", "alpine"},
      {Named("library/postgres", "18beta2-bookworm"), "postgresql", 18, "18beta2", "", "",
       "bookworm"},
      {Named("library/postgres", "13-bullseye"), "postgresql", 13, "13", "", "", "bullseye"},
      {Named("library/postgres", "9.6.24-stretch"), "postgresql", 9, "9.6.24", "", "", "stretch"},
      {Named("library/postgres", "17"), "postgresql", 17, "17", "", "", ""},
      {Indexed("library/postgres", "latest", BaseName("debian:trixie-slim")), "postgresql", 0, "",
       "", "", "trixie"},
      {Named("library/postgres", "bookworm"), "postgresql", 0, "", "", "", "bookworm"},
      {Named("library/postgres", "alpine3.21"), "postgresql", 0, "", "", "", "alpine3.21"},
      {Named("bitnami/postgresql", "17.4.0-debian-12-r3"), "postgresql", 17, "17.4.0", "", "",
       "debian-12"},
      {Named("postgis/postgis", "16-3.4-alpine"), "postgresql", 16, "16", "", "3.4", "alpine"},
  };
  for (const ServerRow& row : rows) {
    SCOPED_TRACE(row.entry.repository + ":" + row.entry.tag);
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "postgres");
    EXPECT_EQ(image.flavor, row.flavor);
    EXPECT_EQ(image.major_version.value_or(0), row.major);
    EXPECT_EQ(image.version, row.version);
    EXPECT_EQ(image.build_at, row.build_at);
    EXPECT_EQ(image.variant, row.variant);
    EXPECT_EQ(image.os, row.os);
    EXPECT_EQ(Joined(image.features), row.features);
    EXPECT_THAT(image.conflicts, IsEmpty());
  }
}

struct ModelRow {
  Entry entry;
  const char* format;
  const char* publisher;
  const char* model;
  const char* version;
};

Entry Artifact(std::string repository, std::string tag, std::string artifact_type,
               std::string config_type, std::vector<std::string> layer_types,
               StringMap annotations = {}) {
  return {.repository = std::move(repository),
          .tag = std::move(tag),
          .parts = {{.platform = "",
                     .annotations = std::move(annotations),
                     .config_type = std::move(config_type),
                     .layer_types = std::move(layer_types),
                     .artifact_type = std::move(artifact_type)}},
          .is_index = false};
}

const std::string kEmpty(media_type::kOciEmpty);
const std::string kOci(media_type::kOciConfig);
const std::string kDocker(media_type::kDockerConfig);

TEST(ClassifyPublishedTest, Models) {
  const StringMap native = {{"com.nvidia.nim.model_download_protocol", "native-v1"}};
  const ModelRow rows[] = {
      // EDB's table of models, as NVIDIA publishes them
      {Named("nim/nvidia/llama-3.3-nemotron-super-49b-v1", "1.8.5"), "nim", "nvidia",
       "llama-3.3-nemotron-super-49b-v1", "1.8.5"},
      {Named("nim/nvidia/llama-3.2-nemoretriever-300m-embed-v1", "latest"), "nim", "nvidia",
       "llama-3.2-nemoretriever-300m-embed-v1", ""},
      {Named("nim/nvidia/nvclip", "latest"), "nim", "nvidia", "nvclip", ""},
      {Named("nim/baidu/paddleocr", "latest"), "nim", "baidu", "paddleocr", ""},
      {Named("nim/nvidia/llama-3.2-nv-rerankqa-1b-v2", "1.3.1"), "nim", "nvidia",
       "llama-3.2-nv-rerankqa-1b-v2", "1.3.1"},
      {Named("nim/meta/llama-3.1-8b-instruct", "1.10.1-rtx"), "nim", "meta",
       "llama-3.1-8b-instruct", "1.10.1"},
      {Named("nim/deepseek-ai/deepseek-r1", "1.7.3"), "nim", "deepseek-ai", "deepseek-r1", "1.7.3"},
      {Named("nim/model-of-nobody", "1.0"), "nim", "", "model-of-nobody", "1.0"},
      // By label, wherever it lies
      {Labelled("air-gapped/llm", "2026-07", native), "nim", "air-gapped", "llm", "2026"},
      {Labelled("ai/ocr", "1.2.0", native), "nim", "ai", "ocr", "1.2.0"},
      // ModelPack
      {Artifact("hub/qwen3", "8b", "application/vnd.cncf.model.manifest.v1+json",
                "application/vnd.cncf.model.config.v1+json",
                {"application/vnd.cncf.model.weight.v1.raw",
                 "application/vnd.cncf.model.weight.config.v1.raw",
                 "application/vnd.cncf.model.doc.v1.raw"}),
       "modelpack", "hub", "qwen3", ""},
      {Artifact("hub/data-only", "1", "application/vnd.cncf.model.manifest.v1+json", kEmpty,
                {"application/vnd.cncf.model.dataset.v1.tar"}),
       "modelpack", "hub", "data-only", "1"},
      {Artifact("hub/by-config", "1", "", "application/vnd.cncf.model.config.v1+json",
                {"application/octet-stream"}),
       "modelpack", "hub", "by-config", "1"},
      {Artifact("hub/by-layer", "1", "", kOci, {"application/vnd.cncf.model.code.v1.tar+zstd"}),
       "modelpack", "hub", "by-layer", "1"},
      {Artifact("hub/by-layer", "1", "application/vnd.acme.bundle", kEmpty,
                {"application/vnd.cncf.model.weight.v1.gguf"}),
       "modelpack", "hub", "by-layer", "1"},
      // An artifact type comes before a config type, a config type before layers.
      {Artifact("hub/mixed", "1", "application/vnd.cncf.model.manifest.v1+json",
                "application/vnd.kitops.modelkit.config.v1+json", {}),
       "modelpack", "hub", "mixed", "1"},
      {Artifact("hub/mixed", "1", "", "application/vnd.docker.ai.model.config.v0.2+json",
                {"application/vnd.cncf.model.weight.v1.safetensors"}),
       "docker-model", "hub", "mixed", "1"},
      // KitOps
      {Artifact("jozu/fine-tuned", "tuned-v2", "", "application/vnd.kitops.modelkit.config.v1+json",
                {"application/vnd.kitops.modelkit.model.v1.tar",
                 "application/vnd.kitops.modelkit.code.v1.tar+gzip",
                 "application/vnd.kitops.modelkit.docs.v1.tar"}),
       "kitops", "jozu", "fine-tuned", ""},
      // Docker Model Runner
      {Artifact("ai/smollm2", "360M-Q4_K_M", "", "application/vnd.docker.ai.model.config.v0.1+json",
                {"application/vnd.docker.ai.gguf.v3", "application/vnd.docker.ai.license"}),
       "docker-model", "ai", "smollm2", ""},
      {Artifact("ai/mistral", "7B", "", "application/vnd.docker.ai.model.config.v0.2+json",
                {"application/vnd.docker.ai.safetensors"}),
       "docker-model", "ai", "mistral", ""},
      {Artifact("ai/vision", "1.5", "", kEmpty, {"application/vnd.docker.ai.mmproj"}),
       "docker-model", "ai", "vision", "1.5"},
      // Ollama: a Docker manifest
      {{.repository = "library/llama3.2",
        .tag = "3b-instruct-q4_K_M",
        .parts = {{.platform = "",
                   .config_type = kDocker,
                   .layer_types = {"application/vnd.ollama.image.model",
                                   "application/vnd.ollama.image.template",
                                   "application/vnd.ollama.image.license",
                                   "application/vnd.ollama.image.params"}}},
        .is_index = false,
        .is_docker = true},
       "ollama",
       "",
       "llama3.2",
       ""},
      {{.repository = "me/new-engine",
        .tag = "latest",
        .parts = {{.platform = "",
                   .config_type = kDocker,
                   .layer_types = {"application/vnd.ollama.image.tensor"}}},
        .is_index = false,
        .is_docker = true},
       "ollama",
       "me",
       "new-engine",
       ""},
      // Model cars
      {Named("rhelai1/modelcar-llama-3-1-8b-instruct", "1.5"), "modelcar", "rhelai1",
       "llama-3-1-8b-instruct", "1.5"},
      {Named("acme/modelcars/bert", "v2.0.1"), "modelcar", "modelcars", "bert", "2.0.1"},
  };
  for (const ModelRow& row : rows) {
    SCOPED_TRACE(row.entry.repository + ":" + row.entry.tag);
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "model");
    EXPECT_EQ(image.format, row.format);
    EXPECT_EQ(image.publisher, row.publisher);
    EXPECT_EQ(image.model, row.model);
    EXPECT_EQ(image.model_version, row.version);
    EXPECT_THAT(image.conflicts, IsEmpty());
  }
}

TEST(ClassifyPublishedTest, RulesSayWhatNothingElseSays) {
  EXPECT_EQ(Read(Named("team/bert-server", "1.0"), "model").format, "modelcar");
  EXPECT_EQ(Read(Artifact("team/weights", "1", "application/vnd.acme.weights", kEmpty, {}), "model")
                .format,
            "oci-volume");
  EXPECT_EQ(Read(Labelled("team/llm", "1", {{"com.nvidia.nim.version", "1.2"}}), "model").format,
            "nim");
  const Classification database = Read(Named("team/db", "16.4-2411190915-full"), "postgres");
  EXPECT_EQ(database.kind, "postgres");
  EXPECT_EQ(database.major_version, 16);
  EXPECT_EQ(database.variant, "full");
  EXPECT_EQ(Read(Named("nim/meta/llama", "1.0"), "other").kind, "other");
}

TEST(ClassifyPublishedTest, NeverModelsNorDatabases) {
  const Entry attached[] = {
      Artifact("charts/postgresql", "17.4", "", "application/vnd.cncf.helm.config.v1+json",
               {"application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "application/vnd.cncf.helm.chart.provenance.v1.prov"}),
      Artifact("nim/meta/nim-llm", "1.7.0", "", "application/vnd.cncf.helm.config.v1+json",
               {"application/vnd.cncf.helm.chart.content.v1.tar+gzip"}),
      Artifact("postgresql", "sha256-" + std::string(64, 'a') + ".sig", "", kOci,
               {"application/vnd.dev.cosign.simplesigning.v1+json"}),
      Artifact("postgresql", "sha256-" + std::string(64, 'a') + ".att", "", kOci,
               {"application/vnd.dsse.envelope.v1+json"}),
      Artifact("postgresql", "sha256-" + std::string(64, 'a') + ".sbom", "", kOci,
               {"text/spdx+json"}),
      Artifact("hub/qwen", "signature", "application/vnd.dev.cosign.artifact.sig.v1+json", kEmpty,
               {"application/vnd.dev.cosign.simplesigning.v1+json"}),
      Artifact("hub/qwen", "bundle", "application/vnd.dev.sigstore.bundle.v0.3+json", kEmpty,
               {"application/vnd.dev.sigstore.bundle.v0.3+json"}),
      Artifact("hub/qwen", "notation", "application/vnd.cncf.notary.signature", kEmpty,
               {"application/jose+json"}),
      Artifact("hub/qwen", "notation", "", "application/vnd.cncf.notary.signature",
               {"application/cose"}),
      Artifact("hub/qwen", "intoto", "application/vnd.in-toto+json", kEmpty,
               {"application/vnd.in-toto+json"}),
      Artifact("hub/qwen", "intoto", "", kOci, {"application/vnd.in-toto+json"}),
      Artifact("hub/qwen", "sbom", "application/vnd.cyclonedx+json", kEmpty, {}),
      Artifact("hub/qwen", "sbom", "application/spdx+json", kEmpty, {}),
      Artifact("hub/qwen", "vex", "application/vnd.openvex+json", kEmpty, {}),
      Artifact("hub/qwen", "scan", "application/sarif+json", kEmpty, {}),
      Artifact("postgresql", "att", "", kOci, {kOciLayer},
               {{"vnd.docker.reference.type", "attestation-manifest"}}),
  };
  for (const Entry& entry : attached) {
    for (const char* forced : {"auto", "model", "postgres"})
      EXPECT_EQ(Read(entry, forced).kind, "other")
          << entry.repository << ":" << entry.tag << " " << forced;
  }
  const Entry others[] = {
      Artifact("postgresql", "1", "application/vnd.acme.unknown", kEmpty, {"text/plain"}),
      Artifact("nim/meta/llama", "1", "application/vnd.acme.unknown", kEmpty, {"text/plain"}),
      Artifact("postgresql", "1", "", "application/vnd.wasm.config.v0+json", {"application/wasm"}),
      Artifact("postgresql", "1", "", "application/vnd.unknown.config.v1+json", {"text/plain"}),
      Artifact("policies", "1", "application/vnd.cncf.kyverno.config.v1+json", kEmpty, {}),
      Artifact("flux", "1", "", "application/vnd.cncf.flux.config.v1+json",
               {"application/vnd.cncf.flux.content.v1.tar+gzip"}),
      Named("nvidia/pytorch", "25.01-py3"),
      Named("nvidia/cloud-native/k8s-nim-operator", "v3.0.0"),
      Named("nvidia/tritonserver", "25.01-py3"),
      Named("cloudnative-pg/cloudnative-pg", "1.28.0"),
      Named("cloudnative-pg/pgbouncer", "1.25.0-202601051200-trixie"),
      Named("prometheuscommunity/postgres-exporter", "v0.17.1"),
      Named("postgrest/postgrest", "v12.2"),
      Named("library/redis", "7.4"),
      Named("kserve/huggingfaceserver", "v0.15.0-gpu"),
      Named("vllm/vllm-openai", "v0.10.0"),
      Named("ollama/ollama", "0.11.4"),
      Named("edb-postgres-advancedx", "17.4"),
      Named("minimal", "1.0"),
  };
  for (const Entry& entry : others) {
    EXPECT_EQ(Read(entry).kind, "other") << entry.repository << ":" << entry.tag;
  }
}

TEST(ClassifyPublishedTest, ExtensionImages) {
  const auto keys = [](const char* version, const char* major, const char* os, const char* sql) {
    return StringMap{{"org.opencontainers.image.created", "2026-08-20T14:14:00Z"},
                     {"org.opencontainers.image.version", version},
                     {"org.opencontainers.image.base.name", "scratch"},
                     {"io.cloudnativepg.image.base.name",
                      std::string("ghcr.io/cloudnative-pg/postgresql:") + major + "-minimal-" + os},
                     {"io.cloudnativepg.image.base.pgmajor", major},
                     {"io.cloudnativepg.image.base.os", os},
                     {"io.cloudnativepg.image.sql.version", sql}};
  };
  struct Row {
    Entry entry;
    const char* name;
    const char* version;
    int major;
    const char* os;
  };
  const Row rows[] = {
      {Built("cloudnative-pg/pgvector", "0.8.6-202608201414-18-trixie",
             keys("0.8.6", "18", "trixie", "0.8.6")),
       "pgvector", "0.8.6", 18, "trixie"},
      {Built("cloudnative-pg/pgvector", "0.8.6-18-bookworm",
             keys("0.8.6", "18", "bookworm", "0.8.6")),
       "pgvector", "0.8.6", 18, "bookworm"},
      {Built("cloudnative-pg/postgis-extension", "3.6.4-202608201414-18-trixie",
             keys("3.6.4", "18", "trixie", "3.6.4")),
       "postgis", "3.6.4", 18, "trixie"},
      // No SQL part: the annotation is empty.
      {Built("cloudnative-pg/wal2json", "2.6-202608201414-18-trixie",
             keys("2.6", "18", "trixie", "")),
       "wal2json", "2.6", 18, "trixie"},
      // A package with an epoch: 1:6.1.0
      {Built("cloudnative-pg/pg-odd", "1-6.1.0-202608201414-18-trixie",
             keys("1-6.1.0", "18", "trixie", "")),
       "pg-odd", "1-6.1.0", 18, "trixie"},
      {Built("mirror/ext/pgaudit", "golden", keys("18.0", "18", "trixie", "18.0")), "pgaudit",
       "18.0", 18, "trixie"},
      // Only the children are annotated, and only with what the operator needs.
      {{.repository = "team/pg-ivm",
        .tag = "1.13-18-trixie",
        .parts = {{.annotations = {{"io.cloudnativepg.image.base.pgmajor", "18"},
                                   {"io.cloudnativepg.image.base.os", "trixie"}}}}},
       "pg-ivm",
       "1.13",
       18,
       "trixie"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.entry.repository + ":" + row.entry.tag);
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "other");
    EXPECT_EQ(image.major_version.value_or(0), row.major);
    EXPECT_EQ(image.os, row.os);
    ASSERT_EQ(image.extensions.size(), 1u);
    EXPECT_EQ(image.extensions[0].name, row.name);
    EXPECT_EQ(image.extensions[0].version, row.version);
    EXPECT_EQ(image.variant, "");
    EXPECT_THAT(image.conflicts, IsEmpty());
  }
}

TEST(ClassifyPublishedTest, ContradictionsAreTold) {
  struct Row {
    Entry entry;
    const char* flavor;
    int major;
    const char* phrase;
    bool contested;
  };
  const Row rows[] = {
      {Built("pgai-platform/postgresql", "17.4-2503191025", Pg("epas", "17")), "epas", 17,
       "annotation says flavor epas, repository says postgresql", false},
      {Labelled("pgai-platform/postgresql", "17.4-2503191025", Pg("epas", "17")), "epas", 17,
       "label says flavor epas, repository says postgresql", false},
      {Built("edb-postgres-extended", "17.4-2503191025", Pg("epas", "17")), "epas", 17,
       "annotation says flavor epas, repository says pge", true},
      {Built("team/db", "16.8-2503310734", Pg("pg", "17")), "postgresql", 17, "major version 17",
       true},
      {Labelled("team/db", "16.8-2503310734", Pg("pg", "17")), "postgresql", 17,
       "label says major version 17", true},
      {Built("team/db", "17.4", Pg("pg", "0")), "postgresql", 17, "is no major version", false},
      {Built("team/db", "17.4", Pg("pg", "17.4")), "postgresql", 17, "is no major version", false},
      {Built("edb-postgres-extended", "17.4", Pg("pgx", "17")), "pge", 17, "\"pgx\" is unknown",
       false},
      {Built("cloudnative-pg/postgresql", "18.5-minimal-trixie", Cnpg("18.6", "minimal", "trixie")),
       "postgresql", 18, "annotation says version \"18.6\", tag says \"18.5\"", true},
      {Built("cloudnative-pg/postgresql", "18.6-standard-trixie",
             Cnpg("18.6", "minimal", "trixie")),
       "postgresql", 18, "variant", true},
      {Built("cloudnative-pg/postgresql", "18.6-minimal-bookworm",
             Cnpg("18.6", "minimal", "trixie")),
       "postgresql", 18, "operating system", true},
      {Built("team/db", "17.4-2503191025", Pg("pg", "17", "", "2026-01-01T00:00:00Z")),
       "postgresql", 17, "says created", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.entry.repository + ":" + row.entry.tag + " " + row.phrase);
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "postgres");
    EXPECT_EQ(image.flavor, row.flavor);
    EXPECT_EQ(image.major_version, row.major);
    EXPECT_THAT(image.conflicts, ElementsAre(HasSubstr(row.phrase)));
    EXPECT_EQ(image.contested, row.contested);
  }
}

}  // namespace
}  // namespace image_library
