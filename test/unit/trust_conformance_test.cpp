// The bundles of sigstore's conformance suite (github.com/sigstore/sigstore-conformance). They are
// not in this tree: SIGSTORE_CONFORMANCE is the folder of a checkout, without which the test is
// skipped.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/digest.h"
#include "core/error.h"
#include "core/strings.h"
#include "trust/verifier.h"

namespace image_library::trust {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kIdentity[] =
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/"
    "workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
constexpr char kIssuer[] = "https://token.actions.githubusercontent.com";

std::string Read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string ReadOr(const fs::path& path, const std::string& otherwise) {
  return fs::exists(path) ? std::string(Trim(Read(path))) : otherwise;
}

// The suite expects clients to have the root of Sigstore's public instance. One of its cases has it
// with an end to the log's period, which the suite's author added.
std::string PublicRoot(const fs::path& cases) {
  std::string root = Read(cases / "trust-root-tlog-validity-end-inclusive" / "trusted_root.json");
  const std::string end = "\"end\": \"2023-07-12T15:56:36Z\"";
  const std::size_t at = root.find(end);
  if (at == std::string::npos) return {};
  const std::size_t comma = root.rfind(',', at);
  return root.erase(comma, at + end.size() - comma);
}

Verdict VerifyCase(const fs::path& folder, const std::string& public_root) {
  Anchors anchors;
  if (fs::exists(folder / "key.pub"))
    anchors.keys.push_back({"key", Read(folder / "key.pub")});
  else
    anchors.identities.push_back(
        {"identity", ReadOr(folder / "issuer", kIssuer), ReadOr(folder / "identity", kIdentity)});
  anchors.trusted_root = ReadOr(folder / "trusted_root.json", public_root);
  const fs::path artifact = folder / "artifact";
  const std::string bytes =
      Read(fs::exists(artifact) ? artifact : folder.parent_path().parent_path() / "a.txt");
  try {
    return Verifier(anchors).Verify(
        {EvidenceFormat::kSigstoreBundle, Read(folder / "bundle.sigstore.json"), {}},
        Sha256Digest(bytes));
  } catch (const Error& error) {
    Verdict refused;
    refused.reason = error.what();
    return refused;
  }
}

// Why the cases fail that must.
const std::map<std::string, std::string>& Reasons() {
  static const std::map<std::string, std::string> reasons = {
      {"bundle-empty-certificate-chain_fail", "the certificate chain is empty"},
      {"bundle-from-wrong-instance_fail", "the transparency log is not in the trusted root"},
      {"bundle-invalid-base64-signature_fail", "the signature is not valid base64"},
      {"bundle-malformed-json_fail", "the bundle is not valid JSON"},
      {"bundle-negative-log-index_fail", "the log index is not a number from 0"},
      {"bundle-unknown-version_fail", "the bundle is not of version 0.1, 0.2 or 0.3"},
      {"bundle-with-root-cert_fail",
       "the certificate chain has the root, which must come from the trusted root"},
      {"checkpoint-bad-keyhint_fail", "the checkpoint is not signed by the log"},
      {"checkpoint-wrong-roothash_fail",
       "the checkpoint is of another tree than the inclusion proof"},
      {"dsse-invalid-sig_fail", "the signature is not by the key of the certificate"},
      {"dsse-mismatch-envelope_fail", "the log's entry is for other content"},
      {"dsse-mismatch-sig_fail", "the log's entry is for another signature"},
      {"inclusion-proof-corrupted-hash_fail", "the inclusion proof is wrong"},
      {"incorrect-public-key_fail", "the log's entry is for another signer"},
      {"integrated-time-in-future_fail", "the certificate was not valid at 2026-05-07"},
      {"intoto-expired-certificate_fail", "the certificate was not valid at 2023-02-01"},
      {"intoto-log-entry-mismatch_fail", "the log's entry is for another signature"},
      {"intoto-missing-inclusion-proof_fail", "the log's entry has no inclusion proof"},
      {"intoto-set-outside-signing-cert-validity_fail",
       "the certificate was not valid at 2023-02-02"},
      {"intoto-tsa-timestamp-outside-cert-validity_fail",
       "the certificate was not valid at 2023-02-02"},
      {"invalid-checkpoint-signature_fail", "the log's signature of the checkpoint is wrong"},
      {"invalid-ct-key_fail", "the certificate's log is not in the trusted root"},
      {"invalid-inclusion-proof_fail", "the inclusion proof has no checkpoint"},
      {"managed-key-no-key_fail", "the signature is by a key, and no key is trusted"},
      {"managed-key-wrong-key_fail",
       "trust key \"key\" cannot be used: the key is not a public key in PEM form"},
      {"message-digest-mismatch_fail", "the signature is for another image"},
      {"rekor2-checkpoint-missing-log-signature_fail", "the checkpoint has no signature"},
      {"rekor2-checkpoint-missing-origin_fail", "the checkpoint has no valid size"},
      {"rekor2-checkpoint-missing-root-hash_fail", "the checkpoint has no valid root hash"},
      {"rekor2-checkpoint-missing-size_fail", "the checkpoint has no valid size"},
      {"rekor2-checkpoint-no-matching-signature_fail", "the checkpoint is not signed by the log"},
      {"rekor2-dsse-invalid-sig_fail", "the signature is not by the key of the certificate"},
      {"rekor2-dsse-mismatch-envelope_fail", "the log's entry is for other content"},
      {"rekor2-dsse-mismatch-sig_fail", "the log's entry is for another signature"},
      {"rekor2-no-inclusion-proof_fail", "the log's entry has no inclusion proof"},
      {"rekor2-no-timestamp_fail", "no log and no timestamp proves when the image was signed"},
      {"rekor2-timestamp-outside-trust-root-tsa-validity_fail",
       "the timestamp is from outside the period of its authority in the trusted root"},
      {"rekor2-timestamp-outside-tsa-cert-validity_fail",
       "the timestamp is from when a certificate of its authority was not valid"},
      {"rekor2-timestamp-payload-mismatch_fail", "the timestamp is for another signature"},
      {"rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail",
       "the timestamp is not from an authority of the trusted root"},
      {"rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail",
       "the timestamp is not from an authority of the trusted root"},
      {"rekor2-timestamp-with-incorrect-time_fail", "the certificate was not valid at 2025-07-15"},
      {"set-invalid-signature_fail", "the log's promise to have the entry is wrong"},
      {"signature-mismatch_fail", "the signature is not by the key of the certificate"},
      {"trust-root-tlog-missing-validity-start_fail",
       "trusted root cannot be used: tlogs[1]: its period has no valid start"},
      {"wrong-hashedrekord-artifact_fail", "the log's entry is for other content"},
      {"wrong-hashedrekord-cert-and-sig_fail", "the log's entry is for another signature"},
      {"wrong-hashedrekord-entry_fail", "the log's entry is for other content"},
      {"wrong-material_fail", "the signature is for another image"},
  };
  return reasons;
}

TEST(TrustConformance, Bundles) {
  const char* const folder = std::getenv("SIGSTORE_CONFORMANCE");
  if (folder == nullptr)
    GTEST_SKIP() << "SIGSTORE_CONFORMANCE is not the folder of a checkout of sigstore-conformance";
  const fs::path cases = fs::path(folder) / "test" / "assets" / "bundle-verify";
  const std::string public_root = PublicRoot(cases);
  ASSERT_FALSE(public_root.empty());
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(cases))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  ASSERT_GE(folders.size(), 60u);
  std::size_t passed = 0;
  for (const fs::path& path : folders) {
    const std::string name = path.filename().string();
    const Verdict verdict = VerifyCase(path, public_root);
    SCOPED_TRACE(name + ": " + verdict.reason);
    const bool must_fail = name.ends_with("_fail");
    EXPECT_NE(verdict.verified, must_fail);
    EXPECT_EQ(verdict.signed_at.has_value() && verdict.log_index.has_value(), verdict.verified);
    bool as_expected = verdict.verified != must_fail;
    if (must_fail) {
      const auto reason = Reasons().find(name);
      const bool known = reason != Reasons().end();
      EXPECT_TRUE(known) << "a new case: add its reason";
      if (!known) continue;
      EXPECT_THAT(verdict.reason, HasSubstr(reason->second));
      as_expected = as_expected && verdict.reason.find(reason->second) != std::string::npos;
    }
    passed += as_expected;
  }
  std::cout << passed << " of " << folders.size() << " cases of sigstore-conformance\n";
}

}  // namespace
}  // namespace image_library::trust
