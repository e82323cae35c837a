// refuse_prepare: PREPARE TRANSACTION is refused where it would stop everybody else.
//
// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/pg.h"

namespace {

constinit bool is_registered = false;
constinit bool is_refused = false;

void OnTransaction(XactEvent event, void*) {
  if (event == XACT_EVENT_PRE_PREPARE && is_refused)
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot PREPARE a transaction that has changed the image library"),
             errdetail("It has the last place in the chain of decisions and audit rows: until it "
                       "ended, no other transaction could decide on an image."),
             errhint("Use COMMIT.")));
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) is_refused = false;
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_refuse_prepare);

/// refuse_prepare(): PREPARE TRANSACTION raises 0A000 in this transaction.
Datum image_library_refuse_prepare(PG_FUNCTION_ARGS) {
  if (!is_registered) RegisterXactCallback(OnTransaction, nullptr);
  is_registered = true;
  is_refused = true;
  PG_RETURN_VOID();
}
}
