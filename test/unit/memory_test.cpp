// Want of memory: each allocation fails in turn, and what had been taken is given back.
#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "assemble_image.h"
#include "core/error.h"
#include "core/image.h"
#include "core/json.h"
#include "core/manifest.h"
#include "fake_transport.h"

namespace {

// Of this process, which has one thread. Allocations until the one that fails; below 0: none does.
long left = -1;
bool only_one = false;  // those after it do not fail
long live = 0;

void* Allocate(std::size_t size) noexcept {
  if (left == 0) {
    if (only_one) left = -1;
    return nullptr;
  }
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) return nullptr;
  if (left > 0) --left;
  ++live;
  return memory;
}

}  // namespace

// libsimdjson and libstdc++ take memory through these too.
void* operator new(std::size_t size) {
  if (void* const memory = Allocate(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  --live;
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }

namespace image_library {
namespace {

/// Runs work with its n-th allocation failing, for every n; returns how many it has.
template <typename Work>
long FailEachAllocation(Work work) {
  work();  // what is set up once is there then
  for (long n = 0; n < 1000000; ++n) {
    const long before = live;
    bool failed = false;
    std::string other;
    left = n;
    try {
      work();
    } catch (const std::bad_alloc&) {
      failed = true;
    } catch (const std::exception& error) {
      left = -1;
      other = error.what();
    }
    left = -1;
    EXPECT_EQ(other, "") << "allocation " << n;
    EXPECT_EQ(live, before) << "allocation " << n;
    if (!failed || ::testing::Test::HasFailure()) return n;
  }
  return -1;
}

const std::string& Manifest() {
  static const std::string text = [] {
    const std::string descriptor = R"({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "sha256:)" + std::string(64, 'a') +
                                   R"(", "size": 99999999999999999999,
      "size": 7, "annotations": {"a key that is long enough": "a value that is long enough"}})";
    return R"({"schemaVersion": 2, "config": )" + descriptor + R"(, "layers": [)" + descriptor +
           "," + descriptor +
           R"(], "annotations": {"title": "a title of some length, on the heap"}})";
  }();
  return text;
}

TEST(MemoryTest, JsonWithoutMemoryIsNotInvalid) {
  EXPECT_GT(FailEachAllocation([] { (void)Json::Parse(Manifest())["config"].Map(); }), 5);
}

TEST(MemoryTest, ManifestsAndImagesWithoutMemoryAreNotMalformed) {
  EXPECT_GT(FailEachAllocation([] {
              std::vector<FetchedPlatform> platforms(1);
              platforms.front().manifest = ParseManifest(Manifest(), "");
              (void)AssembleImage("sha256:x", platforms.front().manifest, platforms);
            }),
            30);
}

registry::Task<void> Work(int* done) {
  ++*done;
  co_return;
}

registry::Task<void> SpawnAll(int* done) {
  registry::Group group(2);
  bool failed = false;
  for (int i = 0; i < 5 && !failed; ++i) {
    try {
      registry::Task<void> task = Work(done);
      co_await group.Spawn(std::move(task));
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  }
  co_await group.Join();
  if (failed) throw std::bad_alloc();
}

// A task that could not be started is waited for by nobody.
TEST(MemoryTest, TasksWithoutMemoryEnd) {
  only_one = true;
  EXPECT_GT(FailEachAllocation([] {
              int done = 0;
              registry::Await(SpawnAll(&done));
            }),
            3);
  only_one = false;
}

}  // namespace
}  // namespace image_library
