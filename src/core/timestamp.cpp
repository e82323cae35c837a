#include "core/timestamp.h"

#include <chrono>
#include <cstdio>

#include "core/strings.h"

namespace image_library {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kDay = 24 * 60 * 60;

// Takes as many digits from the front of the text; -1 when there are others.
int TakeNumber(std::string_view* text, std::size_t digits) {
  if (text->size() < digits || !IsDigits(text->substr(0, digits))) return -1;
  int number = 0;
  for (const char c : text->substr(0, digits)) number = number * 10 + (c - '0');
  text->remove_prefix(digits);
  return number;
}

bool Take(std::string_view* text, std::string_view any) {
  if (text->empty() || any.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

// The fraction of a second with its dot, empty when there is none; nothing for a dot alone.
std::optional<std::string_view> TakeFraction(std::string_view* text) {
  if (!text->starts_with('.')) return std::string_view();
  std::size_t end = 1;
  while (end < text->size() && IsDigit((*text)[end])) ++end;
  if (end == 1) return std::nullopt;
  const std::string_view fraction = text->substr(0, end);
  text->remove_prefix(end);
  return fraction;
}

// Seconds east of UTC, which the whole text must be.
std::optional<int> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  const bool west = text.starts_with('-');
  if (!Take(&text, "+-")) return std::nullopt;
  const int hours = TakeNumber(&text, 2);
  if (!Take(&text, ":")) return std::nullopt;
  const int minutes = TakeNumber(&text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty()) return std::nullopt;
  return (west ? -1 : 1) * (hours * 60 + minutes) * 60;
}

}  // namespace

std::optional<Timestamp> ParseTimestamp(std::string_view rfc3339) {
  std::string_view text = rfc3339;
  const int year = TakeNumber(&text, 4);
  if (!Take(&text, "-")) return std::nullopt;
  const int month = TakeNumber(&text, 2);
  if (!Take(&text, "-")) return std::nullopt;
  const int day = TakeNumber(&text, 2);
  if (!Take(&text, "Tt ")) return std::nullopt;
  const int hour = TakeNumber(&text, 2);
  if (!Take(&text, ":")) return std::nullopt;
  const int minute = TakeNumber(&text, 2);
  if (!Take(&text, ":")) return std::nullopt;
  const int second = TakeNumber(&text, 2);
  const std::optional<std::string_view> fraction = TakeFraction(&text);
  const std::optional<int> offset = ParseOffset(text);
  const std::optional<std::int64_t> local = UnixTime(year, month, day, hour, minute, second);
  if (!fraction || !offset || !local) return std::nullopt;
  return Timestamp{*local - *offset, *fraction};
}

std::optional<std::int64_t> UnixTime(int year, int month, int day, int hour, int minute,
                                     int second) {
  const auto in = [](int value, int most) { return value >= 0 && value <= most; };
  if (year < 0 || !in(month, 12) || !in(day, 31) || !in(hour, 23) || !in(minute, 59) ||
      !in(second, 60))
    return std::nullopt;
  const year_month_day date{std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return ((sys_days(date).time_since_epoch().count() * std::int64_t{24} + hour) * 60 + minute) *
             60 +
         second;
}

std::string FormatUnixTime(std::int64_t seconds) {
  std::int64_t day = seconds / kDay, rest = seconds % kDay;
  if (rest < 0) --day, rest += kDay;
  const year_month_day date{sys_days(days(day))};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(rest / 3600), static_cast<int>(rest / 60 % 60),
                static_cast<int>(rest % 60));
  return text;
}

std::string NormalizeTimestamp(std::string_view rfc3339) {
  constexpr std::int64_t k1971 = 365 * kDay, k10000 = 2'932'897 * kDay;
  constexpr std::size_t kMicroseconds = sizeof(".ffffff") - 1;  // what timestamptz keeps
  const std::optional<Timestamp> time = ParseTimestamp(rfc3339);
  if (!time || time->seconds < k1971 || time->seconds >= k10000) return {};
  return FormatUnixTime(time->seconds) + std::string(time->fraction.substr(0, kMicroseconds)) +
         "+00";
}

}  // namespace image_library
