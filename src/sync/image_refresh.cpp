#include "sync/image_refresh.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace image_library::sync {

using registry::FetchedManifest;
using registry::Group;
using registry::TagHead;
using registry::Task;

namespace {

constexpr std::size_t kAtOnce = 8;

// Images that every run asks about, and how long it goes on with more.
constexpr std::size_t kAlways = 200;
constexpr std::chrono::minutes kLongest(5);

// Of the manifests that an index lacks: one that lacks more is sparse, or lacks them all.
constexpr std::size_t kMaxAsked = 4;

bool Has(const std::vector<std::string>& digests, const std::string& digest) {
  return std::find(digests.begin(), digests.end(), digest) != digests.end();
}

// True when the image has a manifest that it lacked, and still has every one that it had.
bool HasMore(const Image& image, const DueReferrers& before) {
  std::size_t still_absent = 0;
  for (const PlatformImage& platform : image.platforms) {
    if (platform.present) continue;
    if (Has(before.present, platform.manifest_digest)) return false;
    still_absent += Has(before.absent, platform.manifest_digest);
  }
  return still_absent < before.absent.size();
}

}  // namespace

ImageRefresh::ImageRefresh(RunContext& context)
    : context_(context),
      reader_(context.client, context.config.reads_evidence ? &context.evidence : nullptr) {}

Task<void> ImageRefresh::Refresh() {
  const bool with_api = context_.client.abilities().referrers != false;
  const RunBudget::Mark began = context_.budget.Now();
  std::set<std::string> asked;  // one that failed stays due
  for (bool more = true; more;) {
    more = false;
    Group group(context_.config.requests_per_run ? 1 : kAtOnce);
    for (DueReferrers& due : context_.store.ReferrersDue(with_api)) {
      if (context_.stop.stopped() || (asked.size() >= kAlways && IsEnough(began))) {
        more = false;
        break;
      }
      if (!asked.insert(due.repository + ' ' + due.digest).second) continue;
      more = true;
      Task<void> task = RefreshImage(std::move(due));
      co_await group.Spawn(std::move(task));
    }
    co_await group.Join();
  }
}

// What is left is for the next run, which first looks for new tags.
bool ImageRefresh::IsEnough(const RunBudget::Mark& began) const {
  return context_.budget.HalfIsUsed() || context_.budget.Now().time - began.time > kLongest;
}

Task<void> ImageRefresh::RefreshImage(DueReferrers due) {
  Batch batch;
  batch.repository = due.repository;
  try {
    (void)co_await reader_.ReadApi(batch, due.digest, due.known);
    for (const std::string& tag : due.tags) co_await reader_.ReadTag(batch, due.digest, tag);
    co_await LookForChildren(batch, due);
    if (!due.absent.empty()) co_await CompleteImage(batch, due);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kBudget)
      context_.stop.Stop(error);
    else
      context_.stop.Failed(error);
    co_return;
  }
  batch.referrers_checked.push_back(due.digest);
  const Written written = co_await context_.writer.Write(std::move(batch));
  context_.statistics.problems += static_cast<std::int64_t>(written.problems);
}

// Reads the image again once one of the manifests that it lacked is there.
Task<void> ImageRefresh::CompleteImage(Batch& batch, const DueReferrers& due) {
  bool came = false;
  for (std::size_t i = 0; i < std::min(due.absent.size(), kMaxAsked) && !came; ++i) {
    const std::optional<FetchedManifest> manifest =
        co_await context_.client.GetManifest(due.repository, due.absent[i]);
    came = manifest.has_value();
  }
  if (!came) co_return;
  Room::Place place;
  std::exception_ptr failure;
  try {
    co_await ReadAgain(batch, due, place);
  } catch (...) {
    failure = std::current_exception();
  }
  context_.room.Leave(place);
  if (failure) std::rethrow_exception(failure);
}

Task<void> ImageRefresh::ReadAgain(Batch& batch, const DueReferrers& due, Room::Place& place) {
  co_await context_.room.Enter(place);
  std::optional<FetchedManifest> index =
      co_await context_.client.GetManifest(due.repository, due.digest);
  if (!index) co_return;
  FetchedImage read = co_await context_.reader.Read(due.repository, std::move(*index), place);
  // What was read before must not be lost for a platform more.
  if (read.config_error && read.config_error->temporary()) throw Error(*read.config_error);
  if (read.config_error) co_return;
  if (HasMore(read.image, due)) batch.completed.push_back(std::move(read.image));
}

Task<void> ImageRefresh::LookForChildren(Batch& batch, const DueReferrers& due) {
  std::vector<GoneChild> gone;
  for (const std::string& child : due.children) {
    const TagHead head = co_await context_.client.HeadTag(due.repository, child);
    if (!head.found) gone.push_back({due.digest, child});
  }
  if (gone.empty()) co_return;
  // A registry that denies the image itself may deny its children as well.
  const TagHead image = co_await context_.client.HeadTag(due.repository, due.digest);
  if (image.found) batch.gone_children = std::move(gone);
}

}  // namespace image_library::sync
