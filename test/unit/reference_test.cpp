#include "core/reference.h"

#include <string>

#include <gtest/gtest.h>

#include "core/error.h"

namespace image_library {
namespace {

const char kSha256[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct GoodCase {
  std::string text;
  const char* host;
  const char* repository;
  const char* tag;
  std::string digest;
};

TEST(ReferenceTest, NameWithoutHost) {
  EXPECT_EQ(ParseReference("postgres:17").short_name, "postgres");
  EXPECT_EQ(ParseReference(std::string("team/app/postgres@") + kSha256).short_name,
            "team/app/postgres");
  EXPECT_EQ(ParseReference("docker.io/postgres:17").short_name, "");
  EXPECT_EQ(ParseReference("localhost/a:1").short_name, "");
}

TEST(ReferenceTest, TakesApart) {
  const GoodCase cases[] = {
      {"postgres", "docker.io", "library/postgres", "", ""},
      {"postgres:17", "docker.io", "library/postgres", "17", ""},
      {"bitnami/postgresql:17", "docker.io", "bitnami/postgresql", "17", ""},
      {"docker.io/postgres:17", "docker.io", "library/postgres", "17", ""},
      {"index.docker.io/library/postgres", "docker.io", "library/postgres", "", ""},
      {"registry-1.docker.io/a/b:1", "docker.io", "a/b", "1", ""},
      {"ghcr.io/cloudnative-pg/postgresql:18.6-minimal-trixie", "ghcr.io",
       "cloudnative-pg/postgresql", "18.6-minimal-trixie", ""},
      {"docker.enterprisedb.com/pgai-platform/a/b/c:x", "docker.enterprisedb.com",
       "pgai-platform/a/b/c", "x", ""},
      {"localhost/a", "localhost", "a", "", ""},
      {"localhost:5000/a:b", "localhost:5000", "a", "b", ""},
      {"lab:5000/a", "lab:5000", "a", "", ""},
      {"[::1]:5503/a/b:1", "[::1]:5503", "a/b", "1", ""},
      {"[0:0:0:0:0:0:0:1]:5503/a", "[::1]:5503", "a", "", ""},
      {"registry.hub.docker.com/library/postgres", "docker.io", "library/postgres", "", ""},
      {"GHCR.io/a/b", "ghcr.io", "a/b", "", ""},
      {"LAB/a", "lab:443", "a", "", ""},
      {"lab:443/a:1", "lab:443", "a", "1", ""},
      {"lab/a", "docker.io", "lab/a", "", ""},
      {"ghcr.io:443/a", "ghcr.io", "a", "", ""},
      {"127.0.0.1:5000/a__b/c---d/e.f:_1", "127.0.0.1:5000", "a__b/c---d/e.f", "_1", ""},
      {std::string("ghcr.io/a/b@") + kSha256, "ghcr.io", "a/b", "", kSha256},
      {std::string("ghcr.io/a/b:1@") + kSha256, "ghcr.io", "a/b", "1", kSha256},
      {"ghcr.io/a/b@sha512:" + std::string(128, 'a'), "ghcr.io", "a/b", "",
       "sha512:" + std::string(128, 'a')},
  };
  for (const GoodCase& c : cases) {
    SCOPED_TRACE(c.text);
    const Reference reference = ParseReference(c.text);
    EXPECT_EQ(reference.host, c.host);
    EXPECT_EQ(reference.repository, c.repository);
    EXPECT_EQ(reference.tag, c.tag);
    EXPECT_EQ(reference.digest, c.digest);
    const Reference again = ParseReference(reference.ToString());
    EXPECT_EQ(again.ToString(), reference.ToString());
  }
}

TEST(ReferenceTest, WritesEveryPart) {
  const Reference reference{"ghcr.io", "a/b", "1", kSha256};
  EXPECT_EQ(reference.ToString(), std::string("ghcr.io/a/b:1@") + kSha256);
  EXPECT_EQ((Reference{"ghcr.io", "a/b", "", ""}).ToString(), "ghcr.io/a/b");
}

TEST(ReferenceTest, RefusesWithAHint) {
  const std::string cases[] = {
      "",
      "/",
      ":",
      "@",
      "a/",
      "/a",
      "a//b",
      "a:",
      "a@",
      "a:b:c",
      "a:b/c",
      "ghcr.io/",
      "ghcr.io//a",
      "ghcr.io/A/b",
      "ghcr.io/../../etc/passwd",
      "ghcr.io/a%2fb",
      "ghcr.io/a?x=1",
      "ghcr.io/a#x",
      "ghcr.io/a b",
      "ghcr.io/a:b/../c",
      std::string("ghcr.io/a\0:b", 12),
      "ghcr.io/a\r\nX-Header: 1",
      "https://ghcr.io/a",
      "user:password@ghcr.io/a",
      "ghcr.io:0/a",
      "ghcr.io:65536/a",
      "ghcr.io:0443/a",
      "ghcr.io:x/a",
      "[::1/a",
      "[::1%eth0]:5000/a",
      "my_registry:5000/a",
      "[::ffff:10.0.0.1]:5000/a",
      "ghcr.io/a:-b",
      "ghcr.io/a:" + std::string(129, 'b'),
      "ghcr.io/" + std::string(256, 'a'),
      "ghcr.io/a@md5:d41d8cd98f00b204e9800998ecf8427e",
      "ghcr.io/a@sha256:abc",
      "ghcr.io/a@sha256:" + std::string(64, 'A'),
      "ghcr.io/a@" + std::string(kSha256) + "@" + kSha256,
      "ghcr.io/a@" + std::string(kSha256) + "/b",
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text);
    try {
      const Reference reference = ParseReference(text);
      ADD_FAILURE() << "taken as " << reference.ToString();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_FALSE(error.detail().empty());
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

TEST(ReferenceTest, SaysWhatWasPastedAlong) {
  const auto detail = [](const std::string& text) {
    try {
      return "taken as " + ParseReference(text).ToString();
    } catch (const Error& error) {
      return error.detail();
    }
  };
  EXPECT_EQ(detail("docker://ghcr.io/a:1"), "It is a URL: leave out what is before the host.");
  EXPECT_EQ(detail("https://ghcr.io/a:1"), "It is a URL: leave out what is before the host.");
  for (const char* text : {" ghcr.io/a:1", "ghcr.io/a:1\n", "ghcr.io/a: 1", "a\t:1"})
    EXPECT_EQ(detail(text), "It has white space, which no reference has.") << text;
}

TEST(ReferenceTest, ErrorIsTextThatADatabaseTakes) {
  try {
    ParseReference(std::string("\0\x1b[31m\xff", 7) + std::string(10000, 'x'));
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_LT(message.size(), 600u);
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
    EXPECT_EQ(message.find('\xff'), std::string::npos);
  }
}

TEST(ReferenceTest, ErrorsShowNoSecret) {
  for (const char* text :
       {"user:sesame@ghcr.io/a", "user:sesame@ghcr.io/a:1", "https://user:sesame@ghcr.io/a",
        "user:ses@sesame@ghcr.io/a", "user:sesame/x@ghcr.io/a", "ghcr.io/a?token=sesame",
        "ghcr.io/a:1#sesame", "user:sesame@ghcr.io/a@sha256:12", "user:sesame@sha256:443/a",
        "https://user:sesame@sha256:44"}) {
    SCOPED_TRACE(text);
    try {
      ParseReference(text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      const std::string shown = error.what() + error.detail() + error.hint();
      EXPECT_EQ(shown.find("sesame"), std::string::npos) << shown;
    }
  }
  // What is no secret helps.
  for (const std::string& text : {std::string("ghcr.io/a:1@sha256:12"),
                                  std::string("ghcr.io/a@md5:d41d8cd98f00b204e9800998ecf8427e"),
                                  "ghcr.io/a@" + std::string(kSha256).substr(7)}) {
    try {
      ParseReference(text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "invalid image reference \"" + text + "\"");
    }
  }
}

TEST(ReferenceTest, RepositoryNames) {
  for (const char* name : {"a", "a/b", "a0/b1/c2", "a.b", "a_b", "a__b", "a-b", "a----b", "0/0"})
    EXPECT_TRUE(IsRepositoryName(name)) << name;
  for (const char* name :
       {"",   "/",  "/a", "a/", "a//b", "A",      "a..b", "a___b", "a._b",     "a.-b", "-a", "a-",
        ".a", "a.", "_a", "a_", "a b",  "a/../b", "a/.",  "a\\b",  "\xc3\xa4", "a:b",  "a@b"})
    EXPECT_FALSE(IsRepositoryName(name)) << name;
  EXPECT_TRUE(IsRepositoryName(std::string(255, 'a')));
  EXPECT_FALSE(IsRepositoryName(std::string(256, 'a')));
}

TEST(ReferenceTest, Tags) {
  for (const char* tag : {"1", "latest", "_", "_.-", "A.b-C_d", "17.4-2503191025-full"})
    EXPECT_TRUE(IsTag(tag)) << tag;
  // Lists of tags hold "", digests and worse: Nexus and Artifactory send them.
  for (const char* tag : {"", ".", "-", ".1", "-1", "a/b", "a:b", "a b", "a+b", "\xc3\xa4",
                          "sha256:e3b0c44298fc1c149afbf4c8996fb924"})
    EXPECT_FALSE(IsTag(tag)) << tag;
  EXPECT_TRUE(IsTag(std::string(128, 'a')));
  EXPECT_FALSE(IsTag(std::string(129, 'a')));
  EXPECT_FALSE(IsTag(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace image_library
