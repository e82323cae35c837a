// text_keys and short_keys: what a search has an index on.
//
// Only plain C data in this file, since an ereport may leave any line.
#include <algorithm>

#include "postgres/pg.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace {

/// Neighbouring bytes as a number; ASCII letters in lower case, as lower() of collation C.
int32 Key(const unsigned char* bytes, int count) {
  int32 key = 0;
  for (int i = 0; i < count; ++i)
    key = key << 8 | (bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] + ('a' - 'A') : bytes[i]);
  return key;
}

/// The known keys and those of `from` to `to` neighbouring bytes in the texts, sorted. A text has
/// no zero byte, so that keys of fewer bytes are smaller numbers than those of more.
Datum Keys(FunctionCallInfo fcinfo, int from, int to) {
  ArrayType* const known = PG_GETARG_ARRAYTYPE_P(0);
  ArrayType* const texts = PG_GETARG_ARRAYTYPE_P(1);
  if (ARR_HASNULL(known))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("known must not have nulls")));
  const int known_count = ArrayGetNItems(ARR_NDIM(known), ARR_DIMS(known));
  Datum* values;
  bool* nulls;
  int count;
  deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
  Size size = known_count;
  for (int i = 0; i < count; ++i) {
    if (nulls[i]) continue;
    values[i] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(values[i]));
    size += VARSIZE_ANY_EXHDR(DatumGetPointer(values[i])) * static_cast<Size>(to - from + 1);
  }
  int32* const keys = static_cast<int32*>(palloc(std::max<Size>(size, 1) * sizeof(int32)));
  int32* end = std::copy_n(reinterpret_cast<int32*>(ARR_DATA_PTR(known)), known_count, keys);
  for (int i = 0; i < count; ++i) {
    if (nulls[i]) continue;
    const auto* const bytes =
        reinterpret_cast<unsigned char*>(VARDATA_ANY(DatumGetPointer(values[i])));
    const int length = VARSIZE_ANY_EXHDR(DatumGetPointer(values[i]));
    for (int bytes_in_key = from; bytes_in_key <= to; ++bytes_in_key)
      for (int at = 0; at + bytes_in_key <= length; ++at) *end++ = Key(bytes + at, bytes_in_key);
  }
  std::sort(keys, end);
  end = std::unique(keys, end);
  const int distinct = static_cast<int>(end - keys);
  Datum* const elements = static_cast<Datum*>(palloc(std::max(distinct, 1) * sizeof(Datum)));
  for (int i = 0; i < distinct; ++i) elements[i] = Int32GetDatum(keys[i]);
  PG_RETURN_ARRAYTYPE_P(
      construct_array(elements, distinct, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(image_library_text_keys);
PG_FUNCTION_INFO_V1(image_library_short_keys);

/// text_keys(known integer[], texts text[]) -> integer[]: known and the keys of all three
/// neighbouring bytes in the texts, sorted. A text contains another one only if it has all its
/// keys.
Datum image_library_text_keys(PG_FUNCTION_ARGS) { return Keys(fcinfo, 3, 3); }

/// short_keys(known integer[], texts text[]) -> integer[]: known and the keys of all single and
/// all two neighbouring bytes in the texts, sorted: for words that have no three bytes.
Datum image_library_short_keys(PG_FUNCTION_ARGS) { return Keys(fcinfo, 1, 2); }
}
