#include "core/digest.h"

#include <openssl/evp.h>

#include "core/error.h"
#include "core/hex.h"

namespace image_library {
namespace {

constexpr std::string_view kSha256 = "sha256:";
constexpr std::string_view kSha512 = "sha512:";

bool IsLowerHex(std::string_view text) noexcept {
  for (const char c : text)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  return true;
}

struct Bytes {
  unsigned char data[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
};

// What a hash needs, made once: EVP_Digest would look the algorithm up and allocate a context each
// time.
class Hasher {
 public:
  explicit Hasher(const char* algorithm)
      : algorithm_(EVP_MD_fetch(nullptr, algorithm, nullptr)), context_(EVP_MD_CTX_new()) {}
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  ~Hasher() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(algorithm_);
  }

  Bytes Hash(std::string_view bytes) {
    Bytes hash;
    if (algorithm_ == nullptr || context_ == nullptr ||
        EVP_DigestInit_ex2(context_, algorithm_, nullptr) != 1 ||
        EVP_DigestUpdate(context_, bytes.data(), bytes.size()) != 1 ||
        EVP_DigestFinal_ex(context_, hash.data, &hash.size) != 1)
      throw Error(ErrorKind::kProtocol, "could not compute a digest");
    return hash;
  }

 private:
  EVP_MD* algorithm_;
  EVP_MD_CTX* context_;
};

Bytes Sha256(std::string_view bytes) {
  static thread_local Hasher hasher("SHA256");
  return hasher.Hash(bytes);
}

Bytes Sha512(std::string_view bytes) {
  static thread_local Hasher hasher("SHA512");
  return hasher.Hash(bytes);
}

constexpr char kHex[] = "0123456789abcdef";

bool IsHexOf(std::string_view text, const Bytes& hash) noexcept {
  if (text.size() != 2 * std::size_t{hash.size}) return false;
  for (std::size_t i = 0; i < hash.size; ++i)
    if (text[2 * i] != kHex[hash.data[i] >> 4] || text[2 * i + 1] != kHex[hash.data[i] & 15])
      return false;
  return true;
}

}  // namespace

bool IsDigest(std::string_view text) noexcept {
  if (text.substr(0, kSha256.size()) == kSha256)
    return text.size() == kSha256.size() + 64 && IsLowerHex(text.substr(kSha256.size()));
  if (text.substr(0, kSha512.size()) == kSha512)
    return text.size() == kSha512.size() + 128 && IsLowerHex(text.substr(kSha512.size()));
  return false;
}

std::string Sha256Digest(std::string_view bytes) {
  const Bytes hash = Sha256(bytes);
  std::string text(kSha256);
  AppendHex({reinterpret_cast<const char*>(hash.data), hash.size}, &text);
  return text;
}

bool DigestMatches(std::string_view digest, std::string_view bytes) {
  if (digest.starts_with(kSha512)) return IsHexOf(digest.substr(kSha512.size()), Sha512(bytes));
  return digest.starts_with(kSha256) && IsHexOf(digest.substr(kSha256.size()), Sha256(bytes));
}

}  // namespace image_library
