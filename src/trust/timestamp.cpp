#include "trust/timestamp.h"

#include <openssl/pkcs7.h>
#include <openssl/ts.h>

#include <string>
#include <utility>

#include "trust/instant.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

using Response = Owned<TS_RESP, TS_RESP_free>;
using Token = Owned<PKCS7, PKCS7_free>;
using Info = Owned<TS_TST_INFO, TS_TST_INFO_free>;
using Context = Owned<TS_VERIFY_CTX, TS_VERIFY_CTX_free>;

// Both pass into the context.
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
void SetStore(TS_VERIFY_CTX* context, X509_STORE* store) {
  TS_VERIFY_CTX_set0_store(context, store);
}
void SetCertificates(TS_VERIFY_CTX* context, STACK_OF(X509) * certificates) {
  TS_VERIFY_CTX_set0_certs(context, certificates);
}
#else
void SetStore(TS_VERIFY_CTX* context, X509_STORE* store) {
  TS_VERIFY_CTX_set_store(context, store);
}
void SetCertificates(TS_VERIFY_CTX* context, STACK_OF(X509) * certificates) {
  TS_VERIFY_CTX_set_certs(context, certificates);
}
#endif

constexpr char kMalformed[] = "the timestamp is malformed";

// A response has a token, or the token is alone.
struct Read {
  Response response;
  Token alone;

  PKCS7* token() const noexcept {
    return response ? TS_RESP_get_token(response.get()) : alone.get();
  }
};

Read ReadToken(std::string_view der) {
  const unsigned char* at = Bytes(der);
  Response response(d2i_TS_RESP(nullptr, &at, static_cast<long>(der.size())));
  if (response) {
    Check(at == Bytes(der) + der.size(), kMalformed);
    Check(TS_RESP_get_token(response.get()) != nullptr,
          "the timestamp was refused by its authority");
    return {std::move(response), nullptr};
  }
  at = Bytes(der);
  Token token(d2i_PKCS7(nullptr, &at, static_cast<long>(der.size())));
  Check(token != nullptr && at == Bytes(der) + der.size(), kMalformed);
  return {nullptr, std::move(token)};
}

// The token names its signer by issuer and serial number.
bool IsSigner(PKCS7* token, const X509* certificate) {
  STACK_OF(PKCS7_SIGNER_INFO)* const signers = PKCS7_get_signer_info(token);
  if (signers == nullptr || sk_PKCS7_SIGNER_INFO_num(signers) != 1) return false;
  const PKCS7_ISSUER_AND_SERIAL* const name =
      sk_PKCS7_SIGNER_INFO_value(signers, 0)->issuer_and_serial;
  return name != nullptr && X509_NAME_cmp(name->issuer, X509_get_issuer_name(certificate)) == 0 &&
         ASN1_INTEGER_cmp(name->serial, X509_get0_serialNumber(certificate)) == 0;
}

// For which hash algorithm the token has the imprint of the message.
void CheckImprint(TS_TST_INFO* info, std::string_view message) {
  TS_MSG_IMPRINT* const imprint = TS_TST_INFO_get_msg_imprint(info);
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr, TS_MSG_IMPRINT_get_algo(imprint));
  const int nid = OBJ_obj2nid(algorithm);
  const auto hash = nid == NID_sha256   ? std::optional(HashAlgorithm::kSha256)
                    : nid == NID_sha384 ? std::optional(HashAlgorithm::kSha384)
                    : nid == NID_sha512 ? std::optional(HashAlgorithm::kSha512)
                                        : std::nullopt;
  Check(hash.has_value(), "the timestamp is by a hash other than SHA-256, SHA-384 and SHA-512");
  const ASN1_OCTET_STRING* const hashed = TS_MSG_IMPRINT_get_msg(imprint);
  Check(Text(ASN1_STRING_get0_data(hashed), static_cast<std::size_t>(ASN1_STRING_length(hashed))) ==
            HashOf(*hash, message),
        "the timestamp is for another signature");
}

// The signature of the token, the certificate's purpose and the reference to it that is signed (RFC
// 5816), at the time of the token. The chain has been checked, so that the first of its
// certificates may be trusted by itself; tokens that refer to more of the chain need the whole.
bool IsSigned(PKCS7* token, const CertificateChain& chain, bool whole, std::int64_t instant) {
  X509_STORE* const trusted = whole ? chain.root_store() : chain.first_store();
  const Context context(TS_VERIFY_CTX_new());
  if (!context) throw std::bad_alloc();
  TS_VERIFY_CTX_set_flags(context.get(), TS_VFY_VERSION | TS_VFY_SIGNATURE);
  X509_STORE_up_ref(trusted);
  SetStore(context.get(), trusted);
  // With the root at hand OpenSSL would check its signature again.
  const Stack first(sk_X509_new_null());
  if (!first || sk_X509_push(first.get(), chain.first()) == 0) throw std::bad_alloc();
  STACK_OF(X509)* const certificates = X509_chain_up_ref(whole ? chain.all() : first.get());
  if (certificates == nullptr) throw std::bad_alloc();
  SetCertificates(context.get(), certificates);
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(trusted), static_cast<time_t>(instant));
  return TS_RESP_verify_token(context.get(), token) == 1;
}

}  // namespace

std::int64_t CheckTimestamp(std::string_view der, std::string_view message,
                            const TrustedRoot& root) {
  const ErrorScope scope;
  const Read read = ReadToken(der);
  PKCS7* const token = read.token();
  Check(PKCS7_type_is_signed(token), kMalformed);
  const Info info(PKCS7_to_TS_TST_INFO(token));
  Check(info != nullptr, kMalformed);
  const auto instant = InstantOf(TS_TST_INFO_get_time(info.get()));
  Check(instant.has_value(), kMalformed);
  CheckImprint(info.get(), message);
  std::string reason = "the timestamp is not from an authority of the trusted root";
  for (const TrustedAuthority& authority : root.timestamp_authorities) {
    const CertificateChain& chain = authority.chain;
    if (!IsSigner(token, chain.first())) continue;
    if (!authority.period.Contains(*instant))
      reason = "the timestamp is from outside the period of its authority in the trusted root";
    else if (!chain.IsValid(*instant))
      reason = "the timestamp is from when a certificate of its authority was not valid";
    else if (IsSigned(token, chain, false, *instant) || IsSigned(token, chain, true, *instant))
      return *instant;
    else
      reason = "the signature of the timestamp is wrong";
  }
  throw Refusal(reason);
}

}  // namespace image_library::trust
