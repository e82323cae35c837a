// A catalogue of images as their publishers document them, read the whole way: manifest, config,
// assembly, classification. Each row says what the documented keys mean, whatever the names are.
// Sources: EDB "Custom operand images", CloudNativePG postgres-containers and
// postgres-extensions-containers, ModelPack model-spec, KitOps, Docker Model Runner, Ollama,
// NVIDIA NIM Operator, OCI image-spec v1.1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue_entry.h"

namespace image_library {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Named(const Entry& entry) { return entry.repository + ":" + entry.tag; }

StringMap Edb(const char* flavor, const char* major, const char* features = "") {
  StringMap map = {{"org.enterprisedb.pg.flavor", flavor},
                   {"org.enterprisedb.pg.major_version", major}};
  if (*features) map["org.enterprisedb.pg.features"] = features;
  return map;
}

Part Docker(StringMap labels, std::string platform = "linux/amd64") {
  return {.platform = std::move(platform),
          .labels = std::move(labels),
          .config_type = std::string(media_type::kDockerConfig),
          .layer_types = {kDockerLayer}};
}

struct ServerRow {
  Entry entry;
  const char* flavor;
  std::optional<int> major;
  const char* version;
  const char* variant;
  const char* os;
  std::vector<std::string> features;
};

TEST(ClassifyCatalogueTest, PostgresServers) {
  const ServerRow rows[] = {
      // Annotations only on the children of a bare index; amd64 comes second.
      {{"platform/finance-db",
        "release-7",
        {{.platform = "linux/arm64/v8", .annotations = Edb("epas", "16", "psr,pgd")},
         {.annotations = Edb("epas", "16", "psr,pgd")}}},
       "epas",
       16,
       "16",
       "release-7",
       "",
       {"pgd", "psr"}},
      // Only on the index, the children say nothing and one is an attestation.
      {{.repository = "platform/hr-db",
        .tag = "stable",
        .parts = {{}, {.platform = "linux/ppc64le"}},
        .annotations = Edb("pg", "14"),
        .has_attestations = true},
       "postgresql",
       14,
       "14",
       "stable",
       "",
       {}},
      // Docker media types, labels only, a list of two machines.
      {{.repository = "legacy/oltp",
        .tag = "15.13",
        .parts = {Docker(Edb("pg", "15")), Docker(Edb("pg", "15"), "linux/s390x")},
        .is_docker = true},
       "postgresql",
       15,
       "15.13",
       "",
       "",
       {}},
      // A single Docker manifest.
      {{.repository = "legacy/olap",
        .tag = "nightly",
        .parts = {Docker(Edb("epas", "13", "analytics"))},
        .is_index = false,
        .is_docker = true},
       "epas",
       13,
       "13",
       "nightly",
       "",
       {"analytics"}},
      // The image's own annotation over what it inherited from its base as a label.
      {{.repository = "platform/ledger",
        .tag = "17.6-2509011200-full",
        .parts = {{.annotations = Edb("pgextended", "17", "TDE"), .labels = Edb("pg", "16")}}},
       "pge",
       17,
       "17.6",
       "full",
       "",
       {"tde"}},
      // The vocabulary of EDB's command line, in any case and with blanks.
      {{"ops/a", "v1", {{.annotations = Edb(" Postgres ", " 17 ")}}},
       "postgresql",
       17,
       "17",
       "",
       "",
       {}},
      {{"ops/b", "v1", {{.annotations = Edb("PGExtended", "15", "aha, analytics")}}},
       "pge",
       15,
       "15",
       "",
       "",
       {"aha", "analytics"}},
      {{"ops/c", "v1", {{.annotations = Edb("EPAS", "12")}}}, "epas", 12, "12", "", "", {}},
      // EDB's repositories without a single annotation.
      {{"pgai-platform/edb-postgres-advanced", "15.12-2502281130", {{}}},
       "epas",
       15,
       "15.12",
       "",
       "",
       {}},
      {{"pgai-platform/edb-postgres-extended", "18.3-2605132051-full", {{}}},
       "pge",
       18,
       "18.3",
       "full",
       "",
       {}},
      {{"k8s_enterprise/edb-postgres-extended-pgd", "17.2-5.6.1-1", {{}}},
       "pge",
       17,
       "17.2",
       "5.6.1-1",
       "",
       {"pgd"}},
      // A custom image that tells only what it was built from.
      {{"apps/ledger",
        "2.7.1",
        {{.labels =
              {{"org.opencontainers.image.base.name",
                "docker.enterprisedb.com/pgai-platform/edb-postgres-extended:16.6-2502030405"}}}}},
       "pge",
       16,
       "",
       "",
       "",
       {}},
      {{"apps/geo",
        "main",
        {{.annotations = {{"org.opencontainers.image.base.name",
                           "ghcr.io/cloudnative-pg/postgresql:17-standard-bookworm@" +
                               Digest('9')}}}}},
       "postgresql",
       17,
       "",
       "main",
       "bookworm",
       {}},
      // CloudNativePG: exact, rolling, prerelease, older suites, and mirrored under another path.
      {{"mirror/cnpg/postgresql",
        "16.10-202509150815-system-bullseye",
        {{.labels = {{"org.opencontainers.image.version", "16.10"},
                     {"org.opencontainers.image.created", "2025-09-15T08:15:20Z"}}}}},
       "postgresql",
       16,
       "16.10",
       "system",
       "bullseye",
       {}},
      {{"cloudnative-pg/postgresql",
        "17.6-standard-trixie",
        {{.platform = "linux/arm64",
          .annotations = {{"org.opencontainers.image.version", "17.6"}}}}},
       "postgresql",
       17,
       "17.6",
       "standard",
       "trixie",
       {}},
      {{"cloudnative-pg/postgresql",
        "19beta2-202607021500-minimal-trixie",
        {{.annotations = {{"org.opencontainers.image.version", "19~beta2"}}}}},
       "postgresql",
       19,
       "19beta2",
       "minimal",
       "trixie",
       {}},
      {{"cloudnative-pg/postgresql", "13.22-bookworm", {{}}},
       "postgresql",
       13,
       "13.22",
       "",
       "bookworm",
       {}},
      // Features alone mark a Postgres; which one nobody said.
      {{"apps/quiet", "16.9", {{.annotations = {{"org.enterprisedb.pg.features", "tde"}}}}},
       "",
       16,
       "16.9",
       "",
       "",
       {"tde"}},
  };
  for (const ServerRow& row : rows) {
    SCOPED_TRACE(Named(row.entry));
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "postgres");
    EXPECT_EQ(image.flavor, row.flavor);
    EXPECT_EQ(image.major_version, row.major);
    EXPECT_EQ(image.version, row.version);
    EXPECT_EQ(image.variant, row.variant);
    EXPECT_EQ(image.os, row.os);
    EXPECT_THAT(image.features, ElementsAreArray(row.features));
    EXPECT_THAT(image.conflicts, IsEmpty());
  }
}

TEST(ClassifyCatalogueTest, ExtensionListsAsTheyArePublished) {
  // name,version,description\npg_stat_monitor,2.1.1,"Query ""statistics"", by bucket"\n
  // postgis,3.5.3,\npgaudit,17.1,Auditing\n in lines of 76 characters, as base64(1) writes them.
  const std::string wrapped =
      "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnX3N0YXRfbW9uaXRvciwyLjEuMSwiUXVlcnkgIiJz\n"
      "dGF0aXN0aWNzIiIsIGJ5IGJ1Y2tldCIKcG9zdGdpcywzLjUuMywKcGdhdWRpdCwxNy4xLEF1ZGl0\n"
      "aW5nCg==\n";
  const Part on_child{.annotations = {{"org.enterprisedb.pgextensions", wrapped}}};
  const Part as_label{.labels = {{"org.enterprisedb.pgextensions", wrapped}}};
  const Entry entries[] = {
      {"apps/child", "17.6", {on_child}},
      {"apps/label", "17.6", {as_label}},
      {.repository = "apps/index",
       .tag = "17.6",
       .parts = {{}},
       .annotations = on_child.annotations},
  };
  for (const Entry& entry : entries) {
    SCOPED_TRACE(Named(entry));
    const Classification image = Read(entry);
    EXPECT_EQ(image.kind, "postgres");
    ASSERT_EQ(image.extensions.size(), 3u);
    EXPECT_EQ(image.extensions[0].name, "pg_stat_monitor");
    EXPECT_EQ(image.extensions[0].description, "Query \"statistics\", by bucket");
    EXPECT_EQ(image.extensions[1].version, "3.5.3");
    EXPECT_EQ(image.extensions[1].description, "");
    EXPECT_EQ(image.extensions[2].name, "pgaudit");
    EXPECT_THAT(image.conflicts, IsEmpty());
  }
  const Classification broken = Read(
      {"apps/broken", "17.6", {{.annotations = {{"org.enterprisedb.pgextensions", "bmFt!!"}}}}});
  EXPECT_EQ(broken.kind, "postgres");
  EXPECT_EQ(broken.major_version, 17);
  EXPECT_THAT(broken.conflicts, ElementsAre(HasSubstr("extension list")));
}

struct ExtensionRow {
  Entry entry;
  const char* name;
  const char* version;
  int major;
  const char* os;
};

TEST(ClassifyCatalogueTest, ExtensionImages) {
  const auto keys = [](const char* major, const char* os, const char* version) {
    return StringMap{{"io.cloudnativepg.image.base.pgmajor", major},
                     {"io.cloudnativepg.image.base.os", os},
                     {"io.cloudnativepg.image.sql.version", version},
                     {"io.cloudnativepg.image.base.name", "ghcr.io/cloudnative-pg/postgresql"},
                     {"org.opencontainers.image.licenses", "PostgreSQL"}};
  };
  const ExtensionRow rows[] = {
      {{"cloudnative-pg/postgis-extension",
        "3.6.1-202601051200-18-bookworm",
        {{.annotations = keys("18", "bookworm", "3.6.1")}, {.platform = "linux/arm64"}}},
       "postgis",
       "3.6.1",
       18,
       "bookworm"},
      {{.repository = "cloudnative-pg/pgaudit",
        .tag = "18.0-202601051200-18-trixie",
        .parts = {{}},
        .annotations = keys("18", "trixie", "18.0")},
       "pgaudit",
       "18.0",
       18,
       "trixie"},
      {{"mirror/timescaledb-oss", "2.24.0-19-trixie", {{.labels = keys("19", "trixie", "2.24.0")}}},
       "timescaledb-oss",
       "2.24.0",
       19,
       "trixie"},
      // The SQL version is what CREATE EXTENSION says; the package may have another.
      {{"cloudnative-pg/pg_crash",
        "2-202601051200-18-trixie",
        {{.annotations = keys("18", "trixie", "0.3")}}},
       "pg_crash",
       "0.3",
       18,
       "trixie"},
  };
  for (const ExtensionRow& row : rows) {
    SCOPED_TRACE(Named(row.entry));
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "other");
    EXPECT_EQ(image.flavor, "");
    EXPECT_EQ(image.major_version, row.major);
    EXPECT_EQ(image.os, row.os);
    ASSERT_EQ(image.extensions.size(), 1u);
    EXPECT_EQ(image.extensions[0].name, row.name);
    EXPECT_EQ(image.extensions[0].version, row.version);
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

Part Artifact(std::string config_type, std::vector<std::string> layer_types,
              std::string artifact_type = {}, StringMap annotations = {}) {
  return {.platform = "",
          .annotations = std::move(annotations),
          .config_type = std::move(config_type),
          .layer_types = std::move(layer_types),
          .artifact_type = std::move(artifact_type)};
}

TEST(ClassifyCatalogueTest, Models) {
  const std::string empty(media_type::kOciEmpty), docker(media_type::kDockerConfig);
  const StringMap vendor = {{"org.opencontainers.image.vendor", "Initech"}};
  const ModelRow rows[] = {
      // ModelPack by artifactType alone, with the empty config of image-spec 1.1
      {{.repository = "hub/tps-report",
        .tag = "v3.2.1",
        .parts = {Artifact(empty, {"application/vnd.cncf.model.doc.v1.tar+zstd"},
                           "application/vnd.cncf.model.manifest.v1+json", vendor)},
        .is_index = false},
       "modelpack",
       "Initech",
       "tps-report",
       "3.2.1"},
      // by its config alone
      {{.repository = "hub/copier",
        .tag = "0.9",
        .parts = {Artifact("application/vnd.cncf.model.config.v1+json",
                           {"application/vnd.cncf.model.weight.config.v1.raw"})},
        .is_index = false},
       "modelpack",
       "hub",
       "copier",
       "0.9"},
      // by a layer alone
      {{.repository = "hub/stapler",
        .tag = "red",
        .parts = {Artifact(empty, {"application/octet-stream",
                                   "application/vnd.cncf.model.weight.v1.safetensors"})},
        .is_index = false},
       "modelpack",
       "hub",
       "stapler",
       ""},
      // an index of artifacts: its own type, and only its children's
      {{.repository = "hub/fax",
        .tag = "1.0.0",
        .parts = {Artifact("application/vnd.cncf.model.config.v1+json",
                           {"application/vnd.cncf.model.weight.v1.raw"})},
        .artifact_type = "application/vnd.cncf.model.manifest.v1+json"},
       "modelpack",
       "hub",
       "fax",
       "1.0.0"},
      {{"hub/toner",
        "1.0.0",
        {Artifact(empty, {"application/vnd.cncf.model.weight.v1.tar+gzip"},
                  "application/vnd.cncf.model.manifest.v1+json")}},
       "modelpack",
       "hub",
       "toner",
       "1.0.0"},
      // KitOps: a kit of data is a kit
      {{.repository = "kits/churn",
        .tag = "2025-q4",
        .parts = {Artifact("application/vnd.kitops.modelkit.config.v1+json",
                           {"application/vnd.kitops.modelkit.dataset.v1.tar+gzip",
                            "application/vnd.kitops.modelkit.modelpart.v1.tar"})},
        .is_index = false},
       "kitops",
       "kits",
       "churn",
       "2025"},
      // Docker Model Runner: both configs, several formats of weights
      {{.repository = "ai/gemma3n",
        .tag = "4B",
        .parts = {Artifact(
            "application/vnd.docker.ai.model.config.v0.1+json",
            {"application/vnd.docker.ai.safetensors", "application/vnd.docker.ai.license"})},
        .is_index = false},
       "docker-model",
       "ai",
       "gemma3n",
       ""},
      {{.repository = "ai/stable-diffusion",
        .tag = "latest",
        .parts = {Artifact("application/vnd.docker.ai.model.config.v0.2+json",
                           {"application/vnd.docker.ai.dduf", "application/vnd.docker.ai.mmproj"})},
        .is_index = false},
       "docker-model",
       "ai",
       "stable-diffusion",
       ""},
      // Ollama: an ordinary Docker image but for its layers
      {{.repository = "library/llava",
        .tag = "13b",
        .parts = {Artifact(docker, {"application/vnd.ollama.image.projector",
                                    "application/vnd.ollama.image.params"})},
        .is_index = false,
        .is_docker = true},
       "ollama",
       "",
       "llava",
       ""},
      {{.repository = "initech/support",
        .tag = "latest",
        .parts = {Artifact(docker, {"application/vnd.ollama.image.adapter"})},
        .is_index = false,
        .is_docker = true},
       "ollama",
       "initech",
       "support",
       ""},
      // NIM by its label, wherever it lies, and by NVIDIA's layout
      {{.repository = "ml/embedder",
        .tag = "1.6.0",
        .parts = {Docker({{"com.nvidia.nim.model_download_protocol", "native-v1"}}),
                  Docker({{"com.nvidia.nim.model_download_protocol", "native-v1"}}, "linux/arm64")},
        .is_docker = true},
       "nim",
       "ml",
       "embedder",
       "1.6.0"},
      {{"nim/snowflake/arctic-embed-l", "1.0.1", {{}}},
       "nim",
       "snowflake",
       "arctic-embed-l",
       "1.0.1"},
      {{"mirror/nvcr/nim/nvidia/cosmos-reason1-7b", "1.4.1-variant", {Docker({})}},
       "nim",
       "nvidia",
       "cosmos-reason1-7b",
       "1.4.1"},
      // A server image with a model in it
      {{"quay/modelcar-granite-4.0-h-tiny", "1.5", {{}}},
       "modelcar",
       "quay",
       "granite-4.0-h-tiny",
       "1.5"},
  };
  for (const ModelRow& row : rows) {
    SCOPED_TRACE(Named(row.entry));
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, "model");
    EXPECT_EQ(image.format, row.format);
    EXPECT_EQ(image.publisher, row.publisher);
    EXPECT_EQ(image.model, row.model);
    EXPECT_EQ(image.model_version, row.version);
    EXPECT_THAT(image.conflicts, IsEmpty());
  }
}

TEST(ClassifyCatalogueTest, NeitherDatabaseNorModel) {
  const std::string empty(media_type::kOciEmpty), oci(media_type::kOciConfig);
  const auto artifact = [](std::string repository, Part part) {
    return Entry{
        .repository = std::move(repository), .tag = "17.4", .parts = {part}, .is_index = false};
  };
  const Entry attached[] = {
      artifact("charts/edb-postgres-advanced",
               Artifact("application/vnd.cncf.helm.config.v1+json",
                        {"application/vnd.cncf.helm.chart.content.v1.tar+gzip"})),
      artifact("nim/meta/llama", Artifact("application/vnd.cncf.helm.config.v1+json", {kOciLayer})),
      artifact("hub/model", Artifact(empty, {"application/vnd.dev.sigstore.bundle.v0.3+json"},
                                     "application/vnd.dev.sigstore.bundle.v0.3+json")),
      artifact("hub/model",
               Artifact("application/vnd.cncf.notary.signature", {"application/jose+json"})),
      artifact("postgres", Artifact(oci, {"application/vnd.dev.cosign.simplesigning.v1+json"})),
      artifact("postgres",
               Artifact(empty, {"application/vnd.in-toto+json"}, "application/vnd.in-toto+json")),
      artifact("postgres", Artifact(oci, {"application/vnd.in-toto+json"})),
  };
  for (const Entry& entry : attached) {
    for (const char* forced : {"auto", "postgres", "model"})
      EXPECT_EQ(Read(entry, forced).kind, "other") << Named(entry);
  }
  const Entry others[] = {
      artifact("postgresql", Artifact(empty, {"text/plain"}, "application/vnd.initech.memo.v1")),
      artifact("edb-postgres-advanced",
               Artifact(empty, {}, "application/vnd.initech.memo.v1", Edb("epas", "17"))),
      artifact("nim/meta/llama",
               Artifact("application/vnd.initech.config.v1+json", {"text/plain"})),
      artifact("postgresql", Artifact("application/vnd.wasm.config.v0+json", {"application/wasm"})),
      {"cloudnative-pg/cloudnative-pg", "1.28.0", {{}}},
      {"cloudnative-pg/pgbouncer", "1.25.0-202601051200-trixie", {{}}},
      {"cloudnative-pg/plugin-barman-cloud", "v0.9.0", {{}}},
      {"nvidia/k8s/dcgm-exporter", "4.4.1", {Docker({{"com.nvidia.cuda.version", "13.0"}})}},
      {"tools/postgresql-client", "17.4", {{}}},
      {"tools/mysql", "8.4", {{}}},
  };
  for (const Entry& entry : others) EXPECT_EQ(Read(entry).kind, "other") << Named(entry);
}

TEST(ClassifyCatalogueTest, ContradictionsAreTold) {
  struct Row {
    Entry entry;
    const char* kind;
    const char* phrase;
  };
  const Row rows[] = {
      {{"edb-postgres-extended", "16.9-2505220734", {{.annotations = Edb("epas", "16")}}},
       "postgres",
       "flavor epas"},
      {{"apps/db", "15.4", {{.annotations = Edb("pg", "16")}}}, "postgres", "major version 16"},
      {{"apps/db", "16.4", {{.annotations = Edb("mariadb", "16")}}}, "postgres", "\"mariadb\""},
      {{"apps/db", "16.4", {{.annotations = Edb("pg", "sixteen")}}}, "postgres", "\"sixteen\""},
      {{"cloudnative-pg/pgvector",
        "0.8.1-202601051200-17-trixie",
        {{.annotations = {{"io.cloudnativepg.image.base.pgmajor", "18"}}}}},
       "other",
       "tag says 17"},
  };
  for (const Row& row : rows) {
    const Classification image = Read(row.entry);
    EXPECT_EQ(image.kind, row.kind) << row.phrase;
    EXPECT_THAT(image.conflicts, ElementsAre(HasSubstr(row.phrase)));
  }
}

TEST(ClassifyCatalogueTest, PlatformsAreThoseThatRun) {
  const Image image =
      Assemble({.repository = "apps/db",
                .tag = "17",
                .parts = {{.platform = "linux/arm/v7"}, {.platform = "linux/arm64/v8"}, {}},
                .has_attestations = true});
  std::vector<std::string> platforms;
  for (const PlatformImage& platform : image.platforms)
    platforms.push_back(platform.platform.ToString());
  EXPECT_THAT(platforms, ElementsAre("linux/arm/v7", "linux/arm64/v8", "linux/amd64"));
  EXPECT_EQ(image.referrers.size(), 1u);
}

}  // namespace
}  // namespace image_library
