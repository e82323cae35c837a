// What a batch has read is classified before it is written.
#include "sync/classify_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/classification_json.h"
#include "core/classify.h"

namespace image_library::sync {
namespace {

using ::testing::SizeIs;

class ClassifyBatchTest : public ::testing::Test {
 protected:
  ClassifyBatchTest() {
    config_.url = {"https", "r.example", "team"};
    config_.keys = DefaultClassificationKeys();
    config_.keys_version = "v1";
    batch_.repository = "postgresql";
  }
  void Add(const std::string& digest, Unread unread = Unread::kNothing) {
    Image image;
    image.digest = digest;
    image.unread = unread;
    image.annotations = {{"org.opencontainers.image.title", "PostgreSQL"},
                         {"org.enterprisedb.pg.flavor", "epas"}};
    image.labels = {{"org.opencontainers.image.version", "17.5"}};
    image.layer_types = {"application/vnd.oci.image.layer.v1.tar+gzip"};
    batch_.Add(std::move(image));
  }

  RegistryConfig config_;
  Batch batch_;
};

TEST_F(ClassifyBatchTest, TagsHaveTheFactsOfTheirImage) {
  Add("a");
  batch_.tags = {{"17.5", "a", 1, "auto"}, {"17", "a", 2, "model"}};
  ClassifyBatch(batch_, config_);
  const Image& image = batch_.images.front();
  ImageFacts facts{.repository = "team/postgresql",
                   .layer_types = image.layer_types,
                   .annotations = image.annotations,
                   .labels = image.labels};
  ASSERT_THAT(facts.annotations, SizeIs(2));  // lent only
  facts.tag = "17.5";
  EXPECT_EQ(batch_.tags[0].facts, ToJson(Classify(facts, config_.keys)));
  EXPECT_NE(batch_.tags[0].facts.find("\"flavor\":\"epas\""), std::string::npos);
  facts.tag = "17";
  EXPECT_EQ(batch_.tags[1].facts, ToJson(Classify(facts, config_.keys, "model")));
  EXPECT_EQ(image.texts.title, "PostgreSQL");
  EXPECT_EQ(image.texts.version, "17.5");
  EXPECT_EQ(batch_.keys_version, "v1");
}

// The library may have more of an image that was not read whole, and has the others.
TEST_F(ClassifyBatchTest, OtherTagsAreLeftToTheStore) {
  Add("unread", Unread::kConfig);
  batch_.tags = {{"1", "unread", 1}, {"2", "stored", 1}};
  ClassifyBatch(batch_, config_);
  EXPECT_EQ(batch_.tags[0].facts, "");
  EXPECT_EQ(batch_.tags[1].facts, "");
  EXPECT_EQ(batch_.images.front().texts.title, "PostgreSQL");
}

TEST_F(ClassifyBatchTest, FactsOfABatchAreBounded) {
  Add("a");
  batch_.images.front().annotations["org.opencontainers.image.description"] =
      std::string(60000, 'x');
  for (int i = 0; i < 100; ++i) batch_.tags.push_back({std::to_string(i), "a", 1});
  ClassifyBatch(batch_, config_);
  std::size_t bytes = 0;
  for (const FoundTag& tag : batch_.tags) bytes += tag.facts.size();
  EXPECT_GT(bytes, 1u << 20);
  EXPECT_LT(bytes, (1u << 20) + 70000);
}

}  // namespace
}  // namespace image_library::sync
