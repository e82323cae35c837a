#include "core/digest.h"

#include <openssl/evp.h>

#include "core/error.h"

namespace image_library {
namespace {

constexpr std::string_view kSha256 = "sha256:";
constexpr std::string_view kSha512 = "sha512:";

bool IsLowerHex(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string Hash(const EVP_MD* algorithm, std::string_view prefix, std::string_view bytes) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), hash, &size, algorithm, nullptr) != 1)
    throw Error(ErrorKind::kProtocol, "could not compute a digest");
  constexpr char kHex[] = "0123456789abcdef";
  std::string text(prefix);
  text.reserve(prefix.size() + 2 * size);
  for (unsigned int i = 0; i < size; ++i) {
    text += kHex[hash[i] >> 4];
    text += kHex[hash[i] & 15];
  }
  return text;
}

}  // namespace

bool IsDigest(std::string_view text) noexcept {
  if (text.substr(0, kSha256.size()) == kSha256)
    return text.size() == kSha256.size() + 64 && IsLowerHex(text.substr(kSha256.size()));
  if (text.substr(0, kSha512.size()) == kSha512)
    return text.size() == kSha512.size() + 128 && IsLowerHex(text.substr(kSha512.size()));
  return false;
}

std::string Sha256Digest(std::string_view bytes) { return Hash(EVP_sha256(), kSha256, bytes); }

bool DigestMatches(std::string_view digest, std::string_view bytes) {
  if (digest.substr(0, kSha512.size()) == kSha512)
    return digest == Hash(EVP_sha512(), kSha512, bytes);
  return digest == Sha256Digest(bytes);
}

}  // namespace image_library
