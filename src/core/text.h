// Text from images and registries, made safe to store and show.
#ifndef IMAGE_LIBRARY_CORE_TEXT_H_
#define IMAGE_LIBRARY_CORE_TEXT_H_

#include <string>
#include <string_view>

namespace image_library {

/// True for printable ASCII: such text is what Scrub makes of it.
bool IsPlain(std::string_view text) noexcept;

/// Valid UTF-8 without NUL and C0/C1 control characters (tab and newline stay): each offending
/// byte or character becomes U+FFFD. At most max_bytes bytes, cut at a character.
std::string Scrub(std::string_view text, std::size_t max_bytes = 65536);

/// The same as a single line that shows what it says: tabs and ends of lines, and characters that
/// are invisible or change the direction of writing, become U+FFFD too.
std::string ScrubLine(std::string_view text, std::size_t max_bytes);

/// The part of a user's refused text that an error may show: nothing before an @ (user and password
/// of a URL), no query and no fragment. Empty when an @ follows a ? or #, since it is not clear
/// then which part is secret. Not scrubbed.
std::string_view WithoutSecrets(std::string_view text) noexcept;

bool IsUtf8(std::string_view text) noexcept;

/// The first character of a text that is UTF-8, and the first byte of any other. Precondition: text
/// is not empty.
std::string_view FirstCharacter(std::string_view text) noexcept;

}  // namespace image_library

#endif
