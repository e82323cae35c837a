#include "postgres/statement_hooks.h"

#include "postgres/pg.h"

extern "C" {
#include "executor/executor.h"
#include "parser/analyze.h"
#include "tcop/utility.h"
}

#include "core/secret_text.h"
#include "postgres/secret_statement.h"

namespace image_library::postgres {
namespace {

constinit post_parse_analyze_hook_type previous_analyze = nullptr;
constinit ExecutorStart_hook_type previous_start = nullptr;
constinit ExecutorRun_hook_type previous_run = nullptr;
constinit ExecutorFinish_hook_type previous_finish = nullptr;
constinit ProcessUtility_hook_type previous_utility = nullptr;

void OnAnalyze(ParseState* state, Query* query, JumbleState* jumble) {
  // pg_stat_statements replaces constants in the text, and needs the original text for that.
  if (previous_analyze != nullptr) previous_analyze(state, query, jumble);
  if (!CallsSecretFunction(query)) return;
  if (state->p_sourcetext != nullptr) RememberSecretText(state->p_sourcetext);
  HideRunningStatement();
}

void OnStart(QueryDesc* query, int flags) {
  if (IsKnownSecretText(query->sourceText)) HideRunningStatement();
  if (previous_start != nullptr)
    previous_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
}

// Runs a step of a query as the innermost statement. Nothing here has a destructor, so errors may
// pass.
template <typename Step>
void AsInnermost(RunningStatement* running, Step step) {
  running->outer = innermost_statement;
  RunningStatement* const outer = innermost_statement;
  innermost_statement = running;
  PG_TRY();
  { step(); }
  PG_FINALLY();
  { innermost_statement = outer; }
  PG_END_TRY();
}

void OnRun(QueryDesc* query, ScanDirection direction, uint64 count IMAGE_LIBRARY_ONCE) {
  RunningStatement running{nullptr, query, nullptr, -1};
  AsInnermost(&running, [&] {
    if (IsKnownSecretText(query->sourceText)) HideRunningStatement();
    if (previous_run != nullptr)
      previous_run(query, direction, count IMAGE_LIBRARY_PASS_ONCE);
    else
      standard_ExecutorRun(query, direction, count IMAGE_LIBRARY_PASS_ONCE);
  });
}

void OnFinish(QueryDesc* query) {
  RunningStatement running{nullptr, query, nullptr, -1};
  AsInnermost(&running, [&] {
    if (previous_finish != nullptr)
      previous_finish(query);
    else
      standard_ExecutorFinish(query);
  });
}

// Statements that may run others, which neither their tree nor their text shows.
bool RunsOthers(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_DoStmt:
    case T_CallStmt:
    case T_ExplainStmt:
    case T_CreateTableAsStmt:
    case T_RefreshMatViewStmt:
    case T_DeclareCursorStmt:
    case T_ExecuteStmt:
    case T_PrepareStmt:
      return true;
    case T_CopyStmt:
      return reinterpret_cast<const CopyStmt*>(statement)->query != nullptr ||
             reinterpret_cast<const CopyStmt*>(statement)->is_from;
    default:
      return false;
  }
}

// If the text has several statements, the part of the one that runs.
std::string_view OwnText(const PlannedStmt* statement, const char* text) {
  std::string_view own(text);
  if (statement->stmt_location < 0) return own;
  own.remove_prefix(Min(own.size(), static_cast<std::size_t>(statement->stmt_location)));
  if (statement->stmt_len <= 0) return own;
  return own.substr(0, static_cast<std::size_t>(statement->stmt_len));
}

// The extension's own scripts have no secrets, but the names of the functions that take them. An
// error in one is shown in full.
bool IsOwnScript() {
  return creating_extension && CurrentExtensionObject == get_extension_oid("image_library", true);
}

void OnUtility(PlannedStmt* statement, const char* text, bool read_only_tree,
               ProcessUtilityContext context, ParamListInfo parameters,
               QueryEnvironment* environment, DestReceiver* destination,
               QueryCompletion* completion) {
  const bool secret =
      (IsKnownSecretText(text) || MayHoldSecret(OwnText(statement, text))) && !IsOwnScript();
  RunningStatement running{nullptr, nullptr, nullptr, statement->stmt_location};
  if (secret || RunsOthers(statement->utilityStmt))
    text = running.text = CopyToBlank(CurrentMemoryContext, text, running.location);
  AsInnermost(&running, [&] {
    if (secret) HideRunningStatement();
    if (previous_utility != nullptr)
      previous_utility(statement, text, read_only_tree, context, parameters, environment,
                       destination, completion);
    else
      standard_ProcessUtility(statement, text, read_only_tree, context, parameters, environment,
                              destination, completion);
  });
}

void WarnOfOrder() {
  if (!process_shared_preload_libraries_in_progress) return;
  const char* const ours = std::strstr(shared_preload_libraries_string, "image_library");
  if (ours == nullptr || std::strstr(ours, "pg_stat_statements") == nullptr) return;
  ereport(WARNING,
          (errmsg("pg_stat_statements is loaded after image_library"),
           errdetail("It keeps the texts of DO blocks and other utility statements that set a "
                     "credential."),
           errhint("Name image_library last in shared_preload_libraries.")));
}

}  // namespace

void WatchStatements() {
  WarnOfOrder();
  previous_analyze = post_parse_analyze_hook;
  post_parse_analyze_hook = OnAnalyze;
  previous_start = ExecutorStart_hook;
  ExecutorStart_hook = OnStart;
  previous_run = ExecutorRun_hook;
  ExecutorRun_hook = OnRun;
  previous_finish = ExecutorFinish_hook;
  ExecutorFinish_hook = OnFinish;
  previous_utility = ProcessUtility_hook;
  ProcessUtility_hook = OnUtility;
}

}  // namespace image_library::postgres
