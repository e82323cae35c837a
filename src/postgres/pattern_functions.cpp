// SQL functions for rules, patterns, references and versions of core.
#include "postgres/datum.h"

#include <algorithm>

#include "core/pattern.h"
#include "core/pattern_advice.h"
#include "core/reference.h"
#include "core/rule.h"
#include "core/text.h"
#include "core/url.h"
#include "core/version.h"
#include "postgres/bridge.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

namespace {

PatternSubject SubjectArgument(FunctionCallInfo fcinfo, int number) {
  const std::string subject = TextArgument(fcinfo, number);
  if (subject == "tag") return PatternSubject::kTag;
  if (subject == "text") return PatternSubject::kText;
  return subject == "place" ? PatternSubject::kPlace : PatternSubject::kRepository;
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_decide_tags);
PG_FUNCTION_INFO_V1(image_library_explain_tag);
PG_FUNCTION_INFO_V1(image_library_check_repository_pattern);
PG_FUNCTION_INFO_V1(image_library_check_tag_pattern);
PG_FUNCTION_INFO_V1(image_library_matching_names);
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

/// check_repository_pattern(pattern text, host text, prefix text): raises when the pattern is
/// wrong, or can match no repository of the registry there.
Datum image_library_check_repository_pattern(PG_FUNCTION_ARGS) {
  Guard([&] {
    const std::string pattern = TextArgument(fcinfo, 0);
    RequireRepositoryPattern(pattern, TextArgument(fcinfo, 1), TextArgument(fcinfo, 2));
    Pattern::Parse(pattern, PatternSubject::kRepository);
  });
  PG_RETURN_VOID();
}

/// check_tag_pattern(pattern text): raises when the pattern is wrong, or can match no tag.
Datum image_library_check_tag_pattern(PG_FUNCTION_ARGS) {
  Guard([&] {
    const std::string pattern = TextArgument(fcinfo, 0);
    RequireTagPattern(pattern);
    Pattern::Parse(pattern, PatternSubject::kTag);
  });
  PG_RETURN_VOID();
}

/// matching_names(patterns text[], subject text, names text[]) -> (name, pattern): the names that
/// match a pattern, each with the first that it matches.
Datum image_library_matching_names(PG_FUNCTION_ARGS) {
  Guard([&] {
    BeginRows(fcinfo);
    const PatternSubject subject = SubjectArgument(fcinfo, 1);
    std::vector<Pattern> patterns;
    for (const std::string& pattern : TextArrayArgument(fcinfo, 0))
      patterns.push_back(Pattern::Parse(pattern, subject));
    for (const std::string& name : TextArrayArgument(fcinfo, 2)) {
      const auto first = std::find_if(patterns.begin(), patterns.end(),
                                      [&](const Pattern& p) { return p.Matches(name); });
      if (first != patterns.end())
        AddRow(fcinfo, {Column::Text(name), Column::Text(first->text())});
    }
  });
  PG_RETURN_NULL();
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
