// Documents of evidence, read as JSON with the words of a verdict.
#ifndef IMAGE_LIBRARY_TRUST_DOCUMENT_H_
#define IMAGE_LIBRARY_TRUST_DOCUMENT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/json.h"

namespace image_library::trust {

/// Throws Refusal, which begins with the name of the document: too large, or not JSON.
Json ParseDocument(std::string_view text, const char* name);

/// The bytes of a base64 member. Throws Refusal with the name when it is absent, empty or not
/// base64.
std::string BytesOf(const Json& value, const char* name);

/// A number that is not negative, in protobuf's JSON form (text) or as a number; -1: absent. Throws
/// Refusal with the name for anything else.
std::int64_t NumberOf(const Json& value, const char* name);

/// True for a member that is not there, or null, which is the same in protobuf's JSON form.
bool IsAbsent(const Json& value);

/// A name or address from a document or certificate, to show: one line of valid UTF-8, bounded.
std::string Shown(std::string_view text);

}  // namespace image_library::trust

#endif
