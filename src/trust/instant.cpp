#include "trust/instant.h"

#include <chrono>
#include <cstdio>
#include <ctime>

#include "core/strings.h"

namespace image_library::trust {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

std::optional<std::int64_t> Instant(int year, int month, int day, int hour, int minute,
                                    int second) {
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  const std::int64_t day_count = sys_days(date).time_since_epoch().count();
  return ((day_count * 24 + hour) * 60 + minute) * 60 + second;
}

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

}  // namespace

std::optional<std::int64_t> ParseInstant(std::string_view text) {
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
  if (year < 0 || month < 0 || day < 0) return std::nullopt;
  auto instant = Instant(year, month, day, hour, minute, second);
  if (!instant) return std::nullopt;
  if (Take(&text, ".")) {
    if (text.empty() || !IsDigit(text.front())) return std::nullopt;
    while (!text.empty() && IsDigit(text.front())) text.remove_prefix(1);
  }
  if (Take(&text, "Zz")) return text.empty() ? instant : std::nullopt;
  const bool west = !text.empty() && text.front() == '-';
  if (!Take(&text, "+-")) return std::nullopt;
  const int hours = TakeNumber(&text, 2);
  if (!Take(&text, ":")) return std::nullopt;
  const int minutes = TakeNumber(&text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty()) return std::nullopt;
  const int offset = (hours * 60 + minutes) * 60;
  return *instant + (west ? offset : -offset);
}

std::optional<std::int64_t> InstantOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return Instant(parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                 parts.tm_sec);
}

std::string ShownInstant(std::int64_t instant) {
  constexpr std::int64_t kDay = 24 * 60 * 60;
  std::int64_t day = instant / kDay, rest = instant % kDay;
  if (rest < 0) --day, rest += kDay;
  // Beyond them a year has more digits than chrono's.
  if (day < -365 * 1000 || day > 365 * 8000) return std::to_string(instant);
  const std::chrono::year_month_day date{sys_days(days(day))};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d UTC",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return text;
}

}  // namespace image_library::trust
