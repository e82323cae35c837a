#include "registry/location.h"

#include <optional>
#include <utility>

#include <gtest/gtest.h>

namespace image_library::registry {
namespace {

TEST(LocationTest, Parts) {
  const auto location = ParseLocation("HTTPS://Registry.Example/v2/a?last=x%2Fy&n=2#f");
  ASSERT_TRUE(location);
  EXPECT_EQ(location->Origin(), "https://registry.example:443");
  EXPECT_EQ(location->path, "/v2/a");
  EXPECT_EQ(location->query, "last=x%2Fy&n=2");
  EXPECT_EQ(ParseLocation("http://[::1]:5503/")->Origin(), "http://[::1]:5503");
}

TEST(LocationTest, WhatIsNoLocation) {
  for (const char* url :
       {"", "/v2/", "ftp://host/", "file:///etc/passwd", "https://", "https://user@host/",
        "https://user:password@host/", "http://[fe80::1%25eth0]/", "https://ho st/",
        "https://0%7f/", "https://a%01b/", "https://r\u00e9gistre.example/"}) {
    EXPECT_FALSE(ParseLocation(url)) << url;
  }
}

// A newer libcurl tells the address that it will connect to; an older one would tell another host.
TEST(LocationTest, EncodedHostsAreTheirAddressOrNone) {
  for (const auto& [url, address] :
       {std::pair("https://%30/", "0.0.0.0"), std::pair("https://127.1%2e0/", "127.1.0.0")}) {
    const std::optional<Location> location = ParseLocation(url);
    if (location) {
      EXPECT_EQ(location->host, address) << url;
    }
  }
}

TEST(LocationTest, RelativeReferences) {
  const std::string base = "https://host:5000/v2/a/tags/list?n=2";
  EXPECT_EQ(ResolveUrl(base, "/v2/b?x=1"), "https://host:5000/v2/b?x=1");
  EXPECT_EQ(ResolveUrl(base, "?last=q%2Fr"), "https://host:5000/v2/a/tags/list?last=q%2Fr");
  EXPECT_EQ(ResolveUrl(base, "//other/x"), "https://other/x");
  EXPECT_EQ(ResolveUrl(base, "http://other/x#fragment"), "http://other/x");
  EXPECT_EQ(ResolveUrl(base, "file:///etc/passwd"), std::nullopt);
  EXPECT_EQ(ResolveUrl(base, "https://u:p@other/"), std::nullopt);
}

TEST(LocationTest, HostForMessages) {
  EXPECT_EQ(HostOf("https://host:5000/v2/?token=secret"), "host:5000");
  EXPECT_EQ(HostOf("https://user:secret@host?x"), "host");
}

TEST(LocationTest, WhoCanReadWhatIsSent) {
  for (const char* origin : {"https://registry.example", "https://10.0.0.1:5000",
                             "http://localhost", "http://LOCALHOST:5000", "http://127.0.0.1:5000",
                             "http://127.8.9.10", "http://[::1]:5000"}) {
    EXPECT_TRUE(IsConfidential(origin, false)) << origin;
  }
  for (const char* origin :
       {"http://registry.example", "http://127.0.0.1.example", "http://localhost.example",
        "http://10.0.0.1", "http://128.0.0.1", "http://0.0.0.0", "http://[::]", "http://[::2]",
        "http://[fd00::1]:5000", "ftp://localhost", "localhost", ""}) {
    EXPECT_FALSE(IsConfidential(origin, false)) << origin;
  }
  EXPECT_TRUE(IsConfidential("https://registry.example", true)) << "a proxy tunnels TLS";
  EXPECT_FALSE(IsConfidential("http://localhost:5000", true)) << "whose localhost, a proxy decides";
}

TEST(LocationTest, PercentEncoding) {
  EXPECT_EQ(PercentEncode("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
  EXPECT_EQ(PercentEncode("A-z_0.~"), "A-z_0.~");
  EXPECT_EQ(PercentEncode(""), "");
}

TEST(LocationTest, OneOrganization) {
  EXPECT_TRUE(SameOrganization("127.0.0.1", "127.0.0.1"));
  EXPECT_TRUE(SameOrganization("localhost", "localhost"));
  EXPECT_TRUE(SameOrganization("registry-1.docker.io", "auth.docker.io"));
  EXPECT_TRUE(SameOrganization("registry.gitlab.com", "gitlab.com"));
  EXPECT_TRUE(SameOrganization("registry.shop.co.uk", "auth.shop.co.uk"));
}

TEST(LocationTest, InDoubtNotOneOrganization) {
  EXPECT_FALSE(SameOrganization("registry.example", "evil.example.net"));
  EXPECT_FALSE(SameOrganization("docker.io", "evil-docker.io"));
  EXPECT_FALSE(SameOrganization("a.co.uk", "b.co.uk"));
  EXPECT_FALSE(SameOrganization("a.azurecr.io", "b.azurecr.io"));
  EXPECT_FALSE(SameOrganization("1.dkr.ecr.eu-west-1.amazonaws.com", "evil.s3.amazonaws.com"));
  EXPECT_FALSE(SameOrganization("10.0.0.1", "11.0.0.1"));
  EXPECT_FALSE(SameOrganization("[::1]", "[::2]"));
  EXPECT_FALSE(SameOrganization("localhost", "elsewhere"));
  EXPECT_FALSE(SameOrganization("registry", "auth"));
}

}  // namespace
}  // namespace image_library::registry
