#include "registry/client.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/digest.h"
#include "core/error.h"
#include "core/http_header.h"
#include "core/reference.h"
#include "core/text.h"
#include "registry/exchange.h"
#include "registry/paging.h"

namespace image_library::registry {

namespace {

// Registries with a smaller limit lower it or refuse it; both are handled.
constexpr int kTagPage = 100;
constexpr int kCatalogPage = 1000;
// Of one subject: signatures and SBOMs of an image are a handful.
constexpr std::size_t kReferrers = 1000;
constexpr std::size_t kReferrerBytes = 1u << 20;
constexpr std::size_t kReferrerPages = 20;

std::optional<std::string> AcceptTag(const std::string& name, const std::string&) {
  return IsTag(name) ? std::optional(name) : std::nullopt;
}

// The name relative to the prefix; empty for repositories outside it.
std::optional<std::string> AcceptRepository(const std::string& name, const std::string& prefix) {
  if (!IsRepositoryName(name)) return std::nullopt;
  if (prefix.empty()) return name;
  if (!name.starts_with(prefix + "/")) return "";
  return name.substr(prefix.size() + 1);
}

// What the body says of a digest: true when it hashes to it, by what Docker's schema 1 leaves in it
// when the signatures are taken out, if need be. The body is then what the digest is of: nothing
// that it does not cover may become a fact of it.
bool Proves(std::string* body, const std::string& digest) {
  if (DigestMatches(digest, *body)) return true;
  std::optional<std::string> payload = Schema1Payload(*body);
  if (!payload || !DigestMatches(digest, *payload)) return false;
  *body = std::move(*payload);
  return true;
}

// The same for a digest that was asked for: what cannot be read does not prove it.
bool ProvesReference(std::string* body, const std::string& digest) {
  try {
    return Proves(body, digest);
  } catch (const Error&) {
    return false;
  }
}

// The digest of what a tag points at: the registry's own, of whatever algorithm, where the body
// proves it. The body becomes what the digest is of.
std::string DigestByTag(const std::string& claimed, std::string* body, const Subject& subject) {
  try {
    if (IsDigest(claimed) && Proves(body, claimed)) return claimed;
    if (std::optional<std::string> payload = Schema1Payload(*body)) *body = std::move(*payload);
  } catch (const Error& error) {
    throw About(error, subject);
  }
  return Sha256Digest(*body);
}

// A web page with status 200 is no manifest.
void RequireObject(const Response& response, const Subject& subject) {
  const std::size_t first = response.body.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && response.body[first] == '{') return;
  throw Error(ErrorKind::kMalformed, "could not read " + subject.text + ": no manifest",
              "The registry answered with something that is no JSON object.");
}

// What a descriptor takes in memory, roughly.
std::size_t SizeOf(const Descriptor& descriptor) {
  return sizeof descriptor + descriptor.media_type.size() + descriptor.digest.size() +
         descriptor.artifact_type.size() + BytesOf(descriptor.annotations);
}

// Collects the descriptors of a referrers list.
class ReferrerPages : public PageReader {
 public:
  explicit ReferrerPages(Subject subject) : subject_(std::move(subject)) {}

  void Reset() override {
    descriptors.clear();
    seen_.clear();
    bytes_ = 0;
  }

  std::size_t most_pages() const override { return kReferrerPages; }

  PageCount Read(const Response& page) override {
    if (MediaType(page.Header("content-type")) != media_type::kOciIndex) {
      throw Malformed(subject_, "the answer is no index");
    }
    Manifest index;
    try {
      index = ParseManifest(page.body, page.Header("content-type"));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kTooLarge) throw About(error, subject_);
      throw Malformed(subject_, error.what());
    }
    PageCount count{index.manifests.size(), 0, {}};
    for (Descriptor& descriptor : index.manifests) {
      if (!seen_.insert(descriptor.digest).second) continue;
      ++count.fresh;
      descriptor.data.reset();
      bytes_ += SizeOf(descriptor);
      if (seen_.size() > kReferrers) RefuseMore(std::to_string(kReferrers) + " entries");
      if (bytes_ > kReferrerBytes) RefuseMore(std::to_string(kReferrerBytes) + " bytes");
      descriptors.push_back(std::move(descriptor));
    }
    return count;
  }

  std::vector<Descriptor> descriptors;

 private:
  [[noreturn]] void RefuseMore(const std::string& most) const {
    throw Error(ErrorKind::kTooLarge, "could not read " + subject_.text + ": more than " + most,
                "An image has a handful of referrers; the registry lists many more.",
                "Have those that nobody needs deleted in the registry.");
  }

  const Subject subject_;
  std::set<std::string> seen_;
  std::size_t bytes_ = 0;  // of descriptors
};

}  // namespace

struct Client::Impl {
  Impl(ClientOptions&& given, Transport& transport, RetryPolicy retry)
      : options(std::move(given)),
        origin(options.url.Origin()),
        exchange(options, transport, retry),
        abilities(options.abilities) {}

  /// The full name, with what it is, for messages.
  std::string Quoted(const std::string& full_name) const;
  /// A question about part of a repository; throws when its name is none.
  Question About(const std::string& repository, const std::string& path,
                 const std::string& what) const;
  Question AboutManifest(const std::string& repository, const std::string& reference) const;
  Task<TagHead> HeadByGet(Question question);
  Task<TagCheck> CheckByGet(Question question, std::string known);
  Task<std::optional<std::vector<Descriptor>>> AskForReferrers(std::string repository,
                                                               std::string digest);
  void LearnEtag(const Response& response);
  bool CountsGets() const { return options.url.host == "docker.io"; }

  const ClientOptions options;
  const std::string origin;
  Exchange exchange;
  Abilities abilities;
  bool whole_lists = false;        // see PageReader
  bool probing_referrers = false;  // a request is to tell whether there is a referrers API ...
  int probes_left = 3;             // those that told nothing do not hold up the others for ever
  WaitQueue referrers_probed;      // ... and these wait for its answer
};

// The manifest in an answer with status 200; the body is checked against the reference.
FetchedManifest ToManifest(Response&& response, const std::string& reference,
                           const Subject& subject) {
  FetchedManifest manifest;
  manifest.content_type = response.Header("content-type");
  RequireObject(response, subject);
  manifest.body = std::move(response.body);
  manifest.held = std::move(response.held);
  const std::string claimed(response.Header("docker-content-digest"));
  if (IsDigest(reference)) {
    if (!ProvesReference(&manifest.body, reference)) {
      throw Error(ErrorKind::kDigestMismatch,
                  "could not read " + subject.text + ": the body has another digest",
                  "Its digest is " + Sha256Digest(manifest.body) + ".");
    }
    manifest.digest = reference;
  } else {
    manifest.digest = DigestByTag(claimed, &manifest.body, subject);
    if (IsDigest(claimed) && claimed != manifest.digest) manifest.claimed_digest = claimed;
  }
  return manifest;
}

std::string Client::Impl::Quoted(const std::string& full_name) const {
  return "repository \"" + options.url.host + "/" + full_name + "\"";
}

Question Client::Impl::About(const std::string& repository, const std::string& path,
                             const std::string& what) const {
  const std::string name = options.url.FullName(repository);
  if (!IsRepositoryName(name)) {
    throw Error(ErrorKind::kInvalidArgument,
                "\"" + Scrub(repository, 300) + "\" is not a repository name", "",
                "A name is made of lower-case letters, digits and separators, in parts with a "
                "slash between them.");
  }
  Question question;
  question.url.reserve(origin.size() + name.size() + path.size() + 5);
  question.url.append(origin).append("/v2/").append(name).append("/").append(path);
  question.target = {repository, name, "content"};
  question.subject.text.reserve(what.size() + options.url.host.size() + name.size() + 16);
  question.subject.text.append(what).append(Quoted(name));
  question.subject.has_credential = !options.credentials.empty();
  return question;
}

Question Client::Impl::AboutManifest(const std::string& repository,
                                     const std::string& reference) const {
  const bool digest = IsDigest(reference);
  if (!digest && !IsTag(reference)) {
    throw Error(ErrorKind::kInvalidArgument,
                "\"" + Scrub(reference, 300) + "\" is neither a tag nor a digest");
  }
  const std::string what = (digest ? "manifest \"" : "tag \"") + reference + "\" of ";
  Question question = About(repository, "manifests/" + reference, what);
  question.accept = media_type::kAccept;
  question.max_body = limit::kManifest;
  question.follow_redirects = true;
  return question;
}

Client::Client(ClientOptions options, Transport& transport, RetryPolicy retry)
    : impl_(std::make_unique<Impl>(std::move(options), transport, retry)) {}

Client::~Client() = default;

Task<void> Client::Ping() {
  Question question;
  question.url = impl_->options.url.Origin() + "/v2/";
  // There is no name to check.
  question.subject = {"registry \"" + impl_->options.url.host + "\"",
                      !impl_->options.credentials.empty(),
                      impl_->options.credentials.empty()
                          ? "Set a credential for the registry: none is set for it."
                          : "Check the user name and the password of the registry's credential."};
  const Subject& subject = question.subject;
  Authenticator& authenticator = impl_->exchange.authenticator();
  Response response = co_await impl_->exchange.AskPlain(question);
  // Go's and nginx's words for a request without TLS to a port with it.
  if (response.status == 400 && impl_->options.url.scheme == "http" &&
      response.body.find("HTTPS") != std::string::npos) {
    throw Error(ErrorKind::kProtocol, "could not read " + subject.text + ": it speaks https", {},
                "Write https:// in the registry's URL.");
  }
  if (response.status != 401 && response.status != 200) ThrowStatus(response, subject);
  authenticator.Learn(response);
  if (response.status == 200) co_return;
  if (authenticator.scheme() == "none") {
    throw Malformed(subject, "it wants authentication that is neither Basic nor Bearer");
  }
  // A Basic credential for everything is tried at once; tokens are asked for by repository.
  if (authenticator.scheme() != "basic" || !authenticator.HasCredential("")) co_return;
  response = co_await impl_->exchange.Ask(question);
  if (response.status != 200) ThrowStatus(response, subject);
}

Task<Listing> Client::ListRepositories() {
  Question question;
  question.url = impl_->options.url.Origin() + "/v2/_catalog";
  question.target.purpose = "list";
  question.max_body = limit::kList;
  question.subject = {"repositories of registry \"" + impl_->options.url.host + "\"",
                      !impl_->options.credentials.empty(),
                      "Many registries do not list their repositories: write rules with the "
                      "repositories' full names."};
  const Subject subject = question.subject;
  NameReader reader("repositories", &AcceptRepository, impl_->options.url.prefix,
                    limit::kRepositories, subject);
  const std::optional<Response> refusal =
      co_await ReadPages(impl_->exchange, std::move(question), kCatalogPage, reader);
  if (refusal) ThrowStatus(*refusal, subject);
  co_return reader.Take();
}

Task<std::optional<Listing>> Client::ListTags(std::string repository, ListingTurn* turn) {
  Question question = impl_->About(repository, "tags/list", "tags of ");
  question.target.purpose = "list";
  const Subject subject = question.subject;
  NameReader reader("tags", &AcceptTag, "", limit::kTags, subject);
  reader.turn = turn;
  reader.whole_lists = impl_->whole_lists;
  const std::optional<Response> refusal =
      co_await ReadPages(impl_->exchange, std::move(question), kTagPage, reader);
  if (reader.whole_lists) impl_->whole_lists = true;
  if (!refusal) co_return reader.Take();
  if (refusal->status != 404) ThrowStatus(*refusal, subject);
  co_return std::nullopt;
}

// For registries whose HEAD does not work.
Task<TagHead> Client::Impl::HeadByGet(Question question) {
  const Subject& subject = question.subject;
  question.method = Method::kGet;
  Response response = co_await exchange.Ask(question);
  if (response.status == 404) co_return TagHead();
  if (response.status != 200) ThrowStatus(response, subject);
  RequireObject(response, subject);
  abilities.head = false;
  const std::string claimed(response.Header("docker-content-digest"));
  co_return TagHead{true, DigestByTag(claimed, &response.body, subject)};
}

Task<TagHead> Client::HeadTag(std::string repository, std::string tag) {
  Question question = impl_->AboutManifest(repository, tag);
  if (impl_->abilities.head == false) co_return co_await impl_->HeadByGet(std::move(question));
  question.method = Method::kHead;
  const Subject& subject = question.subject;
  const Response response = co_await impl_->exchange.Ask(question);
  switch (response.status) {
    case 200: {
      impl_->abilities.head = true;
      impl_->LearnEtag(response);
      const std::string digest(response.Header("docker-content-digest"));
      co_return TagHead{true, IsDigest(digest) ? digest : ""};
    }
    case 404:
      if (impl_->abilities.head == true) co_return TagHead();
      [[fallthrough]];
    case 403:
    case 405:
    case 501:
      co_return co_await impl_->HeadByGet(std::move(question));
    default:
      ThrowStatus(response, subject);
  }
}

Task<std::optional<FetchedManifest>> Client::GetManifest(std::string repository,
                                                         std::string reference) {
  Question question = impl_->AboutManifest(repository, reference);
  const Subject& subject = question.subject;
  Response response = co_await impl_->exchange.Ask(question);
  if (response.status == 404) co_return std::nullopt;
  if (response.status != 200) ThrowStatus(response, subject);
  impl_->LearnEtag(response);
  co_return ToManifest(std::move(response), reference, subject);
}

// The distribution and registries made of it answer If-None-Match with the digest, and say so by
// the ETag (distribution, registry/handlers/manifests.go); others have ETags of their own.
void Client::Impl::LearnEtag(const Response& response) {
  const std::string_view etag = response.Header("etag");
  const std::string_view digest = response.Header("docker-content-digest");
  if (abilities.conditional || digest.empty() || etag.size() != digest.size() + 2) return;
  if (etag.substr(1, digest.size()) == digest && etag.front() == '"' && etag.back() == '"')
    abilities.conditional = true;
}

Task<TagCheck> Client::Impl::CheckByGet(Question question, std::string known) {
  const Subject& subject = question.subject;
  const bool head_refused = abilities.head == false;
  question.if_none_match = known;
  Response response = co_await exchange.Ask(question);
  if (response.status == 304) co_return TagCheck{true, known};
  if (response.status == 404) co_return TagCheck();
  if (response.status != 200) ThrowStatus(response, subject);
  TagCheck check{true, {}, ToManifest(std::move(response), {}, subject)};
  check.digest = check.manifest->digest;
  // Without HEAD nothing is better, whatever it answers.
  if (check.digest == known && !head_refused) abilities.conditional = false;
  co_return std::move(check);
}

Task<TagCheck> Client::CheckTag(std::string repository, std::string tag, std::string known) {
  const bool by_get = impl_->abilities.head == false ||
                      (impl_->abilities.conditional == true && !impl_->CountsGets());
  if (by_get) {
    Question question = impl_->AboutManifest(repository, tag);
    try {
      co_return co_await impl_->CheckByGet(std::move(question), std::move(known));
    } catch (const Error& error) {
      // A manifest that cannot be read still has a digest, which HEAD tells.
      const bool of_manifest =
          error.kind() == ErrorKind::kTooLarge || error.kind() == ErrorKind::kMalformed;
      if (impl_->abilities.head == false || !of_manifest) throw;
    }
  }
  TagHead head = co_await HeadTag(std::move(repository), std::move(tag));
  co_return TagCheck{head.found, std::move(head.digest)};
}

Task<std::string> Client::GetBlob(std::string repository, std::string digest) {
  if (!IsDigest(digest)) {
    throw Error(ErrorKind::kInvalidArgument, "\"" + Scrub(digest, 300) + "\" is not a digest");
  }
  Question question = impl_->About(repository, "blobs/" + digest, "blob \"" + digest + "\" of ");
  question.max_body = limit::kConfig;
  question.follow_redirects = true;
  const Subject& subject = question.subject;
  Response response = co_await impl_->exchange.Ask(question);
  if (response.status != 200) ThrowStatus(response, subject);
  if (!DigestMatches(digest, response.body)) {
    throw Error(ErrorKind::kDigestMismatch,
                "could not read " + subject.text + ": the body has another digest",
                "Its digest is " + Sha256Digest(response.body) + ".");
  }
  co_return std::move(response.body);
}

Task<std::optional<std::vector<Descriptor>>> Client::ListReferrers(std::string repository,
                                                                   std::string digest) {
  if (!IsDigest(digest)) {
    throw Error(ErrorKind::kInvalidArgument, "\"" + Scrub(digest, 300) + "\" is not a digest");
  }
  Impl& impl = *impl_;
  while (!impl.abilities.referrers && impl.probing_referrers) co_await impl.referrers_probed.Wait();
  if (impl.abilities.referrers == false) co_return std::nullopt;
  if (impl.abilities.referrers || impl.probes_left == 0)
    co_return co_await impl.AskForReferrers(repository, digest);
  impl.probing_referrers = true;
  --impl.probes_left;
  std::optional<std::vector<Descriptor>> referrers;
  std::exception_ptr failure;
  try {
    referrers = co_await impl.AskForReferrers(repository, digest);
  } catch (...) {
    failure = std::current_exception();
  }
  impl.probing_referrers = false;
  impl.referrers_probed.ResumeAll();
  if (failure) std::rethrow_exception(failure);
  co_return std::move(referrers);
}

Task<std::optional<std::vector<Descriptor>>> Client::Impl::AskForReferrers(std::string repository,
                                                                           std::string digest) {
  Question question =
      About(repository, "referrers/" + digest, "referrers of \"" + digest + "\" of ");
  question.accept = media_type::kOciIndex;
  question.max_body = limit::kManifest;
  const Subject subject = question.subject;
  ReferrerPages reader(subject);
  std::optional<Response> refusal;
  try {
    refusal = co_await ReadPages(exchange, std::move(question), 0, reader);
  } catch (const Error& error) {
    // 200 with a web page, from a registry that never showed it has the API.
    if (error.kind() != ErrorKind::kProtocol || abilities.referrers) throw;
    abilities.referrers = false;
    co_return std::nullopt;
  }
  if (!refusal) {
    abilities.referrers = true;
    co_return std::move(reader.descriptors);
  }
  const int status = refusal->status;
  if (status == 401 || status == 403 || status == 408 || status == 429 || status >= 500) {
    ThrowStatus(*refusal, subject);
  }
  // A registry that has the API may still refuse a subject that it does not know.
  if (abilities.referrers == true) co_return std::vector<Descriptor>();
  abilities.referrers = false;
  co_return std::nullopt;
}

std::int64_t Client::retries() const noexcept { return impl_->exchange.sender().retries(); }

const Abilities& Client::abilities() const noexcept { return impl_->abilities; }

std::string Client::authentication() const { return impl_->exchange.authenticator().scheme(); }

std::string Client::token_server() const { return impl_->exchange.authenticator().token_server(); }

const std::vector<std::string>& Client::warnings() const noexcept {
  return impl_->exchange.warnings();
}

}  // namespace image_library::registry
