// Memory of coroutine frames, kept for the next ones.
#ifndef IMAGE_LIBRARY_REGISTRY_FRAME_MEMORY_H_
#define IMAGE_LIBRARY_REGISTRY_FRAME_MEMORY_H_

#include <array>
#include <cstddef>
#include <new>

namespace image_library::registry::internal {

/// A request is a dozen frames of a few sizes, and as many as there are connections come and go at
/// a time: more than the allocator keeps at hand. Frames that were freed are used again, one list
/// for each size. Of one thread.
class FrameMemory {
 public:
  static void* Take(std::size_t size) {
    FrameMemory& memory = Mine();
    const std::size_t list = ListOf(size);
    if (list >= kLists) return ::operator new(size);
    Free*& free = memory.free_[list];
    if (free == nullptr) return ::operator new((list + 1) * kStep);
    void* const frame = free;
    free = free->next;
    memory.kept_ -= (list + 1) * kStep;
    return frame;
  }

  static void GiveBack(void* frame, std::size_t size) noexcept {
    FrameMemory& memory = Mine();
    const std::size_t list = ListOf(size);
    const std::size_t bytes = (list + 1) * kStep;
    if (list >= kLists || memory.kept_ + bytes > kMostBytes) {
      ::operator delete(frame);
      return;
    }
    memory.free_[list] = new (frame) Free{memory.free_[list]};
    memory.kept_ += bytes;
  }

 private:
  struct Free {
    Free* next;
  };

  static constexpr std::size_t kStep = 64;
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t kLists = 0;  // so that a use after the end is found
#else
  static constexpr std::size_t kLists = 32;
#endif
  static constexpr std::size_t kMostBytes = 1u << 20;  // kept at a time

  static std::size_t ListOf(std::size_t size) noexcept { return (size - 1) / kStep; }
  static FrameMemory& Mine() noexcept {
    static thread_local FrameMemory memory;
    return memory;
  }

  FrameMemory() = default;
  ~FrameMemory() {
    for (Free* free : free_) {
      while (free != nullptr) {
        Free* const next = free->next;
        ::operator delete(free);
        free = next;
      }
    }
  }

  std::array<Free*, kLists> free_{};
  std::size_t kept_ = 0;
};

}  // namespace image_library::registry::internal

#endif
