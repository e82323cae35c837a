// Patterns of repository rules.
#ifndef IMAGE_LIBRARY_CORE_PATTERN_H_
#define IMAGE_LIBRARY_CORE_PATTERN_H_

#include <memory>
#include <string>
#include <string_view>

namespace image_library {

/// What a pattern matches: the name of a repository, a tag, a place, which is host/repository (the
/// host may have a port), or any text, such as the name that a certificate is for.
enum class PatternSubject { kRepository, kTag, kPlace, kText };

/// A glob (anchored, case sensitive; `*` and `?` stay inside a path part, `**` crosses parts,
/// `[abc]`, `[a-z]`, `[!x]`, `{a,b}`, backslash escapes), `regex:` (RE2, unanchored as EDB's rules
/// are), or for tags `version:` (a range in the library's version order, `version:>=16 <18`).
/// Matching takes time linear in the text. Cheap to copy.
class Pattern {
 public:
  /// Throws Error kInvalidPattern for a bad regular expression, kInvalidArgument otherwise.
  static Pattern Parse(std::string_view text, PatternSubject subject);

  bool Matches(std::string_view text) const;

  /// True when the pattern is a plain name: it can match only itself.
  bool IsLiteral() const noexcept;

  const std::string& text() const noexcept;

 private:
  struct Impl;
  explicit Pattern(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace image_library

#endif
