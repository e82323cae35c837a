// in-toto statements and provenance.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/refusal.h"
#include "trust/statement.h"
#include "trust_material.h"

namespace image_library::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kImage[] = "sha256:111122223333444455556666777788889999aaaabbbbccccddddeeeeffff0000";
constexpr char kType[] = "application/vnd.in-toto+json";

Statement Read(const std::string& payload, const char* type = kType, const char* image = kImage) {
  return ReadStatement({payload, type, {}}, image);
}

std::string Refused(const std::string& payload, const char* type = kType) {
  try {
    Read(payload, type);
    return {};
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TrustStatement, IsAboutTheImage) {
  const std::string statement = test::StatementOf(kImage, "https://spdx.dev/Document");
  EXPECT_EQ(Read(statement).predicate_type, "https://spdx.dev/Document");
  EXPECT_FALSE(Read(statement).provenance.has_value());
  EXPECT_EQ(Read(Replaced(statement, "Statement/v1", "Statement/v0.1")).predicate_type,
            "https://spdx.dev/Document");
  EXPECT_EQ(Refused(Replaced(statement, "Statement/v1", "Statement/v2")),
            "the statement is not of in-toto's version 0.1 or 1");
  EXPECT_EQ(Refused(Replaced(statement, "1111", "2222")), "the signature is for another image");
  EXPECT_EQ(Refused(Replaced(statement, "sha256", "sha512")), "the signature is for another image");
  EXPECT_EQ(Refused(Replaced(statement, "predicateType", "predicate_type")),
            "the statement has no predicateType");
  EXPECT_EQ(Refused(statement, "text/plain"), "the envelope does not hold an in-toto statement");
  EXPECT_EQ(Refused("{"), "the statement is not valid JSON");
  EXPECT_EQ(Refused("[]"), "the statement is not of in-toto's version 0.1 or 1");
}

TEST(TrustStatement, HasAnyNumberOfSubjectsUpToAThousand) {
  const std::string statement = test::StatementOf(kImage, "p");
  const auto with = [&](int others) {
    std::string list = "\"subject\":[";
    for (int i = 0; i < others; ++i) list += R"({"digest":{"sha256":"00"}},)";
    return Replaced(statement, "\"subject\":[", list);
  };
  EXPECT_EQ(Read(with(999)).predicate_type, "p");
  EXPECT_EQ(Refused(with(1000)), "the statement is about more than 1,000 subjects");
}

TEST(TrustStatement, CosignsSignatureIsNoAttestation) {
  EXPECT_EQ(Read(test::StatementOf(kImage, "https://sigstore.dev/cosign/sign/v1")).predicate_type,
            "");
}

auto Material(const char* uri, const char* digest) {
  return testing::AllOf(testing::Field(&Provenance::Material::uri, uri),
                        testing::Field(&Provenance::Material::digest, digest));
}

TEST(TrustStatement, Provenance02) {
  const Statement statement = Read(test::StatementOf(
      kImage, "https://slsa.dev/provenance/v0.2",
      R"({"builder":{"id":"https://builder.test/v1"},"buildType":"https://type.test/make",
          "invocation":{"configSource":{"uri":"git+https://git.test/app@refs/heads/main"}},
          "materials":[{"uri":"git+https://git.test/app","digest":{"sha1":"abc"}},
                       {"uri":"pkg:docker/debian","digest":{"sha1":"1","sha256":"def"}},{}]})"));
  ASSERT_TRUE(statement.provenance.has_value());
  EXPECT_EQ(statement.predicate_type, "https://slsa.dev/provenance/v0.2");
  EXPECT_EQ(statement.provenance->builder, "https://builder.test/v1");
  EXPECT_EQ(statement.provenance->build_type, "https://type.test/make");
  EXPECT_EQ(statement.provenance->source, "git+https://git.test/app@refs/heads/main");
  EXPECT_THAT(statement.provenance->materials,
              ElementsAre(Material("git+https://git.test/app", "sha1:abc"),
                          Material("pkg:docker/debian", "sha256:def"), Material("", "")));
}

TEST(TrustStatement, Provenance1) {
  const auto read = [](const std::string& parameters) {
    return *Read(test::StatementOf(kImage, "https://slsa.dev/provenance/v1",
                                   R"({"runDetails":{"builder":{"id":"https://builder.test/v1"}},
                         "buildDefinition":{"buildType":"https://type.test/workflow",
                           "externalParameters":)" +
                                       parameters +
                                       R"(,"resolvedDependencies":[
                           {"uri":"git+https://git.test/dep","digest":{"gitCommit":"abc"}},
                           {"name":"base","digest":{"blake":"7"}}]}})"))
                .provenance;
  };
  const Provenance workflow = read(R"({"workflow":{"repository":"https://git.test/app"}})");
  EXPECT_EQ(workflow.builder, "https://builder.test/v1");
  EXPECT_EQ(workflow.build_type, "https://type.test/workflow");
  EXPECT_EQ(workflow.source, "https://git.test/app");
  EXPECT_THAT(workflow.materials, ElementsAre(Material("git+https://git.test/dep", "gitCommit:abc"),
                                              Material("base", "blake:7")));
  EXPECT_EQ(read(R"({"source":{"uri":"git+https://git.test/b"}})").source,
            "git+https://git.test/b");
  EXPECT_EQ(read(R"({"source":"https://git.test/c"})").source, "https://git.test/c");
  EXPECT_EQ(read(R"({"configSource":{"uri":"https://git.test/d.git"}})").source,
            "https://git.test/d.git");
  EXPECT_EQ(read("{}").source, "git+https://git.test/dep");
}

TEST(TrustStatement, ProvenanceIsBounded) {
  std::string materials = R"({"uri":")" + std::string(5000, 'x') + "\"}";
  for (int i = 0; i < 1500; ++i) materials += R"(,{"uri":"y"})";
  const Statement statement =
      Read(test::StatementOf(kImage, "https://slsa.dev/provenance/v0.2",
                             R"({"builder":7,"materials":[)" + materials + "]}"));
  EXPECT_EQ(statement.provenance->builder, "");
  EXPECT_EQ(statement.provenance->materials.size(), 1000u);
  EXPECT_LE(statement.provenance->materials[0].uri.size(), 2048u);
}

}  // namespace
}  // namespace image_library::trust
