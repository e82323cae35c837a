#include "trust/document.h"

#include <charconv>

#include "core/base64.h"
#include "core/error.h"
#include "core/strings.h"
#include "core/text.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {

Json ParseDocument(std::string_view text, const char* name) {
  if (text.size() > kMostDocumentBytes) throw Refusal(std::string(name) + " is larger than 1 MiB");
  try {
    return Json::Parse(text);
  } catch (const Error& error) {
    throw Refusal(std::string(name) + " is not valid JSON");
  }
}

std::string BytesOf(const Json& value, const char* name) {
  const auto text = value.Text();
  if (!text) throw Refusal(std::string(name) + " is missing");
  std::string bytes;
  if (text->empty() || !(DecodeBase64(*text, &bytes) || DecodeBase64Url(*text, &bytes)))
    throw Refusal(std::string(name) + " is not valid base64");
  return bytes;
}

std::int64_t NumberOf(const Json& value, const char* name) {
  std::int64_t number = -1;
  if (const auto text = value.Text()) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) number = -2;
    if (!IsDigits(*text)) number = -2;
  } else if (const auto integer = value.Integer()) {
    number = *integer < 0 ? -2 : *integer;
  }
  if (number < -1) throw Refusal(std::string(name) + " is not a number from 0");
  return number;
}

bool IsAbsent(const Json& value) {
  return !value.IsObject() && !value.IsArray() && !value.Text() && !value.Integer() &&
         !value.Boolean();
}

std::string Shown(std::string_view text) { return ScrubLine(text, kMostTextBytes); }

}  // namespace image_library::trust
