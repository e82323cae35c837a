#include "registry/paging.h"

#include <algorithm>
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

enum class Walk {
  kComplete,
  kRefused,       // on the first page
  kBroken,        // on a page that the registry had linked to
  kGuessRefused,  // on a page that we asked for with `last`
};

// A page is refused when the tag of its cursor was deleted. 401, 403, 429 and 5xx mean other
// things.
bool IsAboutCursor(int status) {
  return status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
}

// What a text takes in memory beside its characters: a std::string and what the allocator adds.
constexpr std::size_t kBesideText = sizeof(std::string) + 16;
// The same of an element of a set.
constexpr std::size_t kNode = 4 * sizeof(void*);

[[noreturn]] void RefuseMore(const Subject& subject, const std::string& most) {
  throw Error(ErrorKind::kTooLarge, "could not read " + subject.text + ": more than " + most,
              "A listing is held in memory while its repository is read.",
              "Have what nobody needs deleted in the registry.");
}

// Assigning an empty string would keep the memory.
void Release(Response&& response) { const Response taken = std::move(response); }

// One pass over the pages. `answer` is the one that ended it early.
Task<Walk> WalkPages(Exchange& exchange, Question question, int page_size, PageReader& reader,
                     Response* answer) {
  const std::string plain = question.url;
  question.url = WithPageSize(plain, page_size);
  reader.paging = Paging::kWhole;
  std::set<std::string> seen;
  std::size_t seen_bytes = 0;
  bool guessed = false;
  std::string last;
  for (std::size_t page = 1;; ++page) {
    if (page > reader.most_pages()) {
      RefuseMore(question.subject, std::to_string(reader.most_pages()) + " pages");
    }
    if (seen.insert(question.url).second) seen_bytes += question.url.size() + kBesideText + kNode;
    if (reader.bytes() + seen_bytes > limit::kListing) {
      RefuseMore(question.subject, std::to_string(limit::kListing) + " bytes in memory");
    }
    Response response = co_await exchange.Ask(question);
    if (response.status != 200) {
      const bool cursor = page > 1 && IsAboutCursor(response.status);
      if (page > 1 && !cursor) ThrowStatus(response, question.subject);
      *answer = std::move(response);
      co_return !cursor ? Walk::kRefused : guessed ? Walk::kGuessRefused : Walk::kBroken;
    }
    const std::size_t most = reader.bytes() + seen_bytes + reader.MostBytesOf(response);
    if (reader.turn != nullptr && most > limit::kSmallListing && !reader.turn->TryTake()) {
      Release(std::move(response));
      co_await reader.turn->Take();
      --page;
      continue;
    }
    const PageCount count = reader.Read(response);
    if (guessed && count.fresh > 0) reader.paging = Paging::kLast;
    if (guessed && count.fresh == 0 && count.last == last) reader.whole_lists = true;
    last = count.last;
    std::optional<std::string> next = NextPage(response, question.url, question.subject);
    if (next) reader.paging = Paging::kLink;
    const auto asked = static_cast<std::size_t>(page_size);
    const bool full = page_size > 0 && count.entries == asked;
    if (page == 1 && page_size > 0 && count.entries > asked && !next) reader.whole_lists = true;
    guessed = !next && full && !last.empty() && reader.paging != Paging::kLink;
    if (reader.whole_lists) guessed = false;
    if (guessed) next = WithPageSize(plain, page_size) + "&last=" + PercentEncode(last);
    const bool repeats = count.entries > 0 && count.fresh == 0;
    if (!next || repeats || seen.contains(*next)) co_return Walk::kComplete;
    question.url = *next;
  }
}

}  // namespace

std::optional<std::string> NextPage(const Response& response, const std::string& url,
                                    const Subject& subject) {
  bool unread = false;
  for (const std::string_view value : response.headers.All("link")) {
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
  unmerged_.clear();
  bytes_ = 0;
  invalid_ = 0;
}

// False for a name that is there.
bool NameReader::Add(std::string&& name) {
  constexpr std::size_t kMostUnmerged = 5000;
  if (unmerged_.count(name) != 0) return false;
  const bool last = names_.empty() || names_.back() < name;
  if (!last && std::binary_search(names_.begin(), names_.end(), name)) return false;
  // A short one lies in the std::string itself.
  bytes_ += name.capacity() < sizeof name ? sizeof name : name.capacity() + kBesideText;
  if (bytes_ > limit::kListing) {
    RefuseMore(subject_, std::to_string(limit::kListing) + " bytes in memory");
  }
  if (last) {
    names_.push_back(std::move(name));
    return true;
  }
  unmerged_.insert(std::move(name));
  if (unmerged_.size() >= kMostUnmerged) Merge();
  return true;
}

void NameReader::Merge() {
  const auto sorted = static_cast<std::ptrdiff_t>(names_.size());
  while (!unmerged_.empty())
    names_.push_back(std::move(unmerged_.extract(unmerged_.begin()).value()));
  std::inplace_merge(names_.begin(), names_.begin() + sorted, names_.end());
}

PageCount NameReader::Read(const Response& page) {
  std::optional<Json> json;
  try {
    json = Json::Parse(page.body, limit::kPageEntries);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kTooLarge) throw About(error, subject_);
    throw Malformed(subject_, "the answer is no JSON");
  }
  if (!json->IsObject() || !json->Has(key_)) throw Malformed(subject_, "the answer is no list");
  const Json list = (*json)[key_];
  if (!list.IsArray() && !IsNull(list)) throw Malformed(subject_, "the answer is no list");
  PageCount count;
  std::size_t invalid = 0;
  list.ForEachElement([&](const Json& element) {
    ++count.entries;
    std::optional<std::string> text = element.String();
    std::optional<std::string> name = text ? accept_(*text, prefix_) : std::nullopt;
    count.last = text ? std::move(*text) : std::string();
    if (!name) {
      ++invalid;
    } else if (name->empty()) {
      ++count.fresh;  // of another prefix: the page is no repeated one
    } else if (Add(std::move(*name))) {
      ++count.fresh;
    }
  });
  if (count.fresh > 0 || invalid_ == 0) invalid_ += invalid;  // a page that repeats counts once
  if (names_.size() + unmerged_.size() > most_) {
    RefuseMore(subject_, std::to_string(most_) + " names");
  }
  return count;
}

// By the commas, of which there is one between two names: no page has to be parsed for it.
std::size_t NameReader::MostBytesOf(const Response& page) const {
  const auto commas = std::count(page.body.begin(), page.body.end(), ',');
  return page.body.size() + (static_cast<std::size_t>(commas) + 1) * kBesideText;
}

Listing NameReader::Take() {
  Merge();
  Listing listing;
  listing.names = std::exchange(names_, {});
  listing.invalid = invalid_;
  listing.paging = paging;
  return listing;
}

Task<std::optional<Response>> ReadPages(Exchange& exchange, Question question, int page_size,
                                        PageReader& reader) {
  Response answer;
  int broken = 0;
  while (broken < 2) {
    reader.Reset();
    Question first = question;
    const Walk end = co_await WalkPages(exchange, std::move(first), page_size, reader, &answer);
    if (end == Walk::kComplete) co_return std::nullopt;
    // Some registries refuse a page size over their own limit instead of lowering it.
    const bool size_refused =
        end == Walk::kRefused && (answer.status == 400 || answer.status == 413);
    if (page_size > 0 && (size_refused || end == Walk::kGuessRefused)) {
      page_size = 0;
      continue;
    }
    if (end == Walk::kRefused) co_return std::move(answer);
    ++broken;
  }
  throw Malformed(question.subject,
                  "a page in the middle was refused with status " + std::to_string(answer.status));
}

}  // namespace image_library::registry
