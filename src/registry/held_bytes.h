// What the bodies of one run take in memory, counted.
#ifndef IMAGE_LIBRARY_REGISTRY_HELD_BYTES_H_
#define IMAGE_LIBRARY_REGISTRY_HELD_BYTES_H_

#include <cstddef>
#include <memory>
#include <utility>

namespace image_library::registry {

/// Counts bytes in a sum that it shares, as long as it lives. A copy counts nothing.
class HeldBytes {
 public:
  HeldBytes() = default;
  explicit HeldBytes(std::shared_ptr<std::size_t> sum) noexcept : sum_(std::move(sum)) {}
  HeldBytes(const HeldBytes&) noexcept {}
  HeldBytes(HeldBytes&& other) noexcept
      : sum_(std::move(other.sum_)), bytes_(std::exchange(other.bytes_, 0)) {}
  HeldBytes& operator=(HeldBytes other) noexcept {
    std::swap(sum_, other.sum_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~HeldBytes() { Set(0); }

  void Set(std::size_t bytes) noexcept {
    if (!sum_) return;
    *sum_ += bytes - bytes_;
    bytes_ = bytes;
  }

 private:
  std::shared_ptr<std::size_t> sum_;
  std::size_t bytes_ = 0;
};

}  // namespace image_library::registry

#endif
