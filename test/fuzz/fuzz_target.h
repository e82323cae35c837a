// What the fuzz targets share. A target is a file *_fuzzer.cpp with LLVMFuzzerTestOneInput; CMake
// builds each with IMAGE_LIBRARY_FUZZ, and test/deep/fuzz runs them.
#ifndef IMAGE_LIBRARY_TEST_FUZZ_FUZZ_TARGET_H_
#define IMAGE_LIBRARY_TEST_FUZZ_FUZZ_TARGET_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library::fuzz {

/// Ends the run with the property that does not hold.
#define REQUIRE(...) \
  ::image_library::fuzz::Require(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

inline void Require(bool holds, const char* property, const char* file, int line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, property);
  std::abort();
}

/// What a text column of PostgreSQL takes.
inline bool IsStorable(std::string_view text) {
  return IsUtf8(text) && text.find('\0') == std::string_view::npos;
}

inline void RequireStorable(const StringMap& map) {
  for (const auto& [key, value] : map) REQUIRE(IsStorable(key) && IsStorable(value));
}

/// An error is sent to a client: an encoding that it cannot convert would hide it.
inline void RequireReadable(const Error& error) {
  REQUIRE(IsStorable(error.what()));
  REQUIRE(IsStorable(error.detail()));
  REQUIRE(IsStorable(error.hint()));
}

inline std::string_view TextOf(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The lines of an input, as many at least: those that are missing are empty.
inline std::vector<std::string_view> LinesOf(std::string_view text, std::size_t least) {
  std::vector<std::string_view> lines = Split(text, "\n");
  if (lines.size() < least) lines.resize(least);
  return lines;
}

}  // namespace image_library::fuzz

#endif
