// Patterns that can never match, and what was probably meant by them.
#ifndef IMAGE_LIBRARY_CORE_PATTERN_ADVICE_H_
#define IMAGE_LIBRARY_CORE_PATTERN_ADVICE_H_

#include <string_view>

namespace image_library {

/// Throws Error kInvalidArgument for a pattern that can match no repository of the registry at
/// `host` (as RegistryUrl has it) whose URL has the path `prefix`: one with a scheme, the
/// registry's host, a tag, a digest, upper case, or a slash at an end. The hint says what was
/// meant, where that is clear. Of regular expressions only those that begin with the host are
/// found; other faults of a pattern are for Pattern::Parse.
///
/// It is for patterns that a person writes now: stored rules are read by Pattern::Parse alone, so
/// that no rule of an older version ends the syncs of its registry.
void RequireRepositoryPattern(std::string_view pattern, std::string_view host,
                              std::string_view prefix);

/// The same for a pattern of tags: with a repository, a digest, a beginning that no tag has, more
/// than 128 characters, a tag of signatures, or a version range that contains no version.
void RequireTagPattern(std::string_view pattern);

}  // namespace image_library

#endif
