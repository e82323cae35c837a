#include "postgres/datum.h"

#include <stdexcept>
#include <utility>

#include "postgres/bridge.h"

namespace image_library::postgres {

std::string TextArgument(FunctionCallInfo fcinfo, int number) {
  return NullableTextArgument(fcinfo, number).value_or(std::string());
}

std::optional<std::string> NullableTextArgument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return std::nullopt;
  const text* const value = Value([&] { return PG_GETARG_TEXT_PP(number); });
  return std::string(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

std::vector<std::string> TextArrayArgument(FunctionCallInfo fcinfo, int number) {
  std::vector<std::string> elements;
  if (PG_ARGISNULL(number)) return elements;
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  Call([&] {
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), TEXTOID, -1, false, TYPALIGN_INT, &values,
                      &nulls, &count);
    for (int i = 0; i < count; ++i) {
      CHECK_FOR_INTERRUPTS();
      if (!nulls[i]) values[i] = PointerGetDatum(DatumGetTextPP(values[i]));
    }
  });
  elements.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    if (nulls[i]) continue;
    const auto* const element = reinterpret_cast<const text*>(DatumGetPointer(values[i]));
    elements.emplace_back(VARDATA_ANY(element), VARSIZE_ANY_EXHDR(element));
  }
  return elements;
}

std::string JsonbArgument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return "null";
  const char* const json = Value([&] {
    Jsonb* const value = PG_GETARG_JSONB_P(number);
    return JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value)));
  });
  return json;
}

StringMap StringMapArgument(FunctionCallInfo fcinfo, int number) {
  StringMap map;
  if (PG_ARGISNULL(number)) return map;
  JsonbIterator* iterator = Value([&]() -> JsonbIterator* {
    Jsonb* const value = PG_GETARG_JSONB_P(number);
    return JB_ROOT_IS_OBJECT(value) ? JsonbIteratorInit(&value->root) : nullptr;
  });
  if (iterator == nullptr) return map;
  JsonbValue item;
  std::string key;
  const auto text = [&] {
    return std::string(item.val.string.val, static_cast<std::size_t>(item.val.string.len));
  };
  for (;;) {
    const JsonbIteratorToken token =
        Value([&] { return JsonbIteratorNext(&iterator, &item, true); });
    if (token == WJB_DONE) return map;
    if (token == WJB_KEY)
      key = text();
    else if (token == WJB_VALUE && item.type == jbvString)
      map.emplace(std::exchange(key, {}), text());
  }
}

Datum TextDatum(const std::string& text) {
  return Value([&] {
    return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
  });
}

Datum TextArrayDatum(const std::vector<std::string>& texts) {
  return Value([&] {
    auto* const values = static_cast<Datum*>(palloc((texts.size() + 1) * sizeof(Datum)));
    for (std::size_t i = 0; i < texts.size(); ++i)
      values[i] = PointerGetDatum(
          cstring_to_text_with_len(texts[i].data(), static_cast<int>(texts[i].size())));
    return PointerGetDatum(
        construct_array(values, static_cast<int>(texts.size()), TEXTOID, -1, false, TYPALIGN_INT));
  });
}

Datum JsonbDatum(const std::string& json) {
  return Value([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); });
}

namespace {

// Columns in the form that PostgreSQL takes: no row of ours is wider.
struct RowValues {
  static constexpr std::size_t kMaxColumns = 16;
  explicit RowValues(const std::vector<Column>& columns) {
    if (columns.size() > kMaxColumns) throw std::length_error("a row has too many columns");
    for (std::size_t i = 0; i < columns.size(); ++i) {
      values[i] = columns[i].value;
      nulls[i] = columns[i].is_null;
    }
  }
  Datum values[kMaxColumns];
  bool nulls[kMaxColumns];
};

}  // namespace

void BeginRows(FunctionCallInfo fcinfo) {
  Call([&] {
    TupleDesc columns = nullptr;
    const bool of_rows = get_call_result_type(fcinfo, nullptr, &columns) == TYPEFUNC_COMPOSITE;
    // A function with one column returns values, not rows.
    InitMaterializedSRF(fcinfo, of_rows ? 0 : MAT_SRF_USE_EXPECTED_DESC);
  });
}

void AddRow(FunctionCallInfo fcinfo, std::vector<Column> columns) {
  RowValues row(columns);
  auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  Call([&] { tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls); });
}

Datum RowDatum(FunctionCallInfo fcinfo, std::vector<Column> columns) {
  RowValues row(columns);
  return Value([&] {
    TupleDesc description = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &description) != TYPEFUNC_COMPOSITE)
      elog(ERROR, "function returning a record called where none is accepted");
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), row.values, row.nulls));
  });
}

}  // namespace image_library::postgres
