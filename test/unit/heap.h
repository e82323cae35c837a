// How much of the heap is in use.
#ifndef IMAGE_LIBRARY_TEST_UNIT_HEAP_H_
#define IMAGE_LIBRARY_TEST_UNIT_HEAP_H_

#include <malloc.h>

#include <cstddef>

namespace image_library {

inline constexpr std::size_t kMiB = 1u << 20;

/// Bytes of this process's heap that are in use, in large blocks too.
inline std::size_t HeapInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace image_library

#endif
