#include "registry/address.h"

#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace image_library::registry {
namespace {

sockaddr_storage Socket(const std::string& text) {
  sockaddr_storage storage{};
  if (text.find(':') == std::string::npos) {
    auto* socket = reinterpret_cast<sockaddr_in*>(&storage);
    socket->sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &socket->sin_addr), 1) << text;
  } else {
    auto* socket = reinterpret_cast<sockaddr_in6*>(&storage);
    socket->sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &socket->sin6_addr), 1) << text;
  }
  return storage;
}

AddressClass ClassOf(const std::string& text) {
  const sockaddr_storage storage = Socket(text);
  return ClassifyAddress(reinterpret_cast<const sockaddr&>(storage));
}

TEST(AddressTest, PublicAddresses) {
  for (const char* text :
       {"1.1.1.1",         "9.255.255.255",   "11.0.0.0",         "100.63.255.255",
        "100.128.0.0",     "126.255.255.255", "128.0.0.1",        "168.63.129.15",
        "169.253.255.255", "172.15.255.255",  "172.32.0.0",       "192.0.1.1",
        "192.167.255.255", "198.17.255.255",  "198.20.0.0",       "223.255.255.255",
        "2606:4700::1111", "::ffff:1.1.1.1",  "64:ff9b::1.1.1.1", "2002:101:101::1",
        "2001:db9::1"}) {
    EXPECT_EQ(ClassOf(text), AddressClass::kPublic) << text;
  }
}

TEST(AddressTest, PrivateAddresses) {
  for (const char* text : {"127.0.0.1",
                           "127.255.255.255",
                           "10.0.0.0",
                           "10.255.255.255",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.168.0.1",
                           "100.64.0.0",
                           "100.127.255.255",
                           "192.0.0.8",
                           "198.18.0.0",
                           "198.19.255.255",
                           "::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fec0::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.1.2.3",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "2002:7f00:1::"}) {
    EXPECT_EQ(ClassOf(text), AddressClass::kPrivate) << text;
  }
}

TEST(AddressTest, ForbiddenAddresses) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "169.254.0.0",
                           "169.254.169.254",
                           "168.63.129.16",
                           "100.100.100.200",
                           "192.0.0.192",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1.2.3.4",
                           "fe80::1",
                           "febf::1",
                           "ff02::1",
                           "fd00:ec2::254",
                           "fd20:ce::254",
                           "::ffff:169.254.169.254",
                           "::ffff:0.0.0.0",
                           "64:ff9b::169.254.169.254",
                           "2002:a9fe:a9fe::1",
                           "2001::1"}) {
    EXPECT_EQ(ClassOf(text), AddressClass::kForbidden) << text;
  }
}

TEST(AddressTest, OtherFamiliesAreForbidden) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(ClassifyAddress(reinterpret_cast<const sockaddr&>(storage)), AddressClass::kForbidden);
}

TEST(AddressTest, NumericText) {
  for (const char* text : {"192.168.0.1", "fe80::1", "::1"}) {
    const sockaddr_storage storage = Socket(text);
    EXPECT_EQ(AddressText(reinterpret_cast<const sockaddr&>(storage)), text);
  }
}

}  // namespace
}  // namespace image_library::registry
