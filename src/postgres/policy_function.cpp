// Calling a policy: a user's function of an image, with the rights of its owner, for a limited
// time; what it writes is rolled back.
#include "postgres/policy_function.h"

#include "postgres/advisory_locks.h"
#include "postgres/board.h"
#include "postgres/bridge.h"
#include "postgres/settings.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
}

namespace {

using image_library::postgres::HasEndedProcess;
using image_library::postgres::NoteEndingPolicy;
using image_library::postgres::PolicyVersion;

// How often a function that catches its cancel and continues is cancelled before the session ends.
constexpr int kMostCancels = 5;

// How often the outermost policy was cancelled.
constinit volatile sig_atomic_t timed_out = 0;
constinit volatile sig_atomic_t cancelled_before = 0;

// The owner of the innermost policy that runs; InvalidOid: none does. A policy may ask for the
// policies of another image.
constinit Oid running_owner = InvalidOid;

// The outermost policy, whose clock runs or ran last.
constinit PolicyVersion clocked = {};

// Runs in the signal handler: PostgreSQL cancels the statement at its next check for interrupts.
void OnTimeout() {
  if (timed_out == 0) cancelled_before = QueryCancelPending;
  timed_out = timed_out + 1;
  QueryCancelPending = true;
  if (timed_out >= kMostCancels) ProcDiePending = true;
  InterruptPending = true;
  SetLatch(MyLatch);
}

TimeoutId PolicyTimeout() {
  static TimeoutId id = MAX_TIMEOUTS;
  if (id == MAX_TIMEOUTS) id = RegisterTimeout(USER_TIMEOUT, OnTimeout);
  return id;
}

struct Policy {
  PolicyVersion version;
  Oid owner;
};

// A function that takes such a row and returns boolean; raises for any other.
Policy ReadPolicy(Oid function, Oid row_type) {
  HeapTuple const tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", function);
  const auto* const form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  const bool is_policy = form->prokind == PROKIND_FUNCTION && form->pronargs == 1 &&
                         form->proargtypes.values[0] == row_type && form->prorettype == BOOLOID &&
                         !form->proretset;
  const Policy policy = {{MyDatabaseId, function, HeapTupleHeaderGetRawXmin(tuple->t_data)},
                         form->proowner};
  ReleaseSysCache(tuple);
  if (!is_policy)
    ereport(ERROR, (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
                    errmsg("function %u takes no image or returns no boolean", function)));
  return policy;
}

// What a policy means does not depend on who asks: a backslash in its constants, a date as text and
// the day of a time are the same for every caller. Until the subtransaction ends.
void PinSettings() {
  constexpr struct {
    const char* name;
    const char* value;
  } kPins[] = {
      {"standard_conforming_strings", "on"},
      {"transform_null_equals", "off"},
      {"array_nulls", "on"},
      {"DateStyle", "ISO, MDY"},
      {"IntervalStyle", "postgres"},
      {"TimeZone", "UTC"},
      {"bytea_output", "hex"},
      {"extra_float_digits", "1"},
      {"row_security", "on"},
      {"quote_all_identifiers", "off"},
      {"default_text_search_config", "pg_catalog.simple"},
      // Any other value leaves rows out at random.
      {"gin_fuzzy_search_limit", "0"},
      {"plpgsql.check_asserts", "on"},
  };
  for (const auto& pin : kPins)
    // The last one is there from the first function in PL/pgSQL on.
    if (GetConfigOption(pin.name, true, false) != nullptr)
      (void)set_config_option(pin.name, pin.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                              true, ERROR, false);
}

const char* Verdict(Oid function, Datum image) {
  FmgrInfo policy;
  fmgr_info(function, &policy);
  LOCAL_FCINFO(call, 1);
  // Languages keep what they have read of a function for the session, by its input collation. A
  // call by the session itself, with other settings, has none.
  InitFunctionCallInfoData(*call, &policy, 1, DEFAULT_COLLATION_OID, nullptr, nullptr);
  call->args[0].value = image;
  call->args[0].isnull = false;
  const Datum result = FunctionCallInvoke(call);
  if (call->isnull) return "it returned null";
  return DatumGetBool(result) ? nullptr : "it returned false";
}

// A cancel by the user or by statement_timeout. The same SQLSTATE raised by the policy itself is a
// failure of the policy, like any other.
bool IsCancelOfCaller(const ErrorData* error) {
  return error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->funcname != nullptr &&
         std::strcmp(error->funcname, "ProcessInterrupts") == 0 && (!timed_out || cancelled_before);
}

// Remembers a policy that ended this process by its time limit, so that it does not end others. A
// process that ends for another reason while a policy runs does not mark the policy.
void OnExit(int, Datum) {
  if (timed_out < kMostCancels) return;
  NoteEndingPolicy(clocked);
  ereport(LOG, (errmsg("policy function %u of database %u did not stop when it was canceled",
                       clocked.function, clocked.database),
                errdetail("This process ends. The function is not called again until it is "
                          "replaced.")));
}

// One time limit for a policy and everything that it calls: a nested policy has the rest of it.
void StartClock(const PolicyVersion& policy) {
  static bool watches_exit = false;
  if (!watches_exit) {
    before_shmem_exit(OnExit, 0);
    watches_exit = true;
  }
  clocked = policy;
  timed_out = 0;
  cancelled_before = 0;
  const int limit = image_library::postgres::settings::policy_timeout;
  enable_timeout_every(PolicyTimeout(), TimestampTzPlusMilliseconds(GetCurrentTimestamp(), limit),
                       limit);
}

void StopClock() {
  disable_timeout(PolicyTimeout(), false);
  // The timeout has fired and was not handled: it must not cancel what runs next.
  if (timed_out && !cancelled_before) QueryCancelPending = false;
}

// Null: the policy is met. Otherwise the reason, in the caller's memory. A subtransaction that is
// always rolled back undoes what the function has written, and restores the caller's rights.
const char* CallPolicy(Oid function, HeapTupleHeader image) {
  const Policy policy = ReadPolicy(function, HeapTupleHeaderGetTypeId(image));
  if (HasEndedProcess(policy.version))
    return "it is not called until it is replaced: it ended a process, for it did not stop when it "
           "was canceled";
  const Oid outer_owner = running_owner;
  const bool outermost = !OidIsValid(outer_owner);
  MemoryContext const memory = CurrentMemoryContext;
  ResourceOwner const resources = CurrentResourceOwner;
  const auto locks = image_library::postgres::GetAdvisoryLocks();
  const char* volatile why = nullptr;
  ErrorData* volatile error = nullptr;
  Oid caller;
  int context;
  GetUserIdAndSecContext(&caller, &context);
  BeginInternalSubTransaction(nullptr);
  MemoryContextSwitchTo(memory);
  PG_TRY();
  {
    running_owner = policy.owner;
    PinSettings();
    SetUserIdAndSecContext(policy.owner,
                           context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    if (outermost) StartClock(policy.version);
    why = Verdict(function, HeapTupleHeaderGetDatum(image));
    if (outermost) StopClock();
  }
  PG_CATCH();
  {
    if (outermost) StopClock();
    MemoryContextSwitchTo(memory);
    error = CopyErrorData();
    FlushErrorState();
  }
  PG_END_TRY();
  running_owner = outer_owner;
  RollbackAndReleaseCurrentSubTransaction();
  MemoryContextSwitchTo(memory);
  CurrentResourceOwner = resources;
  SetUserIdAndSecContext(caller, context);
  image_library::postgres::ReleaseAdvisoryLocksSince(locks);
  if (error != nullptr && IsCancelOfCaller(error)) ReThrowError(error);
  // The time of the outer policy is over: it must not continue as if only the inner one had failed.
  if (error != nullptr && !outermost && timed_out) ReThrowError(error);
  if (timed_out)
    return psprintf("it took longer than %d ms", image_library::postgres::settings::policy_timeout);
  return error != nullptr ? error->message : why;
}

}  // namespace

Oid image_library::postgres::PolicyOwner() noexcept { return running_owner; }

extern "C" {
PG_FUNCTION_INFO_V1(image_library_call_policy);

/// call_policy(function oid, image image_library.images) -> null when the policy is met, else why
/// not
Datum image_library_call_policy(PG_FUNCTION_ARGS) {
  text* why_not = nullptr;
  image_library::postgres::Guard([&] {
    image_library::postgres::Call([&] {
      const char* const why = CallPolicy(PG_GETARG_OID(0), PG_GETARG_HEAPTUPLEHEADER(1));
      if (why != nullptr) why_not = cstring_to_text(why);
    });
  });
  if (why_not == nullptr) PG_RETURN_NULL();
  PG_RETURN_TEXT_P(why_not);
}
}
