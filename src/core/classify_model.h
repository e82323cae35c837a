// Model images and model artifacts.
#ifndef IMAGE_LIBRARY_CORE_CLASSIFY_MODEL_H_
#define IMAGE_LIBRARY_CORE_CLASSIFY_MODEL_H_

#include <string_view>

#include "core/classification.h"
#include "core/fact_reader.h"

namespace image_library {

/// True for `.../nim/<model>` and `.../nim/<publisher>/<model>`, NVIDIA's layout.
bool IsNimRepository(std::string_view repository);
/// True for repositories named as model cars are (`modelcar-granite-3.1-8b`, `modelcars/...`).
bool IsModelcarRepository(std::string_view repository);
/// Precondition: format is set.
void ClassifyModel(const FactReader& reader, Classification* image);

}  // namespace image_library

#endif
