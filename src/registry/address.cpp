#include "registry/address.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace image_library::registry {

namespace {

using Bytes4 = std::array<std::uint8_t, 4>;
using Bytes16 = std::array<std::uint8_t, 16>;

template <std::size_t N>
struct Network {
  std::array<std::uint8_t, N> prefix;
  int bits;
  AddressClass kind;
};

template <std::size_t N>
bool Contains(const Network<N>& network, const std::array<std::uint8_t, N>& address) noexcept {
  const std::size_t whole = static_cast<std::size_t>(network.bits / 8);
  if (std::memcmp(network.prefix.data(), address.data(), whole) != 0) return false;
  const int rest = network.bits % 8;
  if (rest == 0) return true;
  const int mask = 0xff << (8 - rest);
  return (network.prefix[whole] & mask) == (address[whole] & mask);
}

template <std::size_t N>
AddressClass Lookup(std::span<const Network<N>> networks,
                    const std::array<std::uint8_t, N>& address) noexcept {
  for (const Network<N>& network : networks) {
    if (Contains(network, address)) return network.kind;
  }
  return AddressClass::kPublic;
}

// RFC 6890 and the metadata services of the clouds; the first match decides.
constexpr Network<4> kNetworks4[] = {
    {{0, 0, 0, 0}, 8, AddressClass::kForbidden},
    {{169, 254, 0, 0}, 16, AddressClass::kForbidden},
    {{168, 63, 129, 16}, 32, AddressClass::kForbidden},    // Azure
    {{100, 100, 100, 200}, 32, AddressClass::kForbidden},  // Alibaba Cloud
    {{192, 0, 0, 192}, 32, AddressClass::kForbidden},      // Oracle Cloud
    {{224, 0, 0, 0}, 3, AddressClass::kForbidden},         // multicast, reserved, broadcast
    {{127, 0, 0, 0}, 8, AddressClass::kPrivate},
    {{10, 0, 0, 0}, 8, AddressClass::kPrivate},
    {{172, 16, 0, 0}, 12, AddressClass::kPrivate},
    {{192, 168, 0, 0}, 16, AddressClass::kPrivate},
    {{100, 64, 0, 0}, 10, AddressClass::kPrivate},
    {{192, 0, 0, 0}, 24, AddressClass::kPrivate},
    {{198, 18, 0, 0}, 15, AddressClass::kPrivate},
};

constexpr Network<16> kNetworks6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, AddressClass::kPrivate},
    {{}, 96, AddressClass::kForbidden},  // unspecified and IPv4-compatible
    {{0xfe, 0x80}, 10, AddressClass::kForbidden},
    {{0xff}, 8, AddressClass::kForbidden},
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},
     128,
     AddressClass::kForbidden},  // AWS metadata
    {{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},
     128,
     AddressClass::kForbidden},                                    // Google metadata
    {{0xfc}, 7, AddressClass::kPrivate},                           // unique local
    {{0xfe, 0xc0}, 10, AddressClass::kPrivate},                    // site-local
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, AddressClass::kPrivate},  // local NAT64
    {{0x20, 0x01, 0, 0}, 32, AddressClass::kForbidden},            // Teredo
};

// Prefixes that carry an IPv4 address, and the byte where it starts.
struct Embedding {
  Network<16> network;
  std::size_t offset;
};
constexpr Embedding kEmbeddings[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, AddressClass::kPublic}, 12},  // mapped
    {{{0x00, 0x64, 0xff, 0x9b}, 96, AddressClass::kPublic}, 12},                    // NAT64
    {{{0x20, 0x02}, 16, AddressClass::kPublic}, 2},                                 // 6to4
};

AddressClass Classify4(const Bytes4& address) noexcept { return Lookup<4>(kNetworks4, address); }

AddressClass Classify6(const Bytes16& address) noexcept {
  for (const Embedding& embedding : kEmbeddings) {
    if (!Contains(embedding.network, address)) continue;
    Bytes4 inner;
    std::memcpy(inner.data(), address.data() + embedding.offset, inner.size());
    return Classify4(inner);
  }
  return Lookup<16>(kNetworks6, address);
}

// A copy: sockaddr may not be aligned for the address inside it.
template <typename Socket>
Socket As(const sockaddr& address) noexcept {
  Socket copy;
  std::memcpy(&copy, &address, sizeof copy);
  return copy;
}

}  // namespace

AddressClass ClassifyAddress(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET) {
    const auto socket = As<sockaddr_in>(address);
    Bytes4 bytes;
    std::memcpy(bytes.data(), &socket.sin_addr, bytes.size());
    return Classify4(bytes);
  }
  if (address.sa_family == AF_INET6) {
    const auto socket = As<sockaddr_in6>(address);
    Bytes16 bytes;
    std::memcpy(bytes.data(), &socket.sin6_addr, bytes.size());
    return Classify6(bytes);
  }
  return AddressClass::kForbidden;
}

std::string AddressText(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    const auto socket = As<sockaddr_in>(address);
    inet_ntop(AF_INET, &socket.sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    const auto socket = As<sockaddr_in6>(address);
    inet_ntop(AF_INET6, &socket.sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace image_library::registry
