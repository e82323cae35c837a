// The version of image_library. test/t/060_upgrade.pl compares it with the other places that name
// it.
#ifndef IMAGE_LIBRARY_CORE_RELEASE_H_
#define IMAGE_LIBRARY_CORE_RELEASE_H_

namespace image_library {

/// As in default_version of image_library.control.
inline constexpr char kRelease[] = "0.2";

}  // namespace image_library

#endif
