#include "postgres/database.h"

#include "postgres/acting_role.h"
#include "postgres/datum.h"
#include "postgres/extension.h"

namespace image_library::postgres {
namespace {

constexpr int kLockTimeoutMs = 1000;

// Until the end of the transaction; a shorter lock_timeout of the session is kept.
void LimitLockWaits() {
  if (LockTimeout > 0 && LockTimeout <= kLockTimeoutMs) return;
  (void)set_config_option("lock_timeout", "1s", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true,
                          0, false);
}

// The agent's role sees what policies of row level security let it see. With row_security = off,
// which a session may set, its statements would be errors. Until AtEOXact_GUC ends the level.
int PinRowSecurity() {
  const int level = NewGUCNestLevel();
  (void)set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                          0, false);
  return level;
}

}  // namespace

bool IsBusy(int sqlstate) noexcept {
  return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

bool IsOfData(int sqlstate) noexcept {
  const int category = ERRCODE_TO_CATEGORY(sqlstate);
  return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
         category == ERRCODE_PROGRAM_LIMIT_EXCEEDED || sqlstate == ERRCODE_OUT_OF_MEMORY;
}

Database::~Database() {
  for (const auto& [statement, plan] : plans_) SPI_freeplan(plan);
}

// The lock that DROP EXTENSION takes first, in exclusive mode. A session that holds it sees the
// whole extension, and its tables cannot be locked in another order. So does an upgrade script.
void Database::Begin() {
  const bool worker = mode_ == TransactionMode::kWorker;
  InstalledExtension found = {};
  if (!worker) Call(&RequireKnownCaller);
  try {
    Call([&] {
      if (worker) {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
      }
      if (SPI_connect_ext(mode_ == TransactionMode::kProcedure ? SPI_OPT_NONATOMIC : 0) !=
          SPI_OK_CONNECT)
        elog(ERROR, "could not connect to the server programming interface");
      connected_ = true;
      if (!worker) {
        // A subtransaction, so that the caller's transaction can continue after an error.
        caller_memory_ = CurrentMemoryContext;
        caller_owner_ = CurrentResourceOwner;
        BeginInternalSubTransaction(nullptr);
        in_subtransaction_ = true;
        MemoryContextSwitchTo(caller_memory_);
      }
      if (mode_ != TransactionMode::kFunction) LimitLockWaits();
      if (!worker) guc_level_ = PinRowSecurity();
      found = FindExtension();
      if (OidIsValid(found.oid)) {
        LockDatabaseObject(ExtensionRelationId, found.oid, 0, AccessShareLock);
        found = FindExtension();
      }
    });
    if (!OidIsValid(extension_)) extension_ = found.oid;
    if (!OidIsValid(found.oid) || found.oid != extension_) throw ExtensionGone();
    if (!FitsModule(found))
      throw PostgresError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, VersionsDiffer(found), {},
                          VersionsDifferHint(found));
    Call([&] {
      PushActiveSnapshot(GetTransactionSnapshot());
      GetUserIdAndSecContext(&caller_, &caller_context_);
      SetUserIdAndSecContext(
          get_role_oid("image_library_agent", false),
          caller_context_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    });
    open_ = true;
  } catch (...) {
    Abort();
    throw;
  }
}

// Deferred triggers are not possible in a security-restricted operation: see audit/chain.sql.
void Database::ChainDecisions() {
  if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
    Execute("SELECT image_library_internal.chain_decisions()");
}

void Database::Commit() {
  open_ = false;
  Call([&] {
    SetUserIdAndSecContext(caller_, caller_context_);
    PopActiveSnapshot();
    if (mode_ == TransactionMode::kWorker) {
      SPI_finish();
      connected_ = false;
      CommitTransactionCommand();
      pgstat_report_stat(true);
    } else {
      AtEOXact_GUC(true, guc_level_);
      ReleaseCurrentSubTransaction();
      in_subtransaction_ = false;
      MemoryContextSwitchTo(caller_memory_);
      CurrentResourceOwner = caller_owner_;
      if (mode_ == TransactionMode::kProcedure) SPI_commit();
      SPI_finish();
      connected_ = false;
    }
  });
}

// Not through Call: PostgreSQL turns an error during an abort into a FATAL by itself.
void Database::Abort() noexcept {
  open_ = false;
  if (mode_ == TransactionMode::kWorker) {
    AbortCurrentTransaction();
  } else {
    if (in_subtransaction_) RollbackAndReleaseCurrentSubTransaction();
    in_subtransaction_ = false;
    if (connected_) {
      MemoryContextSwitchTo(caller_memory_);
      CurrentResourceOwner = caller_owner_;
      // Otherwise its locks would be held while the next batch is read.
      if (mode_ == TransactionMode::kProcedure) EndProcedureTransaction();
      SPI_finish();
    }
  }
  connected_ = false;
}

void Database::EndProcedureTransaction() noexcept {
  try {
    Call([] { SPI_rollback(); });
  } catch (const std::exception&) {
    // The transaction is left as it is; the next Begin raises an error.
  }
}

SPIPlanPtr Database::Plan(const char* statement, const Oid* types, int count) {
  const auto found = plans_.find(statement);
  if (found != plans_.end()) return found->second;
  SPIPlanPtr const plan = Value([&] {
    SPIPlanPtr prepared = SPI_prepare(statement, count, const_cast<Oid*>(types));
    if (prepared == nullptr)
      elog(ERROR, "could not prepare: %s", SPI_result_code_string(SPI_result));
    SPI_keepplan(prepared);
    return prepared;
  });
  plans_.emplace(statement, plan);
  return plan;
}

Rows Database::Execute(const char* statement, const Row& parameters,
                       const std::vector<TypedDatum>& typed) {
  Oid types[16];
  Datum values[16];
  char nulls[16];
  std::size_t count = 0;
  for (const std::optional<std::string>& parameter : parameters) {
    // PostgreSQL would store it as it is, and nobody could restore a dump with it.
    if (parameter)
      Call([&] {
        (void)pg_verifymbstr(parameter->data(), static_cast<int>(parameter->size()), false);
      });
    types[count] = TEXTOID;
    nulls[count] = parameter ? ' ' : 'n';
    values[count++] = parameter ? TextDatum(*parameter) : 0;
  }
  for (const TypedDatum& parameter : typed) {
    types[count] = parameter.type;
    nulls[count] = ' ';
    values[count++] = parameter.value;
  }
  SPIPlanPtr const plan = Plan(statement, types, static_cast<int>(count));
  Call([&] {
    const int code = SPI_execute_plan(plan, values, nulls, false, 0);
    if (code < 0) elog(ERROR, "could not execute: %s", SPI_result_code_string(code));
  });
  Rows rows;
  if (SPI_tuptable == nullptr) return rows;
  const int columns = SPI_tuptable->tupdesc->natts;
  for (std::uint64_t i = 0; i < SPI_processed; ++i) {
    Row row;
    for (int column = 1; column <= columns; ++column) {
      const char* const text =
          Value([&] { return SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column); });
      row.push_back(text == nullptr ? std::nullopt : std::optional<std::string>(text));
    }
    rows.push_back(std::move(row));
  }
  Call([&] { SPI_freetuptable(SPI_tuptable); });
  return rows;
}

Rows Database::Query(const char* statement, const Row& parameters) {
  Rows rows;
  Transaction([&] { rows = Execute(statement, parameters); });
  return rows;
}

bool Database::ExtensionIsThere() {
  Oid found = InvalidOid;
  Call([&] {
    if (mode_ == TransactionMode::kWorker) StartTransactionCommand();
    found = get_extension_oid("image_library", true);
    if (mode_ == TransactionMode::kWorker)
      CommitTransactionCommand();
    else
      InvalidateCatalogSnapshot();  // or it would hold back vacuum while the network is waited for
  });
  return OidIsValid(found) && (!OidIsValid(extension_) || found == extension_);
}

}  // namespace image_library::postgres
