#include "trust/statement.h"

#include <utility>

#include "trust/document.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

constexpr std::string_view kImageSignature = "https://sigstore.dev/cosign/sign/v1";

// The first of the digests that git and registries name things by, as `algorithm:hex`.
std::string DigestOf(const Json& digests) {
  for (const char* algorithm : {"sha256", "sha512", "gitCommit", "sha1"})
    if (const auto hex = digests[algorithm].Text())
      return Shown(std::string(algorithm) + ":" + std::string(*hex));
  std::string first;
  digests.ForEachMember([&](std::string_view algorithm, const Json& hex) {
    if (first.empty() && hex.Text()) first = Shown(std::string(algorithm) + ":" + hex.StringOr({}));
  });
  return first;
}

void ReadMaterials(const Json& list, Provenance* provenance) {
  list.ForEachElement([&](const Json& material) {
    if (provenance->materials.size() >= kMostListed) return;
    std::string uri = material["uri"].StringOr({});
    if (uri.empty()) uri = material["name"].StringOr({});
    provenance->materials.push_back({Shown(uri), DigestOf(material["digest"])});
  });
}

// slsa.dev/spec/v0.2/provenance
Provenance ReadProvenance02(const Json& predicate) {
  Provenance provenance;
  provenance.builder = Shown(predicate["builder"]["id"].StringOr({}));
  provenance.build_type = Shown(predicate["buildType"].StringOr({}));
  provenance.source = Shown(predicate["invocation"]["configSource"]["uri"].StringOr({}));
  ReadMaterials(predicate["materials"], &provenance);
  return provenance;
}

// slsa.dev/spec/v1.0/provenance. Each build type has its own parameters: GitHub's `workflow`,
// slsa-github-generator's `source`, BuildKit's `configSource`.
Provenance ReadProvenance1(const Json& predicate) {
  Provenance provenance;
  const Json definition = predicate["buildDefinition"];
  provenance.builder = Shown(predicate["runDetails"]["builder"]["id"].StringOr({}));
  provenance.build_type = Shown(definition["buildType"].StringOr({}));
  const Json parameters = definition["externalParameters"];
  for (const Json& source : {parameters["workflow"]["repository"], parameters["source"]["uri"],
                             parameters["source"], parameters["configSource"]["uri"]}) {
    if (!provenance.source.empty()) break;
    provenance.source = Shown(source.StringOr({}));
  }
  ReadMaterials(definition["resolvedDependencies"], &provenance);
  for (const Provenance::Material& material : provenance.materials) {
    if (!provenance.source.empty()) break;
    if (material.uri.starts_with("git+")) provenance.source = material.uri;
  }
  return provenance;
}

bool IsAbout(const Json& statement, std::string_view subject) {
  const std::size_t colon = subject.find(':');
  const std::string algorithm(subject.substr(0, colon));
  const std::string_view hex = subject.substr(colon + 1);
  bool about = false;
  std::size_t count = 0;
  statement["subject"].ForEachElement([&](const Json& one) {
    Check(++count <= kMostListed, "the statement is about more than 1,000 subjects");
    about = about || one["digest"][algorithm.c_str()].Text() == hex;
  });
  return about;
}

}  // namespace

Statement ReadStatement(const Envelope& envelope, std::string_view subject) {
  Check(envelope.payload_type == "application/vnd.in-toto+json",
        "the envelope does not hold an in-toto statement");
  const Json json = ParseDocument(envelope.payload, "the statement");
  const auto type = json["_type"].Text();
  Check(type == "https://in-toto.io/Statement/v0.1" || type == "https://in-toto.io/Statement/v1",
        "the statement is not of in-toto's version 0.1 or 1");
  Check(IsAbout(json, subject), "the signature is for another image");
  std::string predicate = json["predicateType"].StringOr({});
  Check(!predicate.empty(), "the statement has no predicateType");
  Statement statement;
  if (predicate == "https://slsa.dev/provenance/v0.2")
    statement.provenance = ReadProvenance02(json["predicate"]);
  else if (predicate == "https://slsa.dev/provenance/v1")
    statement.provenance = ReadProvenance1(json["predicate"]);
  if (predicate != kImageSignature) statement.predicate_type = Shown(predicate);
  return statement;
}

}  // namespace image_library::trust
