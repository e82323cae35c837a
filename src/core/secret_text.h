// Which SQL texts may hold a secret.
#ifndef IMAGE_LIBRARY_CORE_SECRET_TEXT_H_
#define IMAGE_LIBRARY_CORE_SECRET_TEXT_H_

#include <string_view>

namespace image_library {

/// True when a text, as the server logs it before or without parsing it, contains the name of a
/// function that takes a secret (set_credential, set_client_certificate, and similar spellings), or
/// that of a function that takes a registry's URL together with an @, which may end a user and
/// password.
///
/// Names are found as PostgreSQL's scanner reads them: plain ones in any case, "quoted" and U&"..."
/// ones, with UESCAPE. They are also found in comments and, eight levels deep, in string constants
/// ('', E'', U&'', dollar quotes, continued ones) and in quoted strings of other languages: bodies
/// of DO blocks and functions, arguments of EXECUTE. Quotes need not be closed. In case of doubt
/// (deeper levels, truncated names, lack of memory) the result is true. Takes time linear in the
/// length.
bool MayHoldSecret(std::string_view sql) noexcept;

}  // namespace image_library

#endif
