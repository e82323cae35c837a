// Writes signatures of images for TAP tests: keyless ones by a private instance of Sigstore, and of
// Notation. All keys are made anew.
//
//   signed_samples FOLDER [KIND DIGEST]...
//
// writes FOLDER/KIND.json for each, and what to trust: trusted_root.json and authority.pem, and
// those of somebody else, other_root.json and other_authority.pem.
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "notation_material.h"
#include "trust_material.h"

namespace {

using namespace image_library::trust::test;

void Write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string Rfc3339(std::int64_t instant) {
  const auto seconds = static_cast<std::time_t>(instant);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&seconds));
  return text;
}

// As cosign 3 signs an image.
std::string Consent(const std::string& digest) {
  return StatementOf(digest, "https://sigstore.dev/cosign/sign/v1");
}

std::string Provenance(const std::string& digest) {
  return StatementOf(digest, "https://slsa.dev/provenance/v1", R"({
    "buildDefinition":{"buildType":"https://example.com/build/v1",
      "externalParameters":{"source":"git+https://git.test/team/app"},
      "resolvedDependencies":[{"uri":"git+https://git.test/team/app",
                               "digest":{"gitCommit":"0000000000000000000000000000000000000000"}}]},
    "runDetails":{"builder":{"id":"https://builder.test/v1"}}})");
}

class Samples {
 public:
  Samples() { stranger_.subject = "https://git.test/stranger/app/.build.yml@refs/heads/main"; }

  std::string Make(const std::string& kind, const std::string& digest) const {
    const auto make = makers_.find(kind);
    if (make == makers_.end()) throw std::runtime_error("there is no kind " + kind);
    return make->second(digest);
  }

  void WriteTrust(const std::string& folder) const {
    Write(folder + "/trusted_root.json", sigstore_.TrustedRoot());
    Write(folder + "/other_root.json", other_.TrustedRoot());
    Write(folder + "/authority.pem", root_.Pem());
    Write(folder + "/other_authority.pem", other_.root.Pem());
  }

 private:
  Jws Notation(const std::string& digest, const std::string& name, std::int64_t to) const {
    Jws jws(digest);
    CertificateOptions options = NotationSignerOptions(name);
    options.to = to;
    jws.chain = {MakeCertificate(options, &root_), root_};
    return jws;
  }

  Jws Expiring(const std::string& digest, std::int64_t at) const {
    Jws jws = Notation(digest, "release team", now_ + kDay);
    jws.AddTime("io.cncf.notary.expiry", Rfc3339(at));
    return jws;
  }

  std::string Timestamped(const std::string& digest) const {
    return Notation(digest, "release team", kSignedAt + kDay)
        .Json([&](const std::string& signature) {
          return MakeTimestamp(sigstore_.timestamper, signature, kSignedAt + 3);
        });
  }

  static CertificateOptions LongLived() {
    CertificateOptions options = AuthorityOptions("notation root");
    options.to = static_cast<std::int64_t>(std::time(nullptr)) + 3650 * kDay;
    return options;
  }

  using Maker = std::function<std::string(const std::string&)>;

  std::int64_t now_ = static_cast<std::int64_t>(std::time(nullptr));
  Instance sigstore_, other_;
  Instance stranger_ = sigstore_;  // the same instance for somebody else
  TestCertificate root_ = MakeCertificate(LongLived(), nullptr);
  std::map<std::string, Maker> makers_ = {
      {"rekor1", [&](auto& d) { return sigstore_.Enveloped(Consent(d), "dsse 0.0.1").Json(); }},
      {"rekor2",
       [&](auto& d) { return sigstore_.Enveloped(Consent(d), "hashedrekord 0.0.2").Json(); }},
      {"message1", [&](auto& d) { return sigstore_.Message(d).Json(); }},
      {"message2", [&](auto& d) { return sigstore_.Message2(d).Json(); }},
      {"stranger", [&](auto& d) { return stranger_.Enveloped(Consent(d), "dsse 0.0.1").Json(); }},
      {"outsider", [&](auto& d) { return other_.Enveloped(Consent(d), "dsse 0.0.1").Json(); }},
      {"provenance",
       [&](auto& d) { return sigstore_.Enveloped(Provenance(d), "hashedrekord 0.0.2").Json(); }},
      {"notation", [&](auto& d) { return Notation(d, "release team", now_ + kDay).Json(); }},
      {"notation-stranger", [&](auto& d) { return Notation(d, "stranger", now_ + kDay).Json(); }},
      {"notation-ended",
       [&](auto& d) { return Notation(d, "release team", kSignedAt + kDay).Json(); }},
      {"notation-stamped", [&](auto& d) { return Timestamped(d); }},
      {"notation-expired", [&](auto& d) { return Expiring(d, kSignedAt).Json(); }},
      {"notation-ending", [&](auto& d) { return Expiring(d, now_ + 10).Json(); }}};
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count % 2 != 0) {
    std::fprintf(stderr, "usage: signed_samples FOLDER [KIND DIGEST]...\n");
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    const Samples samples;
    samples.WriteTrust(folder);
    for (int i = 2; i < count; i += 2) {
      const std::string kind = arguments[i];
      Write(folder + "/" + kind + ".json", samples.Make(kind, arguments[i + 1]));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "signed_samples: %s\n", error.what());
    return 1;
  }
  return 0;
}
