// The list of Postgres extensions in an annotation of EDB's images.
#ifndef IMAGE_LIBRARY_CORE_EXTENSION_LIST_H_
#define IMAGE_LIBRARY_CORE_EXTENSION_LIST_H_

#include <string>
#include <string_view>
#include <vector>

namespace image_library {

/// A Postgres extension in an image.
struct Extension {
  std::string name, version, description;
};

/// Decodes base64 of CSV (RFC 4180) `name,version,description`, with or without a header line.
/// Returns false, with nothing in out, for anything else. If a name occurs twice, the first is
/// kept.
bool ParseExtensionList(std::string_view base64_csv, std::vector<Extension>* out);

}  // namespace image_library

#endif
