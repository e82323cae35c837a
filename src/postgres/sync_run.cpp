#include "postgres/sync_run.h"

#include <malloc.h>
#include <poll.h>

#include "core/error.h"
#include "core/json_writer.h"
#include "core/text.h"
#include "postgres/board.h"
#include "postgres/settings.h"
#include "postgres/wait_event.h"
#include "sync/sync_registry.h"

namespace image_library::postgres {
namespace {

// How long a worker waits for a registry while others wait for the worker: for its first answer,
// and for any later one.
constexpr std::chrono::seconds kFirstAnswer(10);
constexpr std::chrono::seconds kLaterAnswer(30);

constexpr long kLivenessMs = 400;  // how soon a dropped extension is noticed

// The C library gives free memory at the end of the heap back to the system from 128 kB on. Each
// statement of a batch frees so much, and the next one would ask for it again: an eighth of the
// time that a sync of small repositories takes. Both limits, since to set one ends that the library
// adapts the other. Only for a worker: it would hold for the rest of a session.
void KeepFreedMemory() {
#ifdef __GLIBC__
  (void)mallopt(M_TRIM_THRESHOLD, 1 << 20);
  (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
}

const char* Name(sync::Outcome outcome) {
  switch (outcome) {
    case sync::Outcome::kComplete:
      return "complete";
    case sync::Outcome::kPartial:
      return "partial";
    case sync::Outcome::kCancelled:
      return "cancelled";
    case sync::Outcome::kFailed:
      break;
  }
  return "failed";
}

std::string CountsJson(const sync::RunStatistics& counts) {
  JsonObject json;
  json.Integer("requests", counts.requests);
  json.Integer("bytes", counts.bytes);
  json.Integer("not_modified", counts.not_modified);
  json.Integer("retries", counts.retries);
  json.Integer("repositories", counts.repositories);
  json.Integer("tags_seen", counts.tags_seen);
  json.Integer("images_added", counts.images_added);
  json.Integer("tags_moved", counts.tags_moved);
  json.Integer("tags_missing", counts.tags_missing);
  json.Integer("problems", counts.problems);
  return json.Finish();
}

void Finish(Database& database, const std::string& run, const sync::RunResult& result) {
  constexpr std::size_t kMostBytes = 10000;
  const std::string error = Scrub(
      result.hint.empty() ? result.error : result.error + " (" + result.hint + ")", kMostBytes);
  database.Query(
      "SELECT image_library_internal.finish_run($1::pg_catalog.int8, $2, $3, $4::pg_catalog.jsonb, "
      "image_library_internal.next_sync_at($1::pg_catalog.int8, $2))",
      {run, Name(result.outcome), error.empty() ? std::nullopt : std::optional<std::string>(error),
       CountsJson(result.statistics)});
}

// Call it before Finish, which computes the time of the next sync from it.
void Remember(Database& database, std::int32_t registry_id, const sync::RunResult& result) {
  const auto refused = [](std::optional<bool> ability) {
    return ability == false ? "true" : "false";
  };
  std::optional<std::string> conditional;
  if (result.abilities.conditional) conditional = *result.abilities.conditional ? "true" : "false";
  database.Query(
      "SELECT image_library_internal.remember($1::pg_catalog.int4, $2::pg_catalog.bool, "
      "$3::pg_catalog.int8, $4, $5::pg_catalog.bool, $6::pg_catalog.bool, $7::pg_catalog.bool)",
      {std::to_string(registry_id), result.limited ? "true" : "false",
       std::to_string(result.retry_after), result.progress.ToText(), refused(result.abilities.head),
       refused(result.abilities.referrers), conditional});
}

std::optional<std::string> NullIfEmpty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

// A run that a cancel or an error of the database ended. If even this fails, in a terminated
// session for one, the run stays unfinished.
void FinishEarly(Database& database, Run& run, sync::Outcome outcome,
                 const std::string& why) noexcept {
  try {
    run.result.outcome = outcome;
    run.result.error = why;
    Finish(database, run.number, run.result);
  } catch (const std::exception&) {
  }
}

// Tries work a few times while others hold locks; no transaction is open between the tries.
template <typename Work>
void Patiently(LatchWaiter& waiter, Work work) {
  constexpr int kTries = 3;
  constexpr int kPauseMs = 500;
  for (int tries_left = kTries;;) {
    try {
      work();
      return;
    } catch (const PostgresError& error) {
      if (!IsBusy(error.sqlstate) || --tries_left == 0) throw;
    }
    const TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kPauseMs);
    for (long left = kPauseMs; left > 0;
         left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until))
      waiter.Wait(-1, static_cast<int>(left));
  }
}

}  // namespace

void LatchWaiter::GiveUpForOthers() const {
  const std::chrono::seconds limit = watch_->answered() ? kLaterAnswer : kFirstAnswer;
  if (watch_->Silence(sync::AnswerWatch::TimePoint::clock::now()) < limit) return;
  if (!Value([] { return MakeRoom(); })) return;
  throw Error(ErrorKind::kUnreachable,
              "the registry did not answer for " + std::to_string(limit.count()) +
                  " seconds while others waited for a worker",
              {}, "Raise image_library.max_workers if the registry is slow.");
}

LatchWaiter::~LatchWaiter() {
  if (events_ != nullptr) FreeWaitEventSet(events_);
}

// Inside Call. A set that is made once, since WaitLatchOrSocket would make one for each wait. A
// negative descriptor means none.
void LatchWaiter::WaitForEvents(int descriptor, long timeout_ms) {
  if (events_ != nullptr && descriptor != descriptor_)
    FreeWaitEventSet(std::exchange(events_, nullptr));
  if (events_ == nullptr) {
    events_ = NewWaitEventSet(3);
    descriptor_ = descriptor;
    AddWaitEventToSet(events_, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
    AddWaitEventToSet(events_, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
    if (descriptor >= 0)
      AddWaitEventToSet(events_, WL_SOCKET_READABLE, descriptor, nullptr, nullptr);
  }
  WaitEvent occurred;
  if (WaitEventSetWait(events_, timeout_ms, &occurred, 1, WaitEventInfo(WaitsFor::kRegistry)) ==
          1 &&
      (occurred.events & WL_LATCH_SET) != 0)
    ResetLatch(MyLatch);
}

void LatchWaiter::Wait(int descriptor, int timeout_ms) {
  // With many packets, a wait for the latch at each of them would be slow.
  pollfd ready{descriptor, POLLIN, 0};
  if (!InterruptPending && !ConfigReloadPending && poll(&ready, 1, 0) > 0) return;
  const long timeout = timeout_ms < 0 || timeout_ms > kLivenessMs ? kLivenessMs : timeout_ms;
  Call([&] {
    WaitForEvents(descriptor, timeout);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending && MyBackendType == B_BG_WORKER) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
  });
  const TimestampTz now = GetCurrentTimestamp();
  if (now < next_check_) return;
  next_check_ = TimestampTzPlusMilliseconds(now, kLivenessMs);
  if (!database_.ExtensionIsThere()) throw ExtensionGone();
  if (watch_ != nullptr) GiveUpForOthers();
}

std::string Run::Name(const std::string& registry) const {
  return "registry \"" + registry + "\"" + (number.empty() ? "" : ", run " + number);
}

namespace {

// In a transaction of its own; while other sessions hold locks the worker comes again later.
void FailLooks(Database& database, std::int32_t registry_id, const std::string& why) {
  database.Query("SELECT image_library_internal.fail_looks($1::pg_catalog.int4, $2)",
                 {std::to_string(registry_id), why});
}

}  // namespace

void LookAtRequested(Database& database, std::int32_t registry_id, const Report& report) {
  sync::AnswerWatch watch;
  LatchWaiter waiter(database, watch);
  try {
    sync::RegistryConfig config = LoadRegistry(database, registry_id);
    SqlStore store(database, registry_id,
                   [&](const sync::RunReport& so_far) { report(so_far.ToText()); });
    sync::RunOptions options;
    options.max_removal_percent = settings::max_removal_percent;
    options.run_timeout = settings::run_timeout;
    options.watch = &watch;
    options.requested_only = true;
    sync::RunResult result = sync::SyncRegistry(config, store, waiter, options);
    // The next run of the registry goes on where the last one stopped.
    result.progress = config.progress;
    if (result.limited) Remember(database, registry_id, result);
    if (result.outcome == sync::Outcome::kFailed) FailLooks(database, registry_id, result.error);
  } catch (const Error& error) {
    FailLooks(database, registry_id, error.what());
  } catch (const ExtensionGone&) {
    throw;
  } catch (const PostgresError& error) {
    if (IsBusy(error.sqlstate) || error.sqlstate == ERRCODE_QUERY_CANCELED) throw;
    FailLooks(database, registry_id, error.what());
    throw;
  } catch (const DataRefusedByPostgres& error) {
    FailLooks(database, registry_id, error.what());
    throw error.cause;
  }
}

namespace {

// Work that can wait: while other sessions hold locks, the next run does the rest.
template <typename Work>
void UnlessBusy(Work work) {
  try {
    work();
  } catch (const PostgresError& error) {
    if (!IsBusy(error.sqlstate)) throw;
  }
}

// Signatures that have ended, and those that a change of trust has left to the agent, in portions
// that are a transaction each. Until then they do not count.
void VerifyAgain(Database& database, LatchWaiter& waiter, std::int32_t registry_id) {
  UnlessBusy([&] {
    for (const char* const portion :
         {"SELECT image_library_internal.verify_ended($1::pg_catalog.int4)",
          "SELECT image_library_internal.verify_waiting($1::pg_catalog.int4)"})
      for (bool more = true; more;)
        Patiently(waiter, [&] {
          more = database.Query(portion, {std::to_string(registry_id)}).front().front() == "t";
        });
  });
}

// Imported approvals that have waited for images which are there now, in portions that are a
// transaction each.
void ApplyImports(Database& database, LatchWaiter& waiter, std::int32_t registry_id) {
  UnlessBusy([&] {
    std::optional<std::string> after;
    do {
      Patiently(waiter, [&] {
        after = database
                    .Query(
                        "SELECT image_library_internal.apply_some_imports("
                        "$1::pg_catalog.int4, $2::pg_catalog._text)",
                        {std::to_string(registry_id), after})
                    .front()
                    .front();
      });
    } while (after);
  });
}

}  // namespace

void RunSync(Database& database, std::int32_t registry_id, Runner runner, const Report& report,
             Run& run) {
  const bool is_worker = runner == Runner::kWorker;
  if (is_worker) KeepFreedMemory();
  sync::AnswerWatch watch;
  LatchWaiter waiter = is_worker ? LatchWaiter(database, watch) : LatchWaiter(database);
  std::string& number = run.number;
  sync::RunResult& result = run.result;
  Patiently(waiter, [&] {
    number = *database
                  .Query("SELECT image_library_internal.begin_run($1::pg_catalog.int4, $2)",
                         {std::to_string(registry_id), is_worker ? "schedule" : "call"})
                  .front()
                  .front();
  });
  report("beginning");
  try {
    VerifyAgain(database, waiter, registry_id);
    Patiently(waiter, [&] {
      database.Query("SELECT image_library_internal.apply_changed_rules($1::pg_catalog.int8)",
                     {number});
    });
    const sync::RegistryConfig config = LoadRegistry(database, registry_id);
    SqlStore store(database, registry_id, [&](const sync::RunReport& so_far) {
      result.statistics = so_far.statistics;
      report(so_far.ToText());
    });
    sync::RunOptions options;
    options.max_removal_percent = settings::max_removal_percent;
    options.run_timeout = settings::run_timeout;
    options.watch = &watch;
    result = sync::SyncRegistry(config, store, waiter, options);
    Patiently(waiter, [&] { Remember(database, registry_id, result); });
  } catch (const Error& error) {
    result.outcome = sync::Outcome::kFailed;
    result.error = error.what();
    result.hint = error.hint();
  } catch (const ExtensionGone&) {
    throw;
  } catch (const PostgresError& error) {
    if (!IsBusy(error.sqlstate)) {
      const bool cancelled = error.sqlstate == ERRCODE_QUERY_CANCELED;
      FinishEarly(database, run, cancelled ? sync::Outcome::kCancelled : sync::Outcome::kFailed,
                  error.what());
      throw;
    }
    result.outcome = sync::Outcome::kFailed;
    result.error = "another session holds locks on what the run has to write";
    result.hint = "Look for a transaction that stays open, in pg_stat_activity.";
  } catch (const DataRefusedByPostgres& error) {
    // Not even the problem could be stored: there is too little memory, for one.
    FinishEarly(database, run, sync::Outcome::kFailed, error.what());
    throw error.cause;
  } catch (const std::exception& error) {
    FinishEarly(database, run, sync::Outcome::kFailed, error.what());
    throw;
  }
  Patiently(waiter, [&] {
    database.Query("SELECT image_library_internal.note_registry($1::pg_catalog.int4, $2, $3)",
                   {std::to_string(registry_id), NullIfEmpty(result.token_server),
                    NullIfEmpty(result.warning)});
  });
  Patiently(waiter, [&] { Finish(database, number, result); });
  if (result.outcome == sync::Outcome::kComplete || result.outcome == sync::Outcome::kPartial)
    ApplyImports(database, waiter, registry_id);
}

}  // namespace image_library::postgres
