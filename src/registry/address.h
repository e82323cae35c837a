// Which network addresses a registry may be at.
#ifndef IMAGE_LIBRARY_REGISTRY_ADDRESS_H_
#define IMAGE_LIBRARY_REGISTRY_ADDRESS_H_

#include <string>

#include <sys/socket.h>

namespace image_library::registry {

enum class AddressClass {
  kPublic,
  kPrivate,    ///< loopback, private, shared (RFC 6598) and unique local networks
  kForbidden,  ///< unspecified, link-local, cloud metadata, multicast, reserved: never connected to
};

/// By the IANA special-purpose registries. IPv6 addresses that stand for an IPv4 one (mapped,
/// NAT64, 6to4) are judged as that one. Families other than IPv4 and IPv6 are forbidden.
AddressClass ClassifyAddress(const sockaddr& address) noexcept;

/// Numeric form without port.
std::string AddressText(const sockaddr& address);

}  // namespace image_library::registry

#endif
