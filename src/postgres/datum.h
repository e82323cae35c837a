// SQL values to C++ values and back, for the functions that SQL calls.
#ifndef IMAGE_LIBRARY_POSTGRES_DATUM_H_
#define IMAGE_LIBRARY_POSTGRES_DATUM_H_

#include "postgres/pg.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace image_library::postgres {

/// An argument of type text; empty when it is null.
std::string TextArgument(FunctionCallInfo fcinfo, int number);
/// An argument of type text; nothing when it is null.
std::optional<std::string> NullableTextArgument(FunctionCallInfo fcinfo, int number);
/// The elements of an argument of type text[] that are not null.
std::vector<std::string> TextArrayArgument(FunctionCallInfo fcinfo, int number);
/// An argument of type jsonb as its text; `null` when it is SQL null.
std::string JsonbArgument(FunctionCallInfo fcinfo, int number);

/// The members of an argument of type jsonb that are texts; none when it is null or no object.
StringMap StringMapArgument(FunctionCallInfo fcinfo, int number);

Datum TextDatum(const std::string& text);
Datum TextArrayDatum(const std::vector<std::string>& texts);
Datum JsonbDatum(const std::string& json);

/// One column of a result row: null, text, integer or boolean.
struct Column {
  static Column Null() { return {true, 0}; }
  static Column Text(const std::string& text) { return {false, TextDatum(text)}; }
  /// Null for an empty text.
  static Column TextOrNull(const std::string& text) { return text.empty() ? Null() : Text(text); }
  static Column Integer(std::int64_t value) { return {false, Int64GetDatum(value)}; }
  static Column Integer4(std::int32_t value) { return {false, Int32GetDatum(value)}; }
  static Column Boolean(bool value) { return {false, BoolGetDatum(value)}; }
  bool is_null;
  Datum value;
};

/// Begins a set-returning function's result; AddRow adds to it.
void BeginRows(FunctionCallInfo fcinfo);
void AddRow(FunctionCallInfo fcinfo, std::vector<Column> columns);

/// The single row of a function with OUT parameters.
Datum RowDatum(FunctionCallInfo fcinfo, std::vector<Column> columns);

}  // namespace image_library::postgres

#endif
