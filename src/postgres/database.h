// SQL from C++: short transactions as the agent's role, prepared statements, text in and out.
#ifndef IMAGE_LIBRARY_POSTGRES_DATABASE_H_
#define IMAGE_LIBRARY_POSTGRES_DATABASE_H_

#include "postgres/pg.h"

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "postgres/bridge.h"

namespace image_library::postgres {

/// The extension was dropped, or created again, while code of it was running.
class ExtensionGone : public std::runtime_error {
 public:
  ExtensionGone() : std::runtime_error("extension \"image_library\" was dropped") {}
};

/// How transactions begin and end: a worker begins its own, a procedure commits that of its caller,
/// a function is part of its caller's.
enum class TransactionMode { kWorker, kProcedure, kFunction };

/// True for an error which tells that other sessions hold locks, so that another try may succeed.
bool IsBusy(int sqlstate) noexcept;

/// True for an error that the data to be written caused.
bool IsOfData(int sqlstate) noexcept;

using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

/// A parameter that is not text.
struct TypedDatum {
  Oid type;
  Datum value;
};

/// The current database. One transaction at a time; none is open between calls of Transaction.
class Database {
 public:
  explicit Database(TransactionMode mode) : mode_(mode) {}
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs work in a transaction, as role image_library_agent in a security-restricted operation,
  /// and commits. An exception aborts the transaction and is thrown to the caller, who may begin
  /// another one. A worker and a procedure wait at most a second for a lock (PostgresError 55P03,
  /// see IsBusy), so that other sessions do not queue behind them. Throws ExtensionGone when the
  /// extension is not the one that the first transaction saw, PostgresError 55000 when its SQL
  /// objects are of another version than the module.
  template <typename Work>
  void Transaction(Work&& work) {
    Begin();
    try {
      work();
      ChainDecisions();
      Commit();  // may want memory that is not there
    } catch (...) {
      Abort();
      throw;
    }
  }

  /// One statement inside Transaction. The first parameters are of type text: the statement casts
  /// them, with qualified type names; those in `typed` follow. Results come as text, nothing for
  /// null. The statement must be a literal: its address is the key of the plan cache.
  Rows Execute(const char* statement, const Row& parameters = {},
               const std::vector<TypedDatum>& typed = {});

  /// A transaction of one statement.
  Rows Query(const char* statement, const Row& parameters = {});

  /// True inside Transaction, of any Database.
  static bool IsOpen() noexcept { return open_; }

  /// False once the extension is gone. A transaction of its own in a worker.
  bool ExtensionIsThere();

 private:
  void Begin();
  void Commit();
  void Abort() noexcept;
  void ChainDecisions();
  void EndProcedureTransaction() noexcept;
  SPIPlanPtr Plan(const char* statement, const Oid* types, int count);

  static inline constinit bool open_ = false;

  TransactionMode mode_;
  Oid extension_ = InvalidOid;
  Oid caller_ = InvalidOid;
  int caller_context_ = 0;
  int guc_level_ = 0;
  bool connected_ = false;
  bool in_subtransaction_ = false;
  MemoryContext caller_memory_ = nullptr;
  ResourceOwner caller_owner_ = nullptr;
  std::map<const void*, SPIPlanPtr> plans_;
};

}  // namespace image_library::postgres

#endif
