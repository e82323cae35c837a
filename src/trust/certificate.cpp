#include "trust/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <time.h>

#include <algorithm>
#include <utility>

#include "trust/document.h"
#include "trust/key.h"
#include "trust/limits.h"
#include "trust/refusal.h"

namespace image_library::trust {
namespace {

using Context = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using ObjectOwner = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using NamesOwner = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using TypeOwner = Owned<ASN1_UTF8STRING, ASN1_UTF8STRING_free>;

constexpr char kIssuer[] = "1.3.6.1.4.1.57264.1.1";
constexpr char kOtherName[] = "1.3.6.1.4.1.57264.1.7";
constexpr char kIssuerText[] = "1.3.6.1.4.1.57264.1.8";

std::string_view TextOf(const ASN1_STRING* string) noexcept {
  return Text(ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string)));
}

// The bytes of the only extension of this kind; empty without one.
std::string_view ExtensionOf(const X509* certificate, const char* oid) {
  const ObjectOwner object(OBJ_txt2obj(oid, 1));
  if (!object) throw std::bad_alloc();
  const int at = X509_get_ext_by_OBJ(certificate, object.get(), -1);
  if (at < 0) return {};
  Check(X509_get_ext_by_OBJ(certificate, object.get(), at) < 0,
        "the certificate has an extension twice");
  return TextOf(X509_EXTENSION_get_data(X509_get_ext(certificate, at)));
}

std::string IssuerOf(const X509* certificate) {
  if (const std::string_view der = ExtensionOf(certificate, kIssuerText); !der.empty()) {
    const unsigned char* at = Bytes(der);
    const TypeOwner text(d2i_ASN1_UTF8STRING(nullptr, &at, static_cast<long>(der.size())));
    Check(text != nullptr && at == Bytes(der) + der.size(),
          "the issuer in the certificate is not a text");
    return std::string(TextOf(text.get()));
  }
  return std::string(ExtensionOf(certificate, kIssuer));
}

std::string SubjectOf(const GENERAL_NAME* name) {
  int type = 0;
  const void* const value = GENERAL_NAME_get0_value(name, &type);
  if (type == GEN_URI || type == GEN_EMAIL)
    return std::string(TextOf(static_cast<const ASN1_STRING*>(value)));
  if (type != GEN_OTHERNAME) return {};
  ASN1_OBJECT* object = nullptr;
  ASN1_TYPE* other = nullptr;
  if (GENERAL_NAME_get0_otherName(name, &object, &other) != 1) return {};
  char oid[64];
  OBJ_obj2txt(oid, sizeof oid, object, 1);
  if (std::string_view(oid) != kOtherName || ASN1_TYPE_get(other) != V_ASN1_UTF8STRING) return {};
  return std::string(TextOf(other->value.utf8string));
}

void Add(X509_STORE* store, X509* certificate) {
  if (X509_STORE_add_cert(store, certificate) != 1) throw std::bad_alloc();
}

// At level 2, certificates signed with SHA-1 or by short keys do not count.
StoreOwner NewStore() {
  StoreOwner store(X509_STORE_new());
  if (!store) throw std::bad_alloc();
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store.get()), 2);
  return store;
}

// No extended key usage is any.
bool IsFor(X509* certificate, std::uint32_t usage) {
  return (X509_get_extended_key_usage(certificate) & (usage | XKU_ANYEKU)) != 0;
}

bool Has(const X509* certificate, int extension) noexcept {
  return X509_get_ext_by_NID(certificate, extension, -1) >= 0;
}

}  // namespace

X509Owner ReadCertificate(std::string_view der) {
  Check(der.size() <= kMostDocumentBytes, "the certificate is larger than 1 MiB");
  const unsigned char* at = Bytes(der);
  X509Owner certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  Check(certificate != nullptr && at == Bytes(der) + der.size(), "the certificate is malformed");
  return certificate;
}

X509Owner ReadFirstCertificate(std::string_view pem) {
  Check(pem.size() <= kMostDocumentBytes, "the certificate is larger than 1 MiB");
  const Bio bio = Reader(pem);
  X509Owner certificate(PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr));
  Check(certificate != nullptr, "the certificate is not in PEM form");
  return certificate;
}

std::vector<X509Owner> ReadCertificates(std::string_view pem) {
  Check(pem.size() <= kMostDocumentBytes, "the certificates are larger than 1 MiB");
  const Bio bio = Reader(pem);
  std::vector<X509Owner> certificates;
  while (BIO_pending(bio.get()) > 0) {
    X509Owner certificate(PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr));
    if (!certificate) {
      const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      Check(ended, "a certificate is malformed");
      break;
    }
    certificates.push_back(std::move(certificate));
    Check(certificates.size() <= kMostListed, "there are more than 1,000 certificates");
  }
  Check(!certificates.empty(), "there is no certificate in PEM form");
  return certificates;
}

Period PeriodOf(const X509* certificate) {
  const auto start = InstantOf(X509_get0_notBefore(certificate));
  const auto end = InstantOf(X509_get0_notAfter(certificate));
  Check(start && end, "the certificate has no valid period");
  return {*start, *end};
}

std::string DerOf(const X509* certificate) { return Der(i2d_X509, certificate); }

std::string NameText(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio) throw std::bad_alloc();
  X509_NAME_print_ex(bio.get(), name, 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  if (size <= 0) return {};
  const std::string_view escaped(data, static_cast<std::size_t>(size));
  Check(escaped.size() <= kMostTextBytes, "a name in the certificate is longer than 2,048 bytes");
  std::string text;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    text += escaped[i];
    if (escaped[i] != '\\' || ++i == escaped.size()) continue;
    if (escaped[i] == ',' || escaped[i] == '+')
      text += escaped[i] == ',' ? "2C" : "2B";
    else
      text += escaped[i];
  }
  return text;
}

bool IsSelfIssued(const X509* certificate) noexcept {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

void CheckCodeSigning(X509* certificate, bool required) {
  Check(X509_check_ca(certificate) == 0, "the certificate is an authority's, not a signer's");
  Check((X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) != 0,
        "the certificate is not for digital signatures");
  const std::uint32_t usage = X509_get_extended_key_usage(certificate);  // all bits: not limited
  const bool unlimited = usage == UINT32_MAX;
  Check(unlimited ? !required : (usage & XKU_CODE_SIGN) != 0,
        "the certificate is not for code signing");
}

void CheckNotationSigner(X509* certificate) {
  CheckCodeSigning(certificate, false);
  constexpr std::uint32_t kOtherKeyUses = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT |
                                          KU_KEY_AGREEMENT | KU_KEY_CERT_SIGN | KU_CRL_SIGN |
                                          KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY;
  constexpr std::uint32_t kOtherUses =
      XKU_ANYEKU | XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_SMIME | XKU_TIMESTAMP;
  const int at = X509_get_ext_by_NID(certificate, NID_key_usage, -1);
  Check(at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) != 0,
        "the certificate has no critical key usage");
  Check((X509_get_key_usage(certificate) & kOtherKeyUses) == 0,
        "the certificate is for more than digital signatures");
  const std::uint32_t usage = X509_get_extended_key_usage(certificate);
  Check(usage == UINT32_MAX || (usage & kOtherUses) == 0,
        "the certificate is for more than code signing");
}

FulcioIdentity FulcioIdentityOf(const X509* certificate) {
  FulcioIdentity identity;
  identity.issuer = IssuerOf(certificate);
  Check(!identity.issuer.empty(), "the certificate does not say who vouched for the signer");
  Check(identity.issuer.size() <= kMostTextBytes,
        "the issuer in the certificate is longer than 2,048 bytes");
  const NamesOwner names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  Check(count <= static_cast<int>(kMostListed), "the certificate has more than 1,000 names");
  for (int i = 0; i < count; ++i) {
    std::string subject = SubjectOf(sk_GENERAL_NAME_value(names.get(), i));
    Check(subject.size() <= kMostTextBytes, "a name in the certificate is longer than 2,048 bytes");
    if (!subject.empty()) identity.subjects.push_back(std::move(subject));
  }
  Check(!identity.subjects.empty(), "the certificate does not name the signer");
  return identity;
}

CertificateChain::CertificateChain(std::vector<X509Owner> certificates, std::uint32_t usage)
    : certificates_(std::move(certificates)) {
  Check(!certificates_.empty(), "it has no certificate");
  Check(certificates_.size() <= kMostChain, "its chain has more than 10 certificates");
  all_ = StackOf(certificates_);
  int below = 0;
  for (const X509Owner& owner : certificates_) {
    X509* const certificate = owner.get();
    Check(IsFor(certificate, usage), usage == XKU_CODE_SIGN
                                         ? "a certificate of it is not for code signing"
                                         : "a certificate of it is not for timestamps");
    period_ = Both(period_, PeriodOf(certificate));
    const long most_below = X509_get_pathlen(certificate);
    constrained_ |= certificate != first() && ((most_below >= 0 && most_below < below) ||
                                               Has(certificate, NID_name_constraints) ||
                                               Has(certificate, NID_policy_constraints));
    ++below;
  }
  root_store_ = NewStore();
  Add(root_store_.get(), last());
  first_store_ = NewStore();
  Add(first_store_.get(), first());
  if (certificates_.size() < 2) return;
  Check(period_.start <= period_.end, "its certificates were never valid at the same time");
  CheckChain(root_store_.get(), first(), all_.get(), period_.start, usage);
}

bool CertificateChain::IsValid(std::int64_t instant) const { return period_.Contains(instant); }

void CertificateChain::CheckIssued(X509* certificate, std::int64_t instant) const {
  Check(IsValid(instant), "a certificate of the authority was not valid when the image was signed");
  if (constrained_)
    CheckChain(root_store(), certificate, all(), instant, XKU_CODE_SIGN);
  else
    CheckChain(first_store(), certificate, nullptr, instant, XKU_CODE_SIGN);
}

Stack StackOf(const std::vector<X509Owner>& certificates) {
  Stack stack(sk_X509_new_null());
  if (!stack) throw std::bad_alloc();
  for (const X509Owner& certificate : certificates)
    if (sk_X509_push(stack.get(), certificate.get()) == 0) throw std::bad_alloc();
  return stack;
}

StoreOwner StoreOf(const std::vector<X509Owner>& certificates) {
  StoreOwner store = NewStore();
  for (const X509Owner& certificate : certificates) Add(store.get(), certificate.get());
  return store;
}

Period CheckChain(X509_STORE* store, X509* certificate, STACK_OF(X509) * others,
                  std::int64_t instant, std::uint32_t usage) {
  const Context context(X509_STORE_CTX_new());
  if (!context || X509_STORE_CTX_init(context.get(), store, certificate, others) != 1)
    throw std::bad_alloc();
  X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(instant));
  X509_VERIFY_PARAM_set_depth(param, static_cast<int>(kMostChain));
  if (X509_verify_cert(context.get()) == 1) {
    const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context.get());
    Period period;
    for (int i = 0; i < sk_X509_num(chain); ++i) {
      X509* const one = sk_X509_value(chain, i);
      Check(IsFor(one, usage),
            "a certificate between the signer's and the authority's is for other uses");
      period = Both(period, PeriodOf(one));
    }
    return period;
  }
  const int error = X509_STORE_CTX_get_error(context.get());
  if (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)
    throw Refusal("the certificate was not valid at " + ShownInstant(instant));
  throw Refusal(std::string("the certificate does not lead to the authority: ") +
                X509_verify_cert_error_string(error));
}

}  // namespace image_library::trust
