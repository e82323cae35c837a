#include "trust/key.h"

#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <utility>

#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 16384;  // OpenSSL's own limit

PublicKey::Kind KindOf(EVP_PKEY* key) {
  const int type = EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_ED25519) return PublicKey::Kind::kEd25519;
  if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS) {
    const int bits = EVP_PKEY_get_bits(key);
    Check(bits >= kLeastRsaBits, "the RSA key is shorter than 2,048 bits");
    Check(bits <= kMostRsaBits, "the RSA key is longer than 16,384 bits");
    return type == EVP_PKEY_RSA ? PublicKey::Kind::kRsa : PublicKey::Kind::kRsaPss;
  }
  if (type == EVP_PKEY_EC) {
    char group[32] = "";
    std::size_t size = 0;
    EVP_PKEY_get_group_name(key, group, sizeof group, &size);
    switch (OBJ_txt2nid(group)) {
      case NID_X9_62_prime256v1:
        return PublicKey::Kind::kP256;
      case NID_secp384r1:
        return PublicKey::Kind::kP384;
      case NID_secp521r1:
        return PublicKey::Kind::kP521;
      default:
        throw Refusal("the ECDSA key is on a curve other than P-256, P-384 and P-521");
    }
  }
  throw Refusal("the key is not of ECDSA, Ed25519 or RSA");
}

}  // namespace

const EVP_MD* Algorithm(HashAlgorithm hash) noexcept {
  switch (hash) {
    case HashAlgorithm::kSha384:
      return EVP_sha384();
    case HashAlgorithm::kSha512:
      return EVP_sha512();
    default:
      return EVP_sha256();
  }
}

std::string HashOf(HashAlgorithm hash, std::string_view bytes) {
  std::string hashed(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hashed.data()), &size,
                 Algorithm(hash), nullptr) != 1)
    throw std::bad_alloc();
  hashed.resize(size);
  return hashed;
}

const std::string& Message::Hashed(HashAlgorithm hash) const {
  std::string& hashed = hashes_.at(static_cast<std::size_t>(hash));
  if (hashed.empty()) {
    hashed = HashOf(hash, bytes_);
    ++hash_count_;
  }
  return hashed;
}

PublicKey::PublicKey(Key key, std::string der)
    : key_(std::move(key)), kind_(KindOf(key_.get())), der_(std::move(der)) {
  Check(!der_.empty(), "the key cannot be read");
}

PublicKey PublicKey::FromPem(std::string_view pem) {
  Check(pem.size() <= kMostDocumentBytes, "the key is larger than 1 MiB");
  const Bio bio = Reader(pem);
  Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, &NoPassphrase, nullptr));
  Check(key != nullptr, "the key is not a public key in PEM form");
  std::string der = Der(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key.get()));
  return PublicKey(std::move(key), std::move(der));
}

PublicKey PublicKey::FromDer(std::string_view der) {
  Check(der.size() <= kMostDocumentBytes, "the key is larger than 1 MiB");
  const unsigned char* at = Bytes(der);
  Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key) {
    at = Bytes(der);
    key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(der.size())));
  }
  Check(key != nullptr && at == Bytes(der) + der.size(), "the key is not a public key in DER form");
  std::string encoded = Der(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key.get()));
  return PublicKey(std::move(key), std::move(encoded));
}

PublicKey PublicKey::Of(const X509* certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  Check(key != nullptr, "the certificate has a key that cannot be read");
  EVP_PKEY_up_ref(key);
  // As it is in the certificate: to encode the key anew takes longer than a signature.
  return PublicKey(
      Key(key),
      Der(i2d_X509_PUBKEY, static_cast<const X509_PUBKEY*>(X509_get_X509_PUBKEY(certificate))));
}

bool PublicKey::Verifies(const Message& message, std::string_view signature) const {
  if (!MayHaveMade(signature)) return false;
  if (kind_ == Kind::kEd25519) return VerifiesItself(message.bytes(), signature);
  if (VerifiesHash(HashAlgorithm::kSha256, message.Hashed(HashAlgorithm::kSha256), signature))
    return true;
  if (kind_ != Kind::kP384 && kind_ != Kind::kP521) return false;
  const HashAlgorithm hash = kind_ == Kind::kP384 ? HashAlgorithm::kSha384 : HashAlgorithm::kSha512;
  return VerifiesHash(hash, message.Hashed(hash), signature);
}

bool PublicKey::MayHaveMade(std::string_view signature) const noexcept {
  constexpr std::size_t kEd25519Size = 64;
  switch (kind_) {
    case Kind::kEd25519:
      return signature.size() == kEd25519Size;
    case Kind::kRsa:
    case Kind::kRsaPss:
      return signature.size() == static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
    default:  // DER of two numbers
      return signature.size() <= static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  }
}

bool PublicKey::VerifiesHash(HashAlgorithm hash, std::string_view hashed,
                             std::string_view signature) const {
  return VerifiesHashWith(hash, kind_ == Kind::kRsaPss ? Padding::kPss : Padding::kPkcs1, hashed,
                          signature);
}

bool PublicKey::VerifiesHashWith(HashAlgorithm hash, Padding padding, std::string_view hashed,
                                 std::string_view signature) const {
  if (kind_ == Kind::kEd25519) return false;
  const ErrorScope scope;
  const KeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  if (!context) throw std::bad_alloc();
  if (EVP_PKEY_verify_init(context.get()) != 1) return false;
  if (kind_ == Kind::kRsaPss && padding != Padding::kPss) return false;
  if (kind_ == Kind::kRsa || kind_ == Kind::kRsaPss) {
    const bool pss = padding == Padding::kPss;
    if (EVP_PKEY_CTX_set_rsa_padding(context.get(),
                                     pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1)
      return false;
    if (pss && EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) != 1)
      return false;
  }
  if (EVP_PKEY_CTX_set_signature_md(context.get(), Algorithm(hash)) != 1) return false;
  return EVP_PKEY_verify(context.get(), Bytes(signature), signature.size(), Bytes(hashed),
                         hashed.size()) == 1;
}

bool PublicKey::VerifiesWith(HashAlgorithm hash, Padding padding, std::string_view message,
                             std::string_view signature) const {
  if (kind_ == Kind::kEd25519) return VerifiesItself(message, signature);
  return VerifiesHashWith(hash, padding, HashOf(hash, message), signature);
}

bool PublicKey::VerifiesItself(std::string_view message, std::string_view signature) const {
  const ErrorScope scope;
  const DigestContext context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                          message.size()) == 1;
}

}  // namespace image_library::trust
