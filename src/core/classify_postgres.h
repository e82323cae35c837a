// Postgres server images, and the extension images of CloudNativePG.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFY_POSTGRES_H_
#define IMAGE_LIBRARY_CORE_CLASSIFY_POSTGRES_H_

#include <string>
#include <string_view>

#include "core/classification.h"
#include "core/fact_reader.h"

namespace image_library {

/// A Postgres flavor (`postgresql`, `epas`, `pge`) in any spelling that EDB uses in annotations, in
/// its command line and in repositories; empty for any other text.
std::string KnownFlavor(std::string_view text);

/// True when a documented key says that the image is a Postgres server.
bool DeclaresPostgres(const FactReader& reader);
/// True when the repository or the base image has a documented name of server images, or the source
/// is CloudNativePG's.
bool IsNamedPostgres(const FactReader& reader);
bool IsExtensionImage(const FactReader& reader);
void ClassifyPostgres(const FactReader& reader, Classification* image);
void ClassifyExtensionImage(const FactReader& reader, Classification* image);

}  // namespace image_library

#endif
