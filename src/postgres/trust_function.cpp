// Verification of stored signatures against what is trusted. Everything is in the arguments: no
// request is sent, and no table is read.
#include "postgres/datum.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/json.h"
#include "core/json_writer.h"
#include "core/text.h"
#include "postgres/bridge.h"
#include "trust/signed_text.h"
#include "trust/verifier.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

using trust::EvidenceFormat;

// An admin sets these texts; the limits of the library's tables are stricter.
trust::Anchors ReadAnchors(const std::string& text) {
  const Json json = Json::Parse(text, Json::kAnyNumber);
  trust::Anchors anchors;
  json["keys"].ForEachElement([&](const Json& key) {
    anchors.keys.push_back({key["name"].StringOr(""), key["material"].StringOr("")});
  });
  json["identities"].ForEachElement([&](const Json& identity) {
    anchors.identities.push_back({identity["name"].StringOr(""), identity["issuer"].StringOr(""),
                                  identity["subject"].StringOr("")});
  });
  json["authorities"].ForEachElement([&](const Json& authority) {
    anchors.authorities.push_back({authority["name"].StringOr(""),
                                   authority["material"].StringOr(""),
                                   authority["subject"].StringOr(""),
                                   authority["signing_authority"].Boolean().value_or(false)});
  });
  anchors.trusted_root = json["trusted_root"].StringOr("");
  return anchors;
}

// What is trusted in some repositories, parsed.
struct Trusted {
  std::string bytes;  // of the jsonb
  std::unique_ptr<const trust::Verifier> verifier;
  std::string problem;  // why there is no verifier
};

// The last few, kept as long as the process lives: a run verifies image after image.
const Trusted& TrustedArgument(FunctionCallInfo fcinfo, int number) {
  constexpr std::size_t kMost = 8;
  static std::deque<Trusted>* const kept = new std::deque<Trusted>();  // never destroyed
  const Jsonb* const value = Value([&] { return PG_GETARG_JSONB_P(number); });
  const std::string_view bytes(reinterpret_cast<const char*>(value), VARSIZE(value));
  const auto found = std::find_if(kept->begin(), kept->end(),
                                  [&](const Trusted& trusted) { return trusted.bytes == bytes; });
  if (found != kept->end()) return *found;
  Trusted trusted;
  trusted.bytes = bytes;
  try {
    trusted.verifier =
        std::make_unique<trust::Verifier>(ReadAnchors(JsonbArgument(fcinfo, number)));
  } catch (const Error& error) {
    trusted.problem = error.what();
  }
  if (kept->size() >= kMost) kept->pop_back();
  kept->push_front(std::move(trusted));
  return kept->front();
}

// As table evidence names the formats.
std::optional<EvidenceFormat> FormatOf(const std::string& name) {
  if (name == "simple signing") return EvidenceFormat::kSimpleSigning;
  if (name == "dsse") return EvidenceFormat::kDsseEnvelope;
  if (name == "sigstore bundle") return EvidenceFormat::kSigstoreBundle;
  if (name == "notation jws") return EvidenceFormat::kNotationJws;
  if (name == "notation cose") return EvidenceFormat::kNotationCose;
  return std::nullopt;
}

std::string BytesArgument(FunctionCallInfo fcinfo, int number) {
  const bytea* const value = Value([&] { return PG_GETARG_BYTEA_PP(number); });
  return std::string(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

// What a signature says was written by whoever signed.
constexpr std::size_t kMostText = 2000;

Column TextOrNull(const std::string& text) { return Column::TextOrNull(Scrub(text, kMostText)); }

Column TimeOrNull(const std::optional<std::int64_t>& seconds) {
  // Of years that a timestamptz has and people write.
  constexpr std::int64_t kYear9999 = 253402300799;
  if (!seconds || *seconds < 0 || *seconds > kYear9999) return Column::Null();
  return {false, TimestampTzGetDatum(time_t_to_timestamptz(static_cast<pg_time_t>(*seconds)))};
}

std::string ToJson(const trust::Provenance& provenance) {
  const auto text = [](const std::string& value) { return Scrub(value, kMostText); };
  JsonObject object;
  object.Text("builder", text(provenance.builder));
  object.Text("build_type", text(provenance.build_type));
  object.Text("source", text(provenance.source));
  object.Raw("materials",
             ToJsonArray(provenance.materials, [&](const trust::Provenance::Material& material) {
               JsonObject json;
               json.Text("uri", text(material.uri));
               json.Text("digest", text(material.digest));
               return json.Finish();
             }));
  return object.Finish();
}

// The name of `key:NAME`; the names of all kinds of signers differ.
std::string NameOf(const std::string& signer) {
  const std::size_t colon = signer.find(':');
  return colon == std::string::npos ? signer : signer.substr(colon + 1);
}

trust::Verdict Verify(FunctionCallInfo fcinfo, const Trusted& trusted) {
  trust::Verdict verdict;
  if (!trusted.verifier) {
    verdict.reason = "what is trusted cannot be read: " + trusted.problem;
    return verdict;
  }
  const std::optional<EvidenceFormat> format = FormatOf(TextArgument(fcinfo, 1));
  if (!format) {
    verdict.reason = "signatures of this form are not supported";
    return verdict;
  }
  const trust::Evidence evidence{*format, BytesArgument(fcinfo, 2), StringMapArgument(fcinfo, 3)};
  verdict = trusted.verifier->Verify(evidence, TextArgument(fcinfo, 4));
  // Without somebody who is trusted nothing is verified, whatever else holds.
  if (verdict.signer.empty()) verdict.verified = false;
  return verdict;
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_check_anchors);
PG_FUNCTION_INFO_V1(image_library_verify_evidence);
PG_FUNCTION_INFO_V1(image_library_signature_problem);

/// check_anchors(anchors jsonb): raises 22023 for a key, certificate or root that cannot be used.
Datum image_library_check_anchors(PG_FUNCTION_ARGS) {
  Guard([&] { (void)trust::Verifier(ReadAnchors(JsonbArgument(fcinfo, 0))); });
  PG_RETURN_VOID();
}

/// verify_evidence(anchors jsonb, format text, document bytea, annotations jsonb, subject text)
///   -> (verified, reason, signer, issuer, certificate_subject, signed_at, log_index,
///       predicate_type, provenance, valid_until)
/// Never raises for a signature. Anchors that were right when they were set and are not any more,
/// as for another version of OpenSSL, leave everything unverified: a sync must not fail for them.
Datum image_library_verify_evidence(PG_FUNCTION_ARGS) {
  Datum result = 0;
  Guard([&] {
    const trust::Verdict verdict = Verify(fcinfo, TrustedArgument(fcinfo, 0));
    const bool proven = verdict.verified && verdict.provenance.has_value();
    result = RowDatum(
        fcinfo,
        {Column::Boolean(verdict.verified), TextOrNull(verdict.reason),
         verdict.verified ? TextOrNull(NameOf(verdict.signer)) : Column::Null(),
         TextOrNull(verdict.issuer), TextOrNull(verdict.subject), TimeOrNull(verdict.signed_at),
         verdict.log_index ? Column::Integer(*verdict.log_index) : Column::Null(),
         TextOrNull(verdict.predicate_type),
         proven ? Column{false, JsonbDatum(ToJson(*verdict.provenance))} : Column::Null(),
         TimeOrNull(verdict.valid_until)});
  });
  PG_RETURN_DATUM(result);
}

/// signature_problem(pem text, signed_text text, signature text): why the signature, in base64, is
/// not one of the key over the text, which is in the database's encoding; null: it is.
Datum image_library_signature_problem(PG_FUNCTION_ARGS) {
  std::optional<Datum> result;
  Guard([&] {
    const std::string problem = trust::SignatureProblem(
        TextArgument(fcinfo, 0), TextArgument(fcinfo, 1), TextArgument(fcinfo, 2));
    if (!problem.empty()) result = TextDatum(problem);
  });
  if (!result) PG_RETURN_NULL();
  return *result;
}
}
