// Approved images that no tag points at: what a run asks about them, and what it makes of the
// answer.
#include "engine_fixture.h"

namespace image_library::sync {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class UntaggedCheckTest : public EngineTest {
 protected:
  UntaggedCheckTest() {
    registry_.Tag("team/app", "1", "old");
    old_ = registry_.DigestOf("team/app", "1");
    registry_.Tag("team/app", "1", "new");
    store_.untagged = {{"team/app", old_, registry_.DigestOf("team/app", "1")}};
  }
  std::pair<std::string, std::string> Image() const { return {"team/app", old_}; }

  std::string old_;
};

TEST_F(UntaggedCheckTest, TheRegistryStillHasIt) {
  Sync();
  EXPECT_THAT(store_.untagged_found, ElementsAre(Pair(Image(), true)));
}

TEST_F(UntaggedCheckTest, TheRegistryHasRemovedIt) {
  registry_.Forget(old_);
  Sync();
  EXPECT_THAT(store_.untagged_found, ElementsAre(Pair(Image(), false)));
}

TEST_F(UntaggedCheckTest, ARepositoryWithoutTagsHasRemovedIt) {
  registry_.Forget(old_);
  store_.untagged[0].tagged.clear();
  Sync();
  EXPECT_THAT(store_.untagged_found, ElementsAre(Pair(Image(), false)));
}

TEST_F(UntaggedCheckTest, ARegistryThatHidesTheRepositorySaysNothing) {
  Sync();
  store_.untagged_found.clear();
  registry_.Fail("/manifests/sha256:", 404);
  Sync();
  EXPECT_THAT(store_.untagged_found, IsEmpty());
}

TEST_F(UntaggedCheckTest, AnErrorSaysNothing) {
  Sync();
  store_.untagged_found.clear();
  registry_.Fail("/manifests/sha256:", 500);
  Sync();
  EXPECT_THAT(store_.untagged_found, IsEmpty());
}

}  // namespace
}  // namespace image_library::sync
