// Certificates by which a registry knows its clients (mutual TLS).
#ifndef IMAGE_LIBRARY_REGISTRY_CLIENT_CERTIFICATE_H_
#define IMAGE_LIBRARY_REGISTRY_CLIENT_CERTIFICATE_H_

#include <string>

namespace image_library::registry {

/// Throws Error kInvalidArgument when certificate or key (PEM) cannot be read, the key is
/// encrypted, or the two do not belong together. Never quotes either.
void CheckClientCertificate(const std::string& certificate, const std::string& key);

}  // namespace image_library::registry

#endif
