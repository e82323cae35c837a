#include "core/rule.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "core/strings.h"
#include "core/version.h"

namespace image_library {
namespace {

[[noreturn]] void Refuse(const std::string& detail) {
  throw Error(ErrorKind::kInvalidArgument, "invalid repository rule", detail);
}

/// The text elements of an array member; `fallback` when it is absent or null.
std::vector<std::string> Texts(const Json& rule, const char* key,
                               std::vector<std::string> fallback) {
  const Json member = rule[key];
  if (!member.IsArray()) {
    if (member.String() || member.IsObject()) Refuse(std::string(key) + " is not an array.");
    return fallback;
  }
  std::vector<std::string> texts = member.Strings();
  if (texts.size() != member.Elements().size()) {
    Refuse(std::string(key) + " has an element that is no text.");
  }
  return texts;
}

std::vector<Pattern> TagPatterns(const std::vector<std::string>& texts) {
  std::vector<Pattern> patterns;
  patterns.reserve(texts.size());
  for (const std::string& text : texts) {
    patterns.push_back(Pattern::Parse(text, PatternSubject::kTag));
  }
  return patterns;
}

Rule ReadRule(const Json& json) {
  if (!json.IsObject()) Refuse("A rule is not a JSON object.");
  const std::string action = json["action"].StringOr("include");
  if (action != "include" && action != "exclude") {
    Refuse("The action \"" + action + "\" is neither include nor exclude.");
  }
  const std::optional<std::int64_t> newest = json["newest"].Integer();
  if (newest && (*newest < 1 || *newest > 1'000'000'000)) {
    Refuse("newest must be a positive number of tags.");
  }
  Rule rule{.repositories =
                Pattern::Parse(json["repositories"].StringOr(""), PatternSubject::kRepository)};
  rule.id = json["rule_id"].Integer().value_or(0);
  rule.tags = TagPatterns(Texts(json, "tags", {"*"}));
  rule.exclude_tags = TagPatterns(Texts(json, "exclude_tags", {}));
  rule.include = action == "include";
  rule.immutable_tags = json["immutable_tags"].Boolean().value_or(false);
  rule.kind = json["kind"].StringOr("auto");
  if (newest) rule.newest = static_cast<int>(*newest);
  rule.priority = static_cast<int>(json["priority"].Integer().value_or(100));
  return rule;
}

const Pattern* FirstMatch(const std::vector<Pattern>& patterns, std::string_view text) {
  const auto found = std::find_if(patterns.begin(), patterns.end(),
                                  [&](const Pattern& pattern) { return pattern.Matches(text); });
  return found == patterns.end() ? nullptr : &*found;
}

bool TakesTag(const Rule& rule, std::string_view tag) {
  return FirstMatch(rule.tags, tag) != nullptr && FirstMatch(rule.exclude_tags, tag) == nullptr;
}

/// The rules of one action that match a repository, in their order.
std::vector<const Rule*> RulesFor(const std::vector<Rule>& rules, std::string_view repository,
                                  bool include) {
  std::vector<const Rule*> found;
  for (const Rule& rule : rules) {
    if (rule.include == include && rule.repositories.Matches(repository)) found.push_back(&rule);
  }
  return found;
}

// `sha256` and `sha512`, and the digits of a digest that fit into a referrers tag.
constexpr std::size_t kAlgorithm = 6;
constexpr std::size_t kTagDigits = 64;

const Rule* FirstTaking(const std::vector<const Rule*>& rules, std::string_view tag) {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const Rule* r) { return TakesTag(*r, tag); });
  return found == rules.end() ? nullptr : *found;
}

using Ranking = std::map<const Rule*, std::vector<std::string>>;

/// By rule with `newest`: the version keys of the tags it decides, newest first, each once.
Ranking RankTags(const TagRules& rules, const std::vector<std::string>& tags) {
  Ranking ranking;
  for (const std::string& tag : tags) {
    const Rule* const rule = rules.DecideByPatterns(tag);
    if (rule != nullptr && rule->newest) ranking[rule].push_back(VersionKey(tag));
  }
  for (auto& [rule, keys] : ranking) {
    std::sort(keys.begin(), keys.end(), std::greater<>());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  }
  return ranking;
}

/// Place of a tag among those its rule decides, 1 for the newest; 0 for a rule that keeps all.
std::size_t Rank(const Ranking& ranking, const TagDecision& decision) {
  const auto keys = ranking.find(decision.rule);
  if (keys == ranking.end()) return 0;
  const auto place = std::lower_bound(keys->second.begin(), keys->second.end(),
                                      VersionKey(decision.tag), std::greater<>());
  return static_cast<std::size_t>(place - keys->second.begin()) + 1;
}

bool IsKept(const Ranking& ranking, const TagDecision& decision) {
  return !decision.rule->newest ||
         Rank(ranking, decision) <= static_cast<std::size_t>(*decision.rule->newest);
}

std::string Describe(const Pattern& pattern) {
  const std::string& text = pattern.text();
  const std::string_view how = text.starts_with("regex:")     ? "regex, unanchored"
                               : text.starts_with("version:") ? "version range"
                               : pattern.IsLiteral()          ? "exact name"
                                                              : "glob, anchored";
  return "\"" + text + "\" (" + std::string(how) + ")";
}

std::string DescribeAll(const std::vector<Pattern>& patterns) {
  std::string text;
  for (const Pattern& pattern : patterns) {
    if (!text.empty()) text += ", ";
    text += Describe(pattern);
  }
  return text.empty() ? "its empty list" : text;
}

/// Whether the rule's own patterns take the tag, and the pattern that says so.
RuleExplanation ExplainPatterns(const Rule& rule, std::string_view repository,
                                std::string_view tag) {
  RuleExplanation line{rule.id, rule.include, false, false, {}};
  if (!rule.repositories.Matches(repository)) {
    line.reason = "repository does not match " + Describe(rule.repositories);
    return line;
  }
  const Pattern* pattern = FirstMatch(rule.tags, tag);
  if (pattern == nullptr) {
    line.reason = "repository matches " + Describe(rule.repositories) + ", tag matches none of " +
                  DescribeAll(rule.tags);
    return line;
  }
  line.reason =
      "repository matches " + Describe(rule.repositories) + ", tag matches " + Describe(*pattern);
  if (const Pattern* except = FirstMatch(rule.exclude_tags, tag)) {
    line.reason += ", but exclude_tags has " + Describe(*except);
    return line;
  }
  line.matched = true;
  return line;
}

std::string RuleName(const Rule& rule) {
  return rule.id == 0 ? "the previewed rule" : "rule " + std::to_string(rule.id);
}

}  // namespace

RuleSet RuleSet::FromJson(std::string_view json) {
  const std::string_view text = Trim(json);
  if (text.empty() || text == "null") return {};  // jsonb_agg of no rows
  return FromJson(Json::Parse(text, Json::kAnyNumber));
}

RuleSet RuleSet::FromJson(const Json& array) {
  RuleSet set;
  if (!array.IsArray()) Refuse("The rules are not a JSON array.");
  for (const Json& element : array.Elements()) {
    if (element["enabled"].Boolean().value_or(true)) set.rules_.push_back(ReadRule(element));
  }
  // A previewed rule has id 0 and would be the newest.
  const auto order = [](const Rule& rule) {
    return std::tuple(rule.priority, rule.id == 0, rule.id);
  };
  std::stable_sort(set.rules_.begin(), set.rules_.end(),
                   [&](const Rule& a, const Rule& b) { return order(a) < order(b); });
  return set;
}

std::vector<TagDecision> RuleSet::Decide(std::string_view repository,
                                         const std::vector<std::string>& tags) const {
  const TagRules rules(*this, repository, tags);
  std::vector<TagDecision> decisions;
  for (const std::string& tag : tags)
    if (const Rule* rule = rules.Decide(tag)) decisions.push_back({tag, rule});
  return decisions;
}

TagRules::TagRules(const RuleSet& set, std::string_view repository,
                   const std::vector<std::string>& listing)
    : includes_(RulesFor(set.rules(), repository, true)),
      excludes_(RulesFor(set.rules(), repository, false)) {
  const bool ranks = std::any_of(includes_.begin(), includes_.end(),
                                 [](const Rule* rule) { return rule->newest; });
  if (!ranks) return;
  std::map<const Rule*, std::set<std::string>> kept;
  for (const std::string& tag : listing) {
    const Rule* const rule = DecideByPatterns(tag);
    if (rule == nullptr || !rule->newest) continue;
    std::set<std::string>& keys = kept[rule];
    keys.insert(VersionKey(tag));
    if (keys.size() <= static_cast<std::size_t>(*rule->newest)) continue;
    keys.erase(keys.begin());
    oldest_[rule] = *keys.begin();
  }
}

const Rule* TagRules::DecideByPatterns(std::string_view tag) const {
  if (includes_.empty() || IsReferrerTag(tag)) return nullptr;
  const Rule* const rule = FirstTaking(includes_, tag);
  return rule != nullptr && FirstTaking(excludes_, tag) == nullptr ? rule : nullptr;
}

const Rule* TagRules::Decide(std::string_view tag) const {
  const Rule* const rule = DecideByPatterns(tag);
  if (rule == nullptr || oldest_.empty()) return rule;
  const auto oldest = oldest_.find(rule);
  return oldest == oldest_.end() || VersionKey(tag) >= oldest->second ? rule : nullptr;
}

std::vector<RuleExplanation> RuleSet::Explain(std::string_view repository, std::string_view tag,
                                              const std::vector<std::string>& tags) const {
  const bool referrer = IsReferrerTag(tag);
  const Rule* include = FirstTaking(RulesFor(rules_, repository, true), tag);
  const Rule* exclude = FirstTaking(RulesFor(rules_, repository, false), tag);
  std::vector<std::string> listing = tags;
  if (std::find(tags.begin(), tags.end(), tag) == tags.end()) listing.emplace_back(tag);
  const Ranking ranking = RankTags(TagRules(*this, repository, listing), listing);

  std::vector<RuleExplanation> lines;
  for (const Rule& rule : rules_) {
    RuleExplanation line = ExplainPatterns(rule, repository, tag);
    const TagDecision decision{std::string(tag), &rule};
    if (!line.matched) {
      // the patterns already say why
    } else if (referrer) {
      line.reason += "; but a tag of signatures and attestations is never in the library";
    } else if (!rule.include) {
      line.decides = &rule == exclude;
      line.reason += line.decides ? "; takes the tag out of the library"
                                  : "; " + RuleName(*exclude) + " already takes it out";
    } else if (exclude != nullptr) {
      line.reason += "; but " + RuleName(*exclude) + " excludes the tag";
    } else if (&rule != include) {
      line.reason += "; but " + RuleName(*include) + " comes first";
    } else if (!IsKept(ranking, decision)) {
      line.reason += "; but only the newest " + std::to_string(*rule.newest) +
                     " are kept, and it is number " + std::to_string(Rank(ranking, decision));
    } else {
      line.decides = true;
      line.reason += "; decides";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

bool RuleSet::WantsRepository(std::string_view repository) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.include && rule.repositories.Matches(repository);
  });
}

bool RuleSet::WantsCatalog() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) {
    return rule.include && !rule.repositories.IsLiteral();
  });
}

std::vector<std::string> RuleSet::LiteralRepositories() const {
  std::vector<std::string> names;
  for (const Rule& rule : rules_) {
    if (rule.include && rule.repositories.IsLiteral()) names.push_back(rule.repositories.text());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool IsReferrerTag(std::string_view tag, std::string* subject, std::string* suffix) {
  const bool known = tag.starts_with("sha256-") || tag.starts_with("sha512-");
  if (!known || tag.size() < kAlgorithm + 1 + kTagDigits) return false;
  const std::string_view hex = tag.substr(kAlgorithm + 1, kTagDigits);
  if (hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
  const std::string_view rest = tag.substr(kAlgorithm + 1 + kTagDigits);
  if (!rest.empty() && rest != ".sig" && rest != ".att" && rest != ".sbom") return false;
  if (subject != nullptr)
    *subject = std::string(tag.substr(0, kAlgorithm)) + ":" + std::string(hex);
  if (suffix != nullptr) *suffix = rest.empty() ? rest : rest.substr(1);
  return true;
}

std::string FallbackTag(std::string_view digest) {
  std::string tag(digest.substr(0, kAlgorithm + 1 + kTagDigits));
  tag[kAlgorithm] = '-';
  return tag;
}

}  // namespace image_library
