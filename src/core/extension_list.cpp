#include "core/extension_list.h"

#include <set>

#include "core/base64.h"
#include "core/strings.h"
#include "core/text.h"

namespace image_library {
namespace {

constexpr std::size_t kMaxExtensions = 5000;
constexpr std::size_t kMaxNameLength = 255;
constexpr std::size_t kMaxDescriptionLength = 4096;

using Row = std::vector<std::string>;

/// The rows of a CSV text (RFC 4180, line ends LF or CRLF); empty lines are no rows.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}

  /// False at a stray quote or at an unclosed one.
  bool Read(std::vector<Row>* rows) {
    while (position_ < text_.size()) {
      Row row;
      if (!ReadRow(&row)) return false;
      if (row.size() > 1 || !Trim(row[0]).empty()) rows->push_back(std::move(row));
    }
    return true;
  }

 private:
  bool AtEnd() const { return position_ == text_.size(); }

  bool AtLineEnd() const {
    return AtEnd() || text_[position_] == '\n' || text_.substr(position_).starts_with("\r\n");
  }

  bool ReadRow(Row* row) {
    for (;;) {
      std::string field;
      if (!ReadField(&field)) return false;
      row->push_back(std::move(field));
      if (AtLineEnd()) break;
      ++position_;  // the comma
    }
    if (!AtEnd()) position_ += text_[position_] == '\r' ? 2 : 1;
    return true;
  }

  bool ReadField(std::string* field) {
    if (AtEnd() || text_[position_] != '"') {
      while (!AtLineEnd() && text_[position_] != ',') {
        if (text_[position_] == '"') return false;
        *field += text_[position_++];
      }
      return true;
    }
    for (++position_; !AtEnd(); ++position_) {
      if (text_[position_] != '"') {
        *field += text_[position_];
      } else if (text_.substr(position_ + 1).starts_with('"')) {
        *field += text_[++position_];
      } else {
        ++position_;
        return AtLineEnd() || text_[position_] == ',';
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

/// Where the columns are; a list without a header has them in the documented order.
struct Columns {
  std::size_t name = 0, version = 1, description = 2;
};

/// True when row is a header, which may have the columns in any order.
bool ReadHeader(const Row& row, Columns* columns) {
  constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);
  Columns found{kAbsent, kAbsent, kAbsent};
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string title = Lower(Trim(row[i]));
    if (title == "name") found.name = i;
    if (title == "version") found.version = i;
    if (title == "description") found.description = i;
  }
  if (found.name == kAbsent || found.version == kAbsent) return false;
  *columns = found;
  return true;
}

std::string Field(const Row& row, std::size_t column, std::size_t max_bytes) {
  if (column >= row.size()) return {};
  const std::string text = Scrub(Trim(row[column]), max_bytes);
  return std::string(Trim(text));  // where it is cut, it may end in white space
}

}  // namespace

bool ParseExtensionList(std::string_view base64_csv, std::vector<Extension>* out) {
  out->clear();
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string decoded;
  if (!DecodeBase64(Trim(base64_csv), &decoded) || !IsUtf8(decoded) ||
      decoded.find('\0') != std::string::npos) {
    return false;
  }
  std::string_view text = decoded;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Row> rows;
  if (!CsvReader(text).Read(&rows) || rows.size() > kMaxExtensions) return false;

  Columns columns;
  const bool header = !rows.empty() && ReadHeader(rows.front(), &columns);
  const std::size_t most = header ? rows.front().size() : 3;
  std::vector<Extension> extensions;
  std::set<std::string> names;
  for (std::size_t i = header ? 1 : 0; i < rows.size(); ++i) {
    Extension extension{Field(rows[i], columns.name, kMaxNameLength),
                        Field(rows[i], columns.version, kMaxNameLength),
                        Field(rows[i], columns.description, kMaxDescriptionLength)};
    if (rows[i].size() < 2 || rows[i].size() > most || extension.name.empty()) return false;
    if (names.insert(extension.name).second) extensions.push_back(std::move(extension));
  }
  *out = std::move(extensions);
  return true;
}

}  // namespace image_library
