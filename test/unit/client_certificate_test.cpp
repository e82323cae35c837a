#include "registry/client_certificate.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/error.h"
#include "loopback_server.h"

namespace image_library::registry {
namespace {

std::string Encrypted(const std::string& key) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> in(
      BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), &BIO_free_all);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> parsed(
      PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), &BIO_free_all);
  char passphrase[] = "secret";
  PEM_write_bio_PKCS8PrivateKey(out.get(), parsed.get(), EVP_aes_128_cbc(), passphrase, 6, nullptr,
                                nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

// What the refusal says; empty: it is taken.
std::string Refusal(const std::string& certificate, const std::string& key) {
  try {
    CheckClientCertificate(certificate, key);
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
}

TEST(ClientCertificate, TakesAPairAndSaysWhatIsWrongWithOthers) {
  const LoopbackServer server("--mtls");
  const LoopbackServer other("--mtls");
  EXPECT_EQ(Refusal(server.certificate(), server.key()), "");
  EXPECT_EQ(Refusal("no certificate", server.key()),
            "client certificate is not a certificate in PEM form");
  EXPECT_EQ(Refusal(server.certificate(), "no key"),
            "key of the client certificate is not a private key in PEM form");
  EXPECT_EQ(Refusal(server.certificate(), Encrypted(server.key())),
            "key of the client certificate is encrypted");
  EXPECT_EQ(Refusal(server.certificate(), other.key()),
            "client certificate and key do not belong together");
}

}  // namespace
}  // namespace image_library::registry
