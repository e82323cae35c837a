// Lists that come in pages (distribution-spec, "Listing Tags"; Link of RFC 8288).
#ifndef IMAGE_LIBRARY_REGISTRY_PAGING_H_
#define IMAGE_LIBRARY_REGISTRY_PAGING_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "registry/exchange.h"
#include "registry/listing_turn.h"
#include "registry/status.h"
#include "registry/types.h"

namespace image_library::registry {

/// The URL of the page after this one; nothing at the end. A Link's query is put on the path that
/// was asked for: proxies get host, port, scheme and path wrong, and no other origin is asked.
/// Throws Error kProtocol for a next link that cannot be followed.
std::optional<std::string> NextPage(const Response& response, const std::string& url,
                                    const Subject& subject);

/// What a page brought.
struct PageCount {
  std::size_t entries = 0;
  std::size_t fresh = 0;  ///< entries that no page before had
  std::string last;       ///< the last entry as sent; empty when it is no text
};

/// Takes the pages of one listing.
class PageReader {
 public:
  virtual ~PageReader() = default;
  /// Forgets everything: the listing begins again.
  virtual void Reset() = 0;
  /// Throws Error when the page is not what it should be, or too much.
  virtual PageCount Read(const Response& page) = 0;
  /// How many pages are read; more are kTooLarge.
  virtual std::size_t most_pages() const { return limit::kPages; }
  /// What the reader has collected takes in memory; more than limit::kListing is kTooLarge.
  virtual std::size_t bytes() const { return 0; }
  /// What a page adds to that at most.
  virtual std::size_t MostBytesOf(const Response&) const { return 0; }

  Paging paging = Paging::kWhole;  ///< set by ReadPages
  /// The registry heeds neither page size nor `last`: a page without a Link is the whole list. Set
  /// by ReadPages where the pages show it; set before, `last` is not tried.
  bool whole_lists = false;
  /// Taken before the listing becomes larger than limit::kSmallListing; null: it need not be. The
  /// page at hand is not held while it is waited for, but asked for again.
  ListingTurn* turn = nullptr;
};

/// Collects names: the strings of the array `key` for which `accept` gives a name.
class NameReader : public PageReader {
 public:
  using Accept = std::optional<std::string> (*)(const std::string& name, const std::string& prefix);

  /// An entry for which accept gives nothing is counted as invalid; one for which it gives an
  /// empty name belongs to others and is left out.
  NameReader(const char* key, Accept accept, std::string prefix, std::size_t most, Subject subject);

  void Reset() override;
  PageCount Read(const Response& page) override;
  std::size_t bytes() const override { return bytes_; }
  std::size_t MostBytesOf(const Response& page) const override;
  Listing Take();

 private:
  bool Add(std::string&& name);
  void Merge();

  const char* const key_;
  const Accept accept_;
  const std::string prefix_;
  const std::size_t most_;
  const Subject subject_;
  std::vector<std::string> names_;  // sorted: lists mostly are, and take no more memory than that
  std::set<std::string> unmerged_;  // those that came out of order, a few thousand at most
  std::size_t bytes_ = 0;           // of both
  std::size_t invalid_ = 0;
};

/// Reads every page, `page_size` entries each where the registry lets us choose (0: not asked for).
/// A Link leads to the next page (the specification says MAY). Where none was sent and a page has
/// as many entries as were asked for, the next one is asked for with `last`, until a page has fewer
/// or nothing new; a registry that refuses that is asked for the whole list. Returns the first
/// page's answer when its status was not 200 (nothing was read then). A listing that breaks in the
/// middle is begun again once; then throws Error, as for any other trouble.
Task<std::optional<Response>> ReadPages(Exchange& exchange, Question question, int page_size,
                                        PageReader& reader);

}  // namespace image_library::registry

#endif
