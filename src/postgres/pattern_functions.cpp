// SQL functions for rules, patterns, references and versions of core.
#include "postgres/datum.h"

#include "core/pattern.h"
#include "core/reference.h"
#include "core/rule.h"
#include "core/text.h"
#include "core/url.h"
#include "core/version.h"
#include "postgres/bridge.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

extern "C" {
PG_FUNCTION_INFO_V1(image_library_decide_tags);
PG_FUNCTION_INFO_V1(image_library_explain_tag);
PG_FUNCTION_INFO_V1(image_library_check_pattern);
PG_FUNCTION_INFO_V1(image_library_parse_reference);
PG_FUNCTION_INFO_V1(image_library_parse_registry_url);
PG_FUNCTION_INFO_V1(image_library_without_secrets);
PG_FUNCTION_INFO_V1(image_library_is_repository_name);
PG_FUNCTION_INFO_V1(image_library_is_tag);
PG_FUNCTION_INFO_V1(image_library_version_key);

/// decide_tags(rules jsonb, repository text, tags text[]) -> (tag, rule_id)
Datum image_library_decide_tags(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    const RuleSet rules = RuleSet::FromJson(JsonbArgument(fcinfo, 0));
    const std::vector<std::string> tags = TextArrayArgument(fcinfo, 2);
    for (const TagDecision& decision : rules.Decide(TextArgument(fcinfo, 1), tags))
      AddRow(fcinfo, {Column::Text(decision.tag), Column::Integer(decision.rule->id)});
  });
  PG_RETURN_NULL();
}

/// explain_decision(rules jsonb, repository text, tag text, tags text[])
///   -> (rule_id, action, matched, decides, reason)
Datum image_library_explain_tag(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    const RuleSet rules = RuleSet::FromJson(JsonbArgument(fcinfo, 0));
    const std::vector<std::string> tags = TextArrayArgument(fcinfo, 3);
    for (const RuleExplanation& line :
         rules.Explain(TextArgument(fcinfo, 1), TextArgument(fcinfo, 2), tags))
      AddRow(fcinfo,
             {Column::Integer(line.rule_id), Column::Text(line.include ? "include" : "exclude"),
              Column::Boolean(line.matched), Column::Boolean(line.decides),
              Column::Text(line.reason)});
  });
  PG_RETURN_NULL();
}

/// check_pattern(pattern text, subject text): raises when the pattern is wrong.
Datum image_library_check_pattern(PG_FUNCTION_ARGS) {
  Guard([&] {
    Pattern::Parse(TextArgument(fcinfo, 0), TextArgument(fcinfo, 1) == "tag"
                                                ? PatternSubject::kTag
                                                : PatternSubject::kRepository);
  });
  PG_RETURN_VOID();
}

/// parse_reference(reference text) -> (host, repository, tag, digest, short_name)
Datum image_library_parse_reference(PG_FUNCTION_ARGS) {
  Datum row = 0;
  Guard([&] {
    const Reference reference = ParseReference(TextArgument(fcinfo, 0));
    row = RowDatum(fcinfo, {Column::Text(reference.host), Column::Text(reference.repository),
                            Column::TextOrNull(reference.tag), Column::TextOrNull(reference.digest),
                            Column::TextOrNull(reference.short_name)});
  });
  PG_RETURN_DATUM(row);
}

/// parse_registry_url(url text) -> (scheme, host, prefix)
Datum image_library_parse_registry_url(PG_FUNCTION_ARGS) {
  Datum row = 0;
  Guard([&] {
    const RegistryUrl url = ParseRegistryUrl(TextArgument(fcinfo, 0));
    row = RowDatum(fcinfo,
                   {Column::Text(url.scheme), Column::Text(url.host), Column::Text(url.prefix)});
  });
  PG_RETURN_DATUM(row);
}

/// without_secrets(refused text)
Datum image_library_without_secrets(PG_FUNCTION_ARGS) {
  Datum shown = 0;
  Guard([&] { shown = TextDatum(Scrub(WithoutSecrets(TextArgument(fcinfo, 0)), 500)); });
  PG_RETURN_DATUM(shown);
}

/// is_repository_name(name text)
Datum image_library_is_repository_name(PG_FUNCTION_ARGS) {
  bool result = false;
  Guard([&] { result = IsRepositoryName(TextArgument(fcinfo, 0)); });
  PG_RETURN_BOOL(result);
}

/// is_tag(name text)
Datum image_library_is_tag(PG_FUNCTION_ARGS) {
  bool result = false;
  Guard([&] { result = IsTag(TextArgument(fcinfo, 0)); });
  PG_RETURN_BOOL(result);
}

/// version_key(tag text) -> bytea
Datum image_library_version_key(PG_FUNCTION_ARGS) {
  Datum key = 0;
  Guard([&] { key = TextDatum(VersionKey(TextArgument(fcinfo, 0))); });
  PG_RETURN_DATUM(key);
}
}
