#include "core/url.h"

#include <string>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/reference.h"

namespace image_library {
namespace {

struct GoodCase {
  const char* text;
  const char* url;  // ToString
  const char* host;
  const char* prefix;
  const char* origin;
};

TEST(UrlTest, TakesApart) {
  const GoodCase cases[] = {
      {"https://ghcr.io", "https://ghcr.io", "ghcr.io", "", "https://ghcr.io"},
      {"ghcr.io", "https://ghcr.io", "ghcr.io", "", "https://ghcr.io"},
      {"HTTPS://GHCR.io/", "https://ghcr.io", "ghcr.io", "", "https://ghcr.io"},
      {"https://docker.enterprisedb.com/pgai-platform",
       "https://docker.enterprisedb.com/pgai-platform", "docker.enterprisedb.com", "pgai-platform",
       "https://docker.enterprisedb.com"},
      {"harbor.lan:8443//a/b//", "https://harbor.lan:8443/a/b", "harbor.lan:8443", "a/b",
       "https://harbor.lan:8443"},
      {"http://localhost:5000", "http://localhost:5000", "localhost:5000", "",
       "http://localhost:5000"},
      {"http://[::1]:5503/x", "http://[::1]:5503/x", "[::1]:5503", "x", "http://[::1]:5503"},
      {"https://[2001:DB8::1]", "https://[2001:db8::1]", "[2001:db8::1]", "",
       "https://[2001:db8::1]"},
      // One server, one host, however it is written.
      {"http://[0:0:0:0:0:0:0:1]:5503", "http://[::1]:5503", "[::1]:5503", "", "http://[::1]:5503"},
      {"https://[2001:0db8:0000:0001::]:443/a", "https://[2001:db8:0:1::]/a", "[2001:db8:0:1::]",
       "a", "https://[2001:db8:0:1::]"},
      {"https://a.b:443/c", "https://a.b/c", "a.b", "c", "https://a.b"},
      {"http://a.b:80", "http://a.b", "a.b", "", "http://a.b"},
      {"http://a.b:443", "http://a.b:443", "a.b:443", "", "http://a.b:443"},
      {"https://a.b:80", "https://a.b:80", "a.b:80", "", "https://a.b:80"},
      // Host `lab` alone would make references that mean Docker Hub.
      {"https://lab/a", "https://lab:443/a", "lab:443", "a", "https://lab:443"},
      {"https://lab:443", "https://lab:443", "lab:443", "", "https://lab:443"},
      {"http://lab", "http://lab:80", "lab:80", "", "http://lab:80"},
      {"http://localhost:80", "http://localhost", "localhost", "", "http://localhost"},
      {"docker.io", "https://docker.io", "docker.io", "", "https://registry-1.docker.io"},
      {"http://docker.io:80", "http://docker.io", "docker.io", "", "http://registry-1.docker.io"},
      {"registry.hub.docker.com", "https://docker.io", "docker.io", "",
       "https://registry-1.docker.io"},
      {"https://index.docker.io/", "https://docker.io", "docker.io", "",
       "https://registry-1.docker.io"},
      {"https://registry-1.docker.io/bitnami", "https://docker.io/bitnami", "docker.io", "bitnami",
       "https://registry-1.docker.io"},
      {"https://my-lab-1.example", "https://my-lab-1.example", "my-lab-1.example", "",
       "https://my-lab-1.example"},
  };
  for (const GoodCase& c : cases) {
    SCOPED_TRACE(c.text);
    const RegistryUrl url = ParseRegistryUrl(c.text);
    EXPECT_EQ(url.ToString(), c.url);
    EXPECT_EQ(url.host, c.host);
    EXPECT_EQ(url.prefix, c.prefix);
    EXPECT_EQ(url.Origin(), c.origin);
    EXPECT_EQ(ParseRegistryUrl(url.ToString()).ToString(), c.url);
  }
}

// distribution/reference: letters, digits, dashes and dots; of IPv6 hexadecimal digits and colons.
TEST(UrlTest, HostsThatContainerRuntimesCannotReadAreRefused) {
  const struct {
    std::string text, hint;
  } cases[] = {
      {"https://my_registry", "letters, digits"},
      {"https://my_registry.example.org:5000/a", "letters, digits"},
      {"https://[::ffff:10.0.0.1]", "Write 10.0.0.1 instead."},
      {"https://[::FFFF:a00:1]:5000", "Write 10.0.0.1 instead."},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    try {
      ParseRegistryUrl(c.text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(error.detail().find("Container runtimes"), std::string::npos) << error.detail();
      EXPECT_NE(error.hint().find(c.hint), std::string::npos) << error.hint();
    }
  }
  // A host without dot and port is written with its port, as a reference needs it.
  EXPECT_EQ(ParseRegistryUrl("https://registry").host, "registry:443");
  EXPECT_EQ(ParseReference("registry/app").host, "docker.io");
  EXPECT_EQ(ParseReference("registry:443/app").host, "registry:443");
  EXPECT_EQ(ParseRegistryUrl("https://localhost").host, "localhost");
}

TEST(UrlTest, RefusesWithAHint) {
  const std::string cases[] = {
      "",
      "https://",
      "https:///a",
      "//ghcr.io",
      "https:/ghcr.io",
      "ftp://ghcr.io",
      "file:///etc/passwd",
      "://ghcr.io",
      "https://ghcr.io?x",
      "https://ghcr.io/a?x=1",
      "https://ghcr.io/#a",
      "https://ghcr.io/v2/",
      "https://ghcr.io/artifactory/api/docker/key/v2",
      "https://user@ghcr.io",
      "https://user:pw@ghcr.io/a",
      "https://ghcr.io:",
      "https://ghcr.io:0",
      "https://ghcr.io:65536",
      "https://ghcr.io:0443",
      "https://[::1]:05000",
      "https://ghcr.io:99999999999999999999",
      "https://ghcr.io:-1",
      "https://ghcr.io:443:443",
      "https://[::1",
      "https://::1",
      "https://[]",
      "https://[::1]x",
      "https://[::1]:",
      "https://[1:2]",
      "https://[::::]",
      "https://[fe80::1%eth0]",
      "https://[fe80::1%25eth0]",
      std::string("https://[::1\0]", 14),
      "https://gh%63r.io",
      "https://-a.io",
      "https://a-.io",
      "https://a..io",
      "https://.a",
      "https://a b",
      "https://a\r\nHost: b",
      "https://\xc3\xa4.io",
      "https://" + std::string(64, 'a') + ".io",
      "https://ghcr.io/A",
      "https://ghcr.io/a//b",
      "https://ghcr.io/../a",
      "https://ghcr.io/a%2fb",
      "https://ghcr.io/a:1",
      "https://ghcr.io\\@evil.example",
      std::string("https://ghcr.io\0.evil.example", 29),
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text);
    try {
      const RegistryUrl url = ParseRegistryUrl(text);
      ADD_FAILURE() << "taken as " << url.ToString();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_FALSE(error.detail().empty());
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

TEST(UrlTest, ErrorsShowNoSecret) {
  for (const char* text : {"https://user:sesame@ghcr.io", "https://user:ses@sesame@ghcr.io",
                           "user:sesame@ghcr.io/a", "https://us/er:sesame@ghcr.io",
                           "https://ghcr.io/a?token=sesame", "https://ghcr.io/#token=sesame"}) {
    SCOPED_TRACE(text);
    try {
      ParseRegistryUrl(text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      const std::string shown = error.what() + error.detail() + error.hint();
      EXPECT_EQ(shown.find("sesame"), std::string::npos) << shown;
      EXPECT_NE(shown.find("ghcr.io"), std::string::npos) << shown;
    }
  }
  // Where either side of the @ may be the secret, neither is shown.
  for (const char* text :
       {"https://ghcr.io/a?token=open@sesame", "https://ghcr.io/#open@sesame",
        "https://user:open?sesame@ghcr.io", "https://user:open#sesame@ghcr.io"}) {
    SCOPED_TRACE(text);
    try {
      ParseRegistryUrl(text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "invalid registry URL \"\"");
    }
  }
}

TEST(ProxyUrlTest, SchemeHostAndPort) {
  EXPECT_EQ(ParseProxyUrl("proxy.example:3128"), "http://proxy.example:3128");
  EXPECT_EQ(ParseProxyUrl("HTTPS://Proxy.example:443/"), "https://proxy.example:443");
  EXPECT_EQ(ParseProxyUrl("http://[2001:DB8::0:1]:3128"), "http://[2001:db8::1]:3128");
  for (const char* text : {"", "http://", "proxy", "http://proxy", "http://[::1]", "socks5://a:1",
                           "http://user:sesame@a:1", "http://a:1/x", "http://a:1?sesame", "a:0"}) {
    SCOPED_TRACE(text);
    try {
      ParseProxyUrl(text);
      ADD_FAILURE() << "taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_EQ(std::string(error.what()).find("sesame"), std::string::npos) << error.what();
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

}  // namespace
}  // namespace image_library
