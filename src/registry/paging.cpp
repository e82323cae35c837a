#include "registry/paging.h"

#include <utility>

#include "core/error.h"
#include "core/http_header.h"
#include "core/json.h"
#include "core/strings.h"
#include "registry/location.h"

namespace image_library::registry {

namespace {

// A next link that the parser could not read: the listing would end too early unnoticed.
bool MentionsNext(std::string_view link) {
  std::string plain;
  for (const char c : Lower(link)) {
    if (c != '"' && c != '\'' && c != ' ') plain += c;
  }
  return plain.find("rel=next") != std::string::npos;
}

std::string WithoutQuery(const std::string& url) { return url.substr(0, url.find('?')); }

std::string WithPageSize(const std::string& url, int page_size) {
  if (page_size <= 0) return url;
  return url + "?n=" + std::to_string(page_size);
}

bool IsNull(const Json& value) {
  return !value.IsArray() && !value.IsObject() && !value.String() && !value.Integer() &&
         !value.Boolean();
}

enum class Walk { kComplete, kRefused, kBroken };

// One pass over the pages. `answer` is the one that ended it early.
Task<Walk> WalkPages(Exchange& exchange, Question question, PageReader& reader, Response* answer) {
  std::set<std::string> seen;
  for (std::size_t page = 1;; ++page) {
    if (page > limit::kPages) {
      throw Error(ErrorKind::kTooLarge, "could not read " + question.subject.text + ": more than " +
                                            std::to_string(limit::kPages) + " pages");
    }
    seen.insert(question.url);
    Question copy = question;
    Response response = co_await exchange.Ask(std::move(copy));
    if (response.status != 200) {
      // A cursor may be gone (its tag was deleted); a refusal or an overload is not about cursors.
      const bool cursor = page > 1 && response.status >= 400 && response.status < 500 &&
                          response.status != 401 && response.status != 403 &&
                          response.status != 429;
      if (page > 1 && !cursor) ThrowStatus(response, question.subject);
      *answer = std::move(response);
      co_return cursor ? Walk::kBroken : Walk::kRefused;
    }
    const PageCount count = reader.Read(response);
    const std::optional<std::string> next = NextPage(response, question.url, question.subject);
    const bool repeats = count.entries > 0 && count.fresh == 0;
    if (!next || repeats || seen.contains(*next)) co_return Walk::kComplete;
    question.url = *next;
  }
}

}  // namespace

std::optional<std::string> NextPage(const Response& response, const std::string& url,
                                    const Subject& subject) {
  bool unread = false;
  for (const std::string_view value : response.Headers("link")) {
    const std::optional<std::string> link = NextLink(value);
    if (!link) {
      unread = unread || MentionsNext(value);
      continue;
    }
    const std::string target = link->substr(0, link->find('#'));
    const std::size_t query = target.find('?');
    if (query != std::string::npos) return WithoutQuery(url) + target.substr(query);
    const std::optional<std::string> next = ResolveUrl(url, target);
    const std::optional<Location> here = ParseLocation(url);
    const std::optional<Location> there = next ? ParseLocation(*next) : std::nullopt;
    if (here && there && here->Origin() == there->Origin()) return next;
    unread = true;
  }
  if (unread) throw Malformed(subject, "its link to the next page cannot be followed");
  return std::nullopt;
}

NameReader::NameReader(const char* key, Accept accept, std::string prefix, std::size_t most,
                       Subject subject)
    : key_(key),
      accept_(accept),
      prefix_(std::move(prefix)),
      most_(most),
      subject_(std::move(subject)) {}

void NameReader::Reset() {
  names_.clear();
  invalid_ = 0;
}

PageCount NameReader::Read(const Response& page) {
  std::optional<Json> json;
  try {
    json = Json::Parse(page.body);
  } catch (const Error&) {
    throw Malformed(subject_, "the answer is no JSON");
  }
  if (!json->IsObject() || !json->Has(key_)) throw Malformed(subject_, "the answer is no list");
  const Json list = (*json)[key_];
  if (!list.IsArray() && !IsNull(list)) throw Malformed(subject_, "the answer is no list");
  PageCount count;
  for (const Json& element : list.Elements()) {
    ++count.entries;
    const std::optional<std::string> text = element.String();
    const std::optional<std::string> name = text ? accept_(*text, prefix_) : std::nullopt;
    if (!name) {
      ++invalid_;
    } else if (name->empty()) {
      ++count.fresh;  // someone else's: no sign of a page that repeats
    } else if (names_.insert(*name).second) {
      ++count.fresh;
    }
  }
  if (names_.size() > most_) {
    throw Error(ErrorKind::kTooLarge, "could not read " + subject_.text + ": more than " +
                                          std::to_string(most_) + " names");
  }
  return count;
}

Listing NameReader::Take() {
  Listing listing;
  listing.invalid = invalid_;
  listing.names.reserve(names_.size());
  while (!names_.empty()) {
    listing.names.push_back(std::move(names_.extract(names_.begin()).value()));
  }
  return listing;
}

Task<std::optional<Response>> ReadPages(Exchange& exchange, Question question, int page_size,
                                        PageReader& reader) {
  const std::string plain = question.url;
  Response answer;
  for (int walk = 0; walk < 2; ++walk) {
    reader.Reset();
    Question first = question;
    first.url = WithPageSize(plain, page_size);
    Walk end = co_await WalkPages(exchange, std::move(first), reader, &answer);
    // Some registries refuse a page size over their own limit instead of lowering it.
    if (end == Walk::kRefused && page_size > 0 && (answer.status == 400 || answer.status == 413)) {
      page_size = 0;
      first = question;
      end = co_await WalkPages(exchange, std::move(first), reader, &answer);
    }
    if (end == Walk::kComplete) co_return std::nullopt;
    if (end == Walk::kRefused) co_return std::move(answer);
  }
  throw Malformed(question.subject,
                  "a page in the middle was refused with status " + std::to_string(answer.status));
}

}  // namespace image_library::registry
