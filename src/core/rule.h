// Repository rules: which repositories and tags belong to the library.
#ifndef IMAGE_LIBRARY_CORE_RULE_H_
#define IMAGE_LIBRARY_CORE_RULE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/pattern.h"

namespace image_library {

/// One enabled rule of one registry, as image_library_internal.rule stores it.
struct Rule {
  std::int64_t id = 0;  ///< 0: a rule that is only previewed
  Pattern repositories;
  std::vector<Pattern> tags;
  std::vector<Pattern> exclude_tags;
  bool include = true;  ///< action: include or exclude
  bool immutable_tags = false;
  std::optional<int> newest;  ///< keep the n newest tags by version order
  int priority = 100;
  std::string kind = "auto";  ///< forced_kind of Classify
};

/// The decision of the rules on one tag.
struct TagDecision {
  std::string tag;
  const Rule* rule = nullptr;  ///< the deciding include rule; owned by the RuleSet
};

/// One line of an explanation: the result of one rule for one tag.
struct RuleExplanation {
  std::int64_t rule_id;
  bool include;
  bool matched;
  bool decides;
  std::string reason;  ///< which pattern matched or why none did, a phrase for a person
};

/// The rules of one registry. A tag is in the library when an enabled include rule takes it and no
/// exclude rule does; of several includes the lowest priority number, then the lowest id, decides.
/// Tags that only carry referrers (IsReferrerTag) are never in the library.
class RuleSet {
 public:
  /// Reads `jsonb_agg(rule)`: an array of objects with the columns of image_library_internal.rule.
  /// Throws Error kInvalidPattern or kInvalidArgument.
  static RuleSet FromJson(std::string_view json);
  static RuleSet FromJson(const Json& array);

  /// The admitted tags of a repository, in the order given.
  std::vector<TagDecision> Decide(std::string_view repository,
                                  const std::vector<std::string>& tags) const;

  /// Every rule tried on one tag; `tags` is the repository's listing, which `newest` needs.
  std::vector<RuleExplanation> Explain(std::string_view repository, std::string_view tag,
                                       const std::vector<std::string>& tags) const;

  /// True when some include rule may take tags of the repository.
  bool WantsRepository(std::string_view repository) const;
  /// True when an include rule has a repository pattern that only the catalogue can answer.
  bool WantsCatalog() const;
  /// The repositories that include rules name without a wildcard, sorted, each once.
  std::vector<std::string> LiteralRepositories() const;

  const std::vector<Rule>& rules() const { return rules_; }

 private:
  std::vector<Rule> rules_;  // by priority, then id
};

/// What the rules of a registry say of the tags of one repository, tag by tag.
class TagRules {
 public:
  /// The set must outlive it. listing: the tags of the repository, which `newest` needs; only the
  /// newest are kept of them.
  TagRules(const RuleSet& set, std::string_view repository,
           const std::vector<std::string>& listing);

  /// The deciding rule of a tag of the listing; nullptr: the rules do not admit it.
  const Rule* Decide(std::string_view tag) const;
  /// The same before `newest` is applied.
  const Rule* DecideByPatterns(std::string_view tag) const;

 private:
  std::vector<const Rule*> includes_, excludes_;
  /// Of rules with `newest` that decide more tags than that: the version key of the oldest kept.
  std::map<const Rule*, std::string> oldest_;
};

/// True for the OCI referrers fallback tag `sha256-<64 hex>` and cosign's `sha256-<64 hex>.sig`,
/// `.att` and `.sbom`; subject receives the digest, suffix what follows (empty, `sig`, ...). A
/// sha512 digest is cut to 64 digits in the tag, and so is the subject then.
bool IsReferrerTag(std::string_view tag, std::string* subject = nullptr,
                   std::string* suffix = nullptr);

/// The referrers fallback tag of a digest (distribution-spec 1.1, "Referrers Tag Schema").
std::string FallbackTag(std::string_view digest);

}  // namespace image_library

#endif
