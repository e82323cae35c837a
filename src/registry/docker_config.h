// Credentials in docker's config.json form.
#ifndef IMAGE_LIBRARY_REGISTRY_DOCKER_CONFIG_H_
#define IMAGE_LIBRARY_REGISTRY_DOCKER_CONFIG_H_

#include <string_view>
#include <vector>

#include "registry/types.h"

namespace image_library::registry {

/// The credentials of `auths` for one registry host (`docker.io` also under its old names), one for
/// the host and one for each `host/path` key: the path is the repository prefix, taken relative to
/// `prefix`. `auth`, `username` with `password`, and `identitytoken` are read; credHelpers and
/// credsStore are not, since running programs is not for a database server. Throws Error kMalformed
/// that names the file and quotes nothing of the text.
std::vector<Credential> ReadDockerConfig(std::string_view json, std::string_view host,
                                         std::string_view prefix, std::string_view file = {});

/// Throws Error kInvalidArgument when the file has no such credential, and says why: no entry, one
/// that leaves the password to a helper, one that cannot be read. Quotes nothing of the text.
/// Throws as ReadDockerConfig does besides.
void RequireDockerCredential(std::string_view json, std::string_view host, std::string_view prefix,
                             std::string_view file = {});

}  // namespace image_library::registry

#endif
