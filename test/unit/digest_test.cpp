#include "core/digest.h"

#include <string>

#include <gtest/gtest.h>

namespace image_library {
namespace {

// FIPS 180-4's examples.
const char kEmpty256[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const char kAbc256[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const char kAbc512[] =
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST(DigestTest, Sha256) {
  EXPECT_EQ(Sha256Digest(""), kEmpty256);
  EXPECT_EQ(Sha256Digest("abc"), kAbc256);
  EXPECT_EQ(Sha256Digest(std::string(1000000, 'a')),
            "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(DigestTest, HashesBytesNotText) { EXPECT_NE(Sha256Digest(std::string("abc\0", 4)), kAbc256); }

TEST(DigestTest, Matches) {
  EXPECT_TRUE(DigestMatches(kAbc256, "abc"));
  EXPECT_TRUE(DigestMatches(kAbc512, "abc"));
  EXPECT_FALSE(DigestMatches(kAbc256, "abd"));
  EXPECT_FALSE(DigestMatches(kAbc512, "abd"));
  EXPECT_FALSE(DigestMatches(kAbc256, ""));
}

TEST(DigestTest, IsDigest) {
  EXPECT_TRUE(IsDigest(kEmpty256));
  EXPECT_TRUE(IsDigest(kAbc512));
  const std::string cases[] = {
      "",
      "sha256",
      "sha256:",
      "sha256:" + std::string(63, 'a'),
      "sha256:" + std::string(65, 'a'),
      "sha256:" + std::string(128, 'a'),
      "sha512:" + std::string(64, 'a'),
      "sha512:" + std::string(129, 'a'),
      "sha256:" + std::string(64, 'A'),
      "sha256:" + std::string(64, 'g'),
      "sha256:" + std::string(63, 'a') + "/",
      "sha256:" + std::string(63, 'a') + '\0',
      "sha256:" + std::string(62, 'a') + "\r\n",
      " sha256:" + std::string(64, 'a'),
      "SHA256:" + std::string(64, 'a'),
      "sha1:" + std::string(40, 'a'),
      "sha384:" + std::string(96, 'a'),
      "md5:" + std::string(32, 'a'),
      std::string(64, 'a'),
      "sha256-" + std::string(64, 'a'),
  };
  for (const std::string& text : cases) EXPECT_FALSE(IsDigest(text)) << text;
}

}  // namespace
}  // namespace image_library
