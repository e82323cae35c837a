// distance: how much two names differ, for errors that tell what was probably meant.
//
// Only plain C data in this file, since an ereport may leave any line.
#include "postgres/pg.h"

extern "C" {
#include "utils/varlena.h"
}

extern "C" {
PG_FUNCTION_INFO_V1(image_library_distance);

/// distance(a text, b text, at_most integer) -> integer: Levenshtein distance; larger than at_most
/// if it is more.
Datum image_library_distance(PG_FUNCTION_ARGS) {
  text* const a = PG_GETARG_TEXT_PP(0);
  text* const b = PG_GETARG_TEXT_PP(1);
  // Names are short: a tag has 128 characters, a repository with its host some hundreds.
  PG_RETURN_INT32(varstr_levenshtein_less_equal(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
                                                VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b), 1, 1, 1,
                                                PG_GETARG_INT32(2), true));
}
}
