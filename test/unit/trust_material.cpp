#include "trust_material.h"

#include <openssl/ct.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "core/base64.h"

namespace image_library::trust::test {
namespace {

void Must(bool done) {
  if (!done) throw std::runtime_error("OpenSSL failed in a test's preparation");
}

const unsigned char* U(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

template <typename T>
std::string ToDer(int (*write)(const T*, unsigned char**), const T* object) {
  unsigned char* bytes = nullptr;
  const int size = write(object, &bytes);
  Must(size > 0);
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

EVP_PKEY* Generate(TestKey::Kind kind) {
  switch (kind) {
    case TestKey::Kind::kP224:
      return EVP_EC_gen("P-224");
    case TestKey::Kind::kP256:
      return EVP_EC_gen("P-256");
    case TestKey::Kind::kP384:
      return EVP_EC_gen("P-384");
    case TestKey::Kind::kP521:
      return EVP_EC_gen("P-521");
    case TestKey::Kind::kEd25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case TestKey::Kind::kRsa1024:
      return EVP_RSA_gen(1024);
    case TestKey::Kind::kRsa2048:
      return EVP_RSA_gen(2048);
    case TestKey::Kind::kRsaPss: {
      EVP_PKEY* key = nullptr;
      EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
      Must(EVP_PKEY_keygen_init(context) == 1 &&
           EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) == 1 &&
           EVP_PKEY_generate(context, &key) == 1);
      EVP_PKEY_CTX_free(context);
      return key;
    }
  }
  return nullptr;
}

void SignCertificate(X509* certificate, EVP_PKEY* key) {
  const bool plain = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
  Must(X509_sign(certificate, key, plain ? nullptr : EVP_sha256()) > 0);
}

void Append(std::uint64_t number, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) *out += static_cast<char>(number >> (8 * i) & 0xff);
}

// Body of an entry in Rekor v1; the signer is PEM of a certificate or key.
std::string HashedRekord(std::string_view digest, std::string_view signature,
                         const std::string& signer) {
  return R"({"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":)"
         R"("sha256","value":")" +
         HexOf(digest) + R"("}},"signature":{"content":")" + Base64(signature) +
         R"(","publicKey":{"content":")" + Base64(signer) + R"("}}}})";
}

std::string HashedRekord2(std::string_view digest, std::string_view signature,
                          std::string_view certificate) {
  return R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":)"
         R"({"algorithm":"SHA2_256","digest":")" +
         Base64(digest) + R"("},"signature":{"content":")" + Base64(signature) +
         R"(","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","x509Certificate":{"rawBytes":")" +
         Base64(certificate) + R"("}}}}}})";
}

}  // namespace

TestKey::TestKey(Kind kind) : key_(Generate(kind), &EVP_PKEY_free) { Must(key_ != nullptr); }

std::string TestKey::Der() const { return ToDer(i2d_PUBKEY, static_cast<const EVP_PKEY*>(get())); }

std::string TestKey::Pem() const { return PemOf("PUBLIC KEY", Der()); }

std::string TestKey::Sign(std::string_view message, const char* algorithm, bool pss) const {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* key_context = nullptr;
  const bool plain = EVP_PKEY_get_base_id(get()) == EVP_PKEY_ED25519;
  Must(EVP_DigestSignInit_ex(context, &key_context, plain ? nullptr : algorithm, nullptr, nullptr,
                             get(), nullptr) == 1);
  if (pss)
    Must(EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) == 1);
  std::string signature(1024, '\0');
  std::size_t size = signature.size();
  Must(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                      U(message), message.size()) == 1);
  EVP_MD_CTX_free(context);
  signature.resize(size);
  return signature;
}

std::string TestCertificate::Der() const {
  return ToDer(i2d_X509, static_cast<const X509*>(x509.get()));
}
std::string TestCertificate::Pem() const { return PemOf("CERTIFICATE", Der()); }

TestCertificate MakeCertificate(const CertificateOptions& options, const TestCertificate* issuer,
                                const TestKey& key) {
  TestCertificate made{options.name, key, {X509_new(), &X509_free}};
  X509* const x509 = made.x509.get();
  static long serial = 1;
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(x509), options.from);
  ASN1_TIME_set(X509_getm_notAfter(x509), options.to);
  X509_NAME* const name = X509_get_subject_name(x509);
  if (!options.name.empty())
    Must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, U(options.name),
                                    static_cast<int>(options.name.size()), -1, 0) == 1);
  X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer->x509.get()) : name);
  X509_set_pubkey(x509, key.get());
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer ? issuer->x509.get() : x509, x509, nullptr, nullptr, 0);
  for (const auto& [extension, value] : options.extensions) {
    X509_EXTENSION* const made_extension =
        X509V3_EXT_conf(nullptr, &context, extension.c_str(), value.c_str());
    Must(made_extension != nullptr && X509_add_ext(x509, made_extension, -1) == 1);
    X509_EXTENSION_free(made_extension);
  }
  SignCertificate(x509, issuer ? issuer->key.get() : key.get());
  return made;
}

CertificateOptions AuthorityOptions(const std::string& name) {
  return {.name = name,
          .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                         {"keyUsage", "critical,keyCertSign,cRLSign"},
                         {"subjectKeyIdentifier", "hash"}}};
}

CertificateOptions SignerOptions(const std::string& subject, const std::string& issuer) {
  return {.from = kSignedAt - 60,
          .to = kSignedAt + 540,
          .extensions = {{"keyUsage", "critical,digitalSignature"},
                         {"extendedKeyUsage", "codeSigning"},
                         {"subjectAltName", "critical," + subject},
                         {"1.3.6.1.4.1.57264.1.8", "ASN1:UTF8String:" + issuer}}};
}

CertificateOptions TimestamperOptions(const std::string& name) {
  return {.name = name,
          .extensions = {{"keyUsage", "critical,digitalSignature"},
                         {"extendedKeyUsage", "critical,timeStamping"}}};
}

TestCertificate MakeLoggedCertificate(const CertificateOptions& options,
                                      const TestCertificate& issuer, const TestKey& log_key,
                                      const TestKey& key, std::int64_t at) {
  TestCertificate made = MakeCertificate(options, &issuer, key);
  X509* const x509 = made.x509.get();
  unsigned char* bytes = nullptr;
  const int size = i2d_re_X509_tbs(x509, &bytes);
  const std::string precertificate(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  std::string stamped(2, '\0');
  Append(static_cast<std::uint64_t>(at) * 1000, 8, &stamped);
  Append(1, 2, &stamped);
  stamped += Sha256(issuer.key.Der());
  Append(precertificate.size(), 3, &stamped);
  stamped += precertificate;
  Append(0, 2, &stamped);
  const std::string signature = log_key.Sign(stamped);
  std::string timestamp(1, '\0');
  timestamp += Sha256(log_key.Der());
  Append(static_cast<std::uint64_t>(at) * 1000, 8, &timestamp);
  Append(0, 2, &timestamp);
  timestamp += "\x04\x03";  // SHA-256, ECDSA
  Append(signature.size(), 2, &timestamp);
  timestamp += signature;
  std::string list;
  Append(timestamp.size() + 2, 2, &list);
  Append(timestamp.size(), 2, &list);
  list += timestamp;
  ASN1_OCTET_STRING* const inner = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(inner, U(list), static_cast<int>(list.size()));
  const std::string der =
      ToDer(i2d_ASN1_OCTET_STRING, static_cast<const ASN1_OCTET_STRING*>(inner));
  ASN1_OCTET_STRING_set(inner, U(der), static_cast<int>(der.size()));
  X509_EXTENSION* const extension =
      X509_EXTENSION_create_by_NID(nullptr, NID_ct_precert_scts, 0, inner);
  Must(X509_add_ext(x509, extension, -1) == 1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(inner);
  SignCertificate(x509, issuer.key.get());
  return made;
}

std::string MakeTimestamp(const TestCertificate& timestamper, std::string_view message,
                          std::int64_t at) {
  TS_REQ* const request = TS_REQ_new();
  TS_MSG_IMPRINT* const imprint = TS_MSG_IMPRINT_new();
  X509_ALGOR* const algorithm = X509_ALGOR_new();
  X509_ALGOR_set_md(algorithm, EVP_sha256());
  TS_MSG_IMPRINT_set_algo(imprint, algorithm);
  std::string hash = Sha256(message);
  TS_MSG_IMPRINT_set_msg(imprint, reinterpret_cast<unsigned char*>(hash.data()),
                         static_cast<int>(hash.size()));
  TS_REQ_set_version(request, 1);
  TS_REQ_set_msg_imprint(request, imprint);
  TS_REQ_set_cert_req(request, 1);
  BIO* const query = BIO_new(BIO_s_mem());
  Must(i2d_TS_REQ_bio(query, request) == 1);
  TS_RESP_CTX* const context = TS_RESP_CTX_new();
  ASN1_OBJECT* const policy = OBJ_txt2obj("1.2.3.4", 1);
  Must(TS_RESP_CTX_set_signer_cert(context, timestamper.x509.get()) == 1 &&
       TS_RESP_CTX_set_signer_key(context, timestamper.key.get()) == 1 &&
       TS_RESP_CTX_set_def_policy(context, policy) == 1 &&
       TS_RESP_CTX_set_signer_digest(context, EVP_sha256()) == 1 &&
       TS_RESP_CTX_add_md(context, EVP_sha256()) == 1);
  TS_RESP_CTX_set_time_cb(
      context,
      [](TS_resp_ctx*, void* time, long* seconds, long* microseconds) {
        *seconds = static_cast<long>(*static_cast<std::int64_t*>(time));
        *microseconds = 0;
        return 1;
      },
      &at);
  TS_RESP_CTX_set_serial_cb(
      context,
      [](TS_resp_ctx*, void*) {
        ASN1_INTEGER* const serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, 7);
        return serial;
      },
      nullptr);
  TS_RESP* const response = TS_RESP_create_response(context, query);
  Must(response != nullptr && TS_RESP_get_token(response) != nullptr);
  std::string der = ToDer(i2d_TS_RESP, static_cast<const TS_RESP*>(response));
  TS_RESP_free(response);
  ASN1_OBJECT_free(policy);
  TS_RESP_CTX_free(context);
  BIO_free_all(query);
  X509_ALGOR_free(algorithm);
  TS_MSG_IMPRINT_free(imprint);
  TS_REQ_free(request);
  return der;
}

std::string Sha256(std::string_view bytes) {
  std::string hash(32, '\0');
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()), nullptr,
             EVP_sha256(), nullptr);
  return hash;
}

std::string Base64(std::string_view bytes) { return EncodeBase64(bytes); }

std::string HexOf(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
    hex += digits;
  }
  return hex;
}

std::string DigestBytes(std::string_view digest) {
  std::string bytes;
  const std::string hex(digest.substr(digest.find(':') + 1));
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string PemOf(std::string_view label, std::string_view der) {
  BIO* const bio = BIO_new(BIO_s_mem());
  Must(PEM_write_bio(bio, std::string(label).c_str(), "", U(der), static_cast<long>(der.size())) >
       0);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free_all(bio);
  return pem;
}

namespace {

// The largest power of two below the size.
std::size_t Split(std::size_t size) {
  std::size_t half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

}  // namespace

std::string TreeRoot(const std::vector<std::string>& leaves) {
  if (leaves.size() == 1) return Sha256(std::string(1, '\0') + leaves.front());
  const auto middle = leaves.begin() + static_cast<std::ptrdiff_t>(Split(leaves.size()));
  return Sha256("\x01" + TreeRoot({leaves.begin(), middle}) + TreeRoot({middle, leaves.end()}));
}

std::vector<std::string> TreePath(const std::vector<std::string>& leaves, std::size_t index) {
  if (leaves.size() == 1) return {};
  const std::size_t half = Split(leaves.size());
  const auto middle = leaves.begin() + static_cast<std::ptrdiff_t>(half);
  const std::vector<std::string> left(leaves.begin(), middle), right(middle, leaves.end());
  std::vector<std::string> path =
      index < half ? TreePath(left, index) : TreePath(right, index - half);
  path.push_back(TreeRoot(index < half ? right : left));
  return path;
}

std::string Pae(const std::string& type, const std::string& payload) {
  return "DSSEv1 " + std::to_string(type.size()) + " " + type + " " +
         std::to_string(payload.size()) + " " + payload;
}

std::string StatementOf(std::string_view digest, const std::string& predicate_type,
                        const std::string& predicate) {
  return R"({"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":")" +
         std::string(digest.substr(7)) + R"("}}],"predicateType":")" + predicate_type +
         R"(","predicate":)" + predicate + "}";
}

std::string BundleParts::Json() const {
  const auto number = [](std::int64_t value) { return "\"" + std::to_string(value) + "\""; };
  std::string json = R"({"mediaType":")" + media_type + R"(","verificationMaterial":{)";
  if (!chain.empty())
    json += R"("x509CertificateChain":)" + chain;
  else if (!certificate.empty())
    json += R"("certificate":{"rawBytes":")" + Base64(certificate) + "\"}";
  else
    json += R"("publicKey":{"hint":"any"})";
  json += R"(,"tlogEntries":[)";
  for (const EntryParts& entry : entries) {
    if (&entry != &entries.front()) json += ",";
    json += R"({"logIndex":)" + number(entry.index) + R"(,"logId":{"keyId":")" +
            Base64(entry.log_id) + R"("},"kindVersion":{"kind":")" + entry.kind +
            R"(","version":")" + entry.version + R"("},"canonicalizedBody":")" +
            Base64(entry.body) + "\"";
    if (entry.integrated_time != 0) json += R"(,"integratedTime":)" + number(entry.integrated_time);
    if (!entry.promise.empty())
      json += R"(,"inclusionPromise":{"signedEntryTimestamp":")" + Base64(entry.promise) + "\"}";
    if (entry.has_proof) {
      json += R"(,"inclusionProof":{"logIndex":)" + number(entry.proof_index) + R"(,"treeSize":)" +
              number(entry.tree_size) + R"(,"rootHash":")" + Base64(entry.root) + R"(","hashes":[)";
      for (const std::string& hash : entry.hashes)
        json += (&hash == &entry.hashes.front() ? "\"" : ",\"") + Base64(hash) + "\"";
      std::string note;
      for (const char c : entry.checkpoint)
        note += c == '\n' ? std::string("\\n") : std::string(1, c);
      json += R"(],"checkpoint":{"envelope":")" + note + "\"}}";
    }
    json += "}";
  }
  json += R"(],"timestampVerificationData":{"rfc3161Timestamps":[)";
  for (const std::string& timestamp : timestamps)
    json += (&timestamp == &timestamps.front() ? R"({"signedTimestamp":")"
                                               : R"(,{"signedTimestamp":")") +
            Base64(timestamp) + "\"}";
  json += "]}},";
  if (enveloped)
    json += R"("dsseEnvelope":{"payload":")" + Base64(payload) + R"(","payloadType":")" +
            payload_type + R"(","signatures":[{"sig":")" + Base64(sig) + "\"}]}";
  else
    json += R"("messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":")" +
            Base64(digest) + R"("},"signature":")" + Base64(signature) + "\"}";
  return json + "}";
}

Instance::Instance()
    : root(MakeCertificate(AuthorityOptions("root"), nullptr)),
      authority(MakeCertificate(AuthorityOptions("authority"), &root)),
      timestamp_root(MakeCertificate(AuthorityOptions("timestamp root"), nullptr)),
      timestamper(MakeCertificate(TimestamperOptions("timestamper"), &timestamp_root)) {}

std::string Instance::LogId() const { return Sha256(log_key.Der()); }

std::string Instance::Log2Id() const {
  return Sha256(host2 + "\n\x01" + log2_key.Der().substr(log2_key.Der().size() - 32));
}

std::string Instance::TrustedRoot() const {
  const auto log = [](const std::string& name, const TestKey& key, const std::string& id,
                      const std::string& period) {
    return R"({"baseUrl":"https://)" + name + R"(","hashAlgorithm":"SHA2_256","publicKey":)" +
           R"({"rawBytes":")" + Base64(key.Der()) + R"(","validFor":)" + period +
           R"(},"logId":{"keyId":")" + Base64(id) + "\"}}";
  };
  const auto chain = [](const TestCertificate& first, const TestCertificate& last,
                        const std::string& period) {
    return R"([{"certChain":{"certificates":[{"rawBytes":")" + Base64(first.Der()) +
           R"("},{"rawBytes":")" + Base64(last.Der()) + R"("}]},"validFor":)" + period + "}]";
  };
  return R"({"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[)" +
         log(host, log_key, LogId(), period_of_log) + "," +
         log(host2, log2_key, Log2Id(), period_of_log) + R"(],"ctlogs":[)" +
         log("ct.test", certificate_log_key, Sha256(certificate_log_key.Der()),
             period_of_certificate_log) +
         R"(],"certificateAuthorities":)" + chain(authority, root, period_of_authority) +
         R"(,"timestampAuthorities":)" + chain(timestamper, timestamp_root, period_of_timestamper) +
         "}";
}

Anchors Instance::Trusted() const {
  Anchors anchors;
  anchors.identities.push_back({"builder", kIssuer, kSubject});
  anchors.trusted_root = TrustedRoot();
  return anchors;
}

TestCertificate Instance::Signer() const {
  return MakeLoggedCertificate(SignerOptions("URI:" + subject, kIssuer), authority,
                               certificate_log_key, TestKey());
}

std::string Instance::Promise(const EntryParts& entry) const {
  return log_key.Sign(R"({"body":")" + Base64(entry.body) + R"(","integratedTime":)" +
                      std::to_string(entry.integrated_time) + R"(,"logID":")" +
                      HexOf(entry.log_id) + R"(","logIndex":)" + std::to_string(entry.index) + "}");
}

std::string Instance::Note(const std::string& origin, const EntryParts& entry,
                           const std::string& name, std::string_view hint,
                           const TestKey& key) const {
  const std::string text =
      origin + "\n" + std::to_string(entry.tree_size) + "\n" + Base64(entry.root) + "\n";
  return text + "\n\xe2\x80\x94 " + name + " " +
         Base64(std::string(hint.substr(0, 4)) + key.Sign(text)) + "\n";
}

EntryParts Instance::Log(const std::string& kind, const std::string& version,
                         const std::string& body) const {
  EntryParts entry;
  entry.log_id = LogId();
  entry.kind = kind;
  entry.version = version;
  entry.index = 1004;
  entry.body = body;
  const std::vector<std::string> leaves = {"a", "b", "c", "d", body, "e", "f"};
  entry.proof_index = 4;
  entry.tree_size = static_cast<std::int64_t>(leaves.size());
  entry.root = TreeRoot(leaves);
  entry.hashes = TreePath(leaves, 4);
  entry.promise = Promise(entry);
  entry.checkpoint = Note(host + " - 42", entry, host, LogId(), log_key);
  return entry;
}

EntryParts Instance::Log2(const std::string& kind, const std::string& body) const {
  EntryParts entry = Log(kind, "0.0.2", body);
  entry.log_id = Log2Id();
  entry.index = entry.proof_index;
  entry.integrated_time = 0;
  entry.promise.clear();
  entry.checkpoint = Note(host2, entry, host2, Log2Id(), log2_key);
  return entry;
}

namespace {

// Signs the hash, as a bundle of an image does: the manifest is not at hand.
std::string SignHash(const TestKey& key, const std::string& hash) {
  EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new(key.get(), nullptr);
  std::string signature(1024, '\0');
  std::size_t size = signature.size();
  Must(EVP_PKEY_sign_init(context) == 1 &&
       EVP_PKEY_sign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, U(hash),
                     hash.size()) == 1);
  EVP_PKEY_CTX_free(context);
  signature.resize(size);
  return signature;
}

}  // namespace

BundleParts Instance::Message(std::string_view digest) const {
  BundleParts parts;
  const TestCertificate signer = Signer();
  parts.certificate = signer.Der();
  parts.digest = DigestBytes(digest);
  parts.signature = SignHash(signer.key, parts.digest);
  parts.entries.push_back(
      Log("hashedrekord", "0.0.1", HashedRekord(parts.digest, parts.signature, signer.Pem())));
  return parts;
}

BundleParts Instance::Message2(std::string_view digest) const {
  BundleParts parts = Message(digest);
  parts.entries = {
      Log2("hashedrekord", HashedRekord2(parts.digest, parts.signature, parts.certificate))};
  parts.timestamps = {MakeTimestamp(timestamper, parts.signature, kSignedAt + 5)};
  return parts;
}

BundleParts Instance::Enveloped(const std::string& statement, const std::string& kind) const {
  BundleParts parts;
  const TestCertificate signer = Signer();
  parts.enveloped = true;
  parts.certificate = signer.Der();
  parts.payload = statement;
  parts.payload_type = "application/vnd.in-toto+json";
  const std::string pae = Pae(parts.payload_type, statement);
  parts.sig = signer.key.Sign(pae);
  const std::string hash = Sha256(statement);
  const std::string signer64 = Base64(signer.Pem());
  if (kind == "hashedrekord 0.0.2") {
    parts.entries = {
        Log2("hashedrekord", HashedRekord2(Sha256(pae), parts.sig, parts.certificate))};
  } else if (kind == "dsse 0.0.1") {
    parts.entries = {
        Log("dsse", "0.0.1",
            R"({"apiVersion":"0.0.1","kind":"dsse","spec":{"payloadHash":{"algorithm":"sha256",)"
            R"("value":")" +
                HexOf(hash) + R"("},"signatures":[{"signature":")" + Base64(parts.sig) +
                R"(","verifier":")" + signer64 + R"("}]}})")};
  } else if (kind == "dsse 0.0.2") {
    parts.entries = {
        Log2("dsse", R"({"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":)"
                     R"({"algorithm":"SHA2_256","digest":")" +
                         Base64(hash) + R"("},"signatures":[{"content":")" + Base64(parts.sig) +
                         R"(","verifier":{"x509Certificate":{"rawBytes":")" +
                         Base64(parts.certificate) + R"("}}}]}}})")};
  } else if (kind == "intoto 0.0.1") {
    parts.entries = {Log(
        "intoto", "0.0.1",
        R"({"apiVersion":"0.0.1","kind":"intoto","spec":{"content":{"payloadHash":{"algorithm":)"
        R"("sha256","value":")" +
            HexOf(hash) + R"("}},"publicKey":")" + signer64 + R"("}})")};
  } else {
    parts.entries = {Log(
        "intoto", "0.0.2",
        R"({"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"signatures":[)"
        R"({"sig":")" +
            Base64(Base64(parts.sig)) + R"(","publicKey":")" + signer64 +
            R"("}]},"payloadHash":{"algorithm":"sha256","value":")" + HexOf(hash) + R"("}}}})")};
  }
  if (parts.entries.front().promise.empty())
    parts.timestamps = {MakeTimestamp(timestamper, parts.sig, kSignedAt + 5)};
  return parts;
}

}  // namespace image_library::trust::test
