#include "core/version.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "core/error.h"
#include "core/version_range.h"

namespace image_library {
namespace {

struct TagCase {
  const char* tag;
  const char* text;
  const char* build;
  const char* variant;
  const char* os;
};

TEST(VersionTest, ReadsTagGrammars) {
  const TagCase cases[] = {
      // EDB
      {"17.4-2503191025", "17.4", "202503191025", "", ""},
      {"17.4-2503191025-full", "17.4", "202503191025", "full", ""},
      {"18.3-2605132051", "18.3", "202605132051", "", ""},
      {"16.2.0-5.4.1-1", "16.2.0", "", "5.4.1-1", ""},
      // CloudNativePG
      {"18.6-202608170814-minimal-trixie", "18.6", "202608170814", "minimal", "trixie"},
      {"18-minimal-trixie", "18", "", "minimal", "trixie"},
      {"18-standard-bookworm", "18", "", "standard", "bookworm"},
      {"18beta1-202505191011-system-bookworm", "18beta1", "202505191011", "system", "bookworm"},
      {"16.4-3-bullseye", "16.4", "", "", "bullseye"},
      {"0.8.6-202608201414-18-trixie", "0.8.6", "202608201414", "18", "trixie"},
      // semantic and PostgreSQL versions
      {"v1.8.5", "1.8.5", "", "", ""},
      {"V2.0", "2.0", "", "", ""},
      {"1.0.0-rc.2", "1.0.0-rc.2", "", "", ""},
      {"1.0.0-beta-alpine3.20", "1.0.0-beta", "", "", "alpine3.20"},
      {"18beta1", "18beta1", "", "", ""},
      {"18rc1", "18rc1", "", "", ""},
      {"18~beta1", "18beta1", "", "", ""},
      {"2025.08", "2025.8", "", "", ""},
      {"2025.8", "2025.8", "", "", ""},
      // operating systems
      {"17.4-ubi8", "17.4", "", "", "ubi8"},
      {"17.4-ubi9-minimal", "17.4", "", "minimal", "ubi9"},
      {"17-alpine3.20", "17", "", "", "alpine3.20"},
      {"17-alpine", "17", "", "", "alpine"},
      {"17-jammy", "17", "", "", "jammy"},
      {"17-noble", "17", "", "", "noble"},
      {"17.4.0-debian-12-r3", "17.4.0", "", "", "debian-12"},
      {"trixie-slim", "", "", "slim", "trixie"},
      // numbers that would be read as stamps where they are written
      {"v2503191025", "", "", "v2503191025", ""},
      {"02503191025-trixie", "", "", "02503191025", "trixie"},
      {"v2503191025beta1", "2503191025beta1", "", "", ""},
      {"v2503191025rc.2", "", "", "v2503191025rc.2", ""},
      {"v2503191025-rc.2", "", "", "v2503191025-rc.2", ""},
      // stamps that are no times
      {"17.4-2502301025", "17.4", "", "2502301025", ""},
      {"17.4-2513011025", "17.4", "", "2513011025", ""},
      {"17.4-2503192560", "17.4", "", "2503192560", ""},
      {"17.4-202402291200", "17.4", "202402291200", "", ""},
      {"17.4-202302291200", "17.4", "", "202302291200", ""},
      {"17.4-20250319102530", "17.4", "202503191025", "", ""},
      {"17.4-20250319102575", "17.4", "", "20250319102575", ""},
      {"17.4-250319", "17.4", "", "250319", ""},
      {"202503191025", "", "202503191025", "", ""},
      // no versions
      {"latest", "", "", "latest", ""},
      {"8b", "", "", "8b", ""},
      {"70b-instruct-q4_0", "", "", "70b-instruct-q4_0", ""},
      {"0a1b2c3d4e5f", "", "", "0a1b2c3d4e5f", ""},
      {"sha256-0000", "", "", "sha256-0000", ""},
      {"1234567890123456789012345", "", "", "1234567890123456789012345", ""},
      {"17.", "", "", "17.", ""},
      {"", "", "", "", ""},
  };
  for (const TagCase& c : cases) {
    const TagVersion version = ParseTagVersion(c.tag);
    EXPECT_EQ(version.Text(), c.text) << c.tag;
    EXPECT_EQ(version.build, c.build) << c.tag;
    EXPECT_EQ(version.variant, c.variant) << c.tag;
    EXPECT_EQ(version.os, c.os) << c.tag;
  }
}

TEST(VersionTest, RevisionsAreNoVariants) {
  EXPECT_EQ(ParseTagVersion("16.2-7").revision, "7");
  EXPECT_EQ(ParseTagVersion("16.4-3-bullseye").revision, "3");
  EXPECT_EQ(ParseTagVersion("17.4.0-debian-12-r3").revision, "r3");
  // PostGIS 3 in PostgreSQL 18, and the PostgreSQL that an extension was built for
  for (const char* tag : {"18-3-system-trixie", "0.8.6-202608201414-18-trixie", "17.4-minimal-5"}) {
    EXPECT_EQ(ParseTagVersion(tag).revision, "") << tag;
  }
}

TEST(VersionTest, KeysSortAsVersions) {
  const std::vector<std::string> sorted = {
      "latest",
      "0.8.6-202608201414-18-trixie",
      "9.6.24",
      "16.2.0-5.4.1-1",
      "17",
      "17.4",
      "17.4-9",
      "17.4-10",
      "17.4-2503191025",
      "17.4-2503191025-full",
      "17.4-2503310734",
      "17.10-2501010000",
      "18alpha1",
      "18beta1",
      "18beta2",
      "18beta10",
      "18rc1",
      "18",
      "18-minimal-trixie",
      "18.0",
      "18.6-202608170814-minimal-trixie",
      "256.1",
      "65536.0",
  };
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    EXPECT_LT(VersionKey(sorted[i - 1]), VersionKey(sorted[i]))
        << sorted[i - 1] << " " << sorted[i];
  }
}

std::string RandomTag(std::mt19937* random) {
  const auto pick = [&](int n) { return static_cast<int>((*random)() % static_cast<unsigned>(n)); };
  std::string tag = pick(6) == 0 ? "v" : "";
  for (int i = pick(4); i >= 0; --i) {
    tag += std::to_string(pick(i == 0 ? 300 : 20)) + (i > 0 ? "." : "");
  }
  const char* const endings[] = {"",      "beta1",   "rc.2",        "-rc2",          "-minimal",
                                 "-full", "-trixie", "-2503191025", "-202503191025", "-1",
                                 "-01",   "x"};
  for (int i = pick(3); i >= 0; --i) tag += endings[pick(12)];
  return tag;
}

TEST(VersionTest, KeyOrderIsTotal) {
  std::mt19937 random(20260823);
  std::set<std::string> tags = {"latest", "", "-", "--", "0", "00", "000", "v0", "1.0", "1.00"};
  while (tags.size() < 500) tags.insert(RandomTag(&random));
  struct Entry {
    std::string tag, key;
    TagVersion version;
  };
  std::vector<Entry> entries;
  for (const std::string& tag : tags) {
    entries.push_back({tag, VersionKey(tag), ParseTagVersion(tag)});
  }
  // Bytes are in total order; what is to show is that distinct tags have distinct keys and that
  // the order never contradicts numbers or stamps.
  for (const Entry& a : entries) {
    for (const Entry& b : entries) {
      const TagVersion &va = a.version, &vb = b.version;
      EXPECT_EQ(a.key == b.key, a.tag == b.tag) << a.tag << " " << b.tag;
      const bool same_release = va.numbers == vb.numbers && va.prerelease == vb.prerelease;
      if (va.numbers < vb.numbers || (same_release && va.build < vb.build)) {
        EXPECT_LT(a.key, b.key) << a.tag << " " << b.tag;
      }
    }
  }
}

struct RangeCase {
  const char* range;
  const char* tag;
  bool contains;
};

TEST(VersionTest, Ranges) {
  const RangeCase cases[] = {
      {">=16 <18", "16", true},
      {">=16 <18", "15.9", false},
      {">=16 <18", "17.10-2503191025-full", true},
      {">=16 <18", "18", false},
      {">=16 <18", "18beta1", false},
      {">= 16, < 18", "17.4", true},
      {">=16<18", "17.4", true},
      {"17.*", "17.4", true},
      {"17.*", "17", true},
      {"17.*", "18.1", false},
      {"17.x", "17.4", true},
      {"~17.4", "17.4", true},
      {"~17.4", "17.10", true},
      {"~17.4", "17.3", false},
      {"~17.4", "18.0", false},
      {"=17.4", "17.4-2503191025", true},
      {"=17", "17.4", true},
      {"17.4", "17.4.1", true},
      {"17.4", "17.40", false},
      {"=17.4.0", "17.4", true},
      {"!=17.4", "17.4", false},
      {"!=17.4", "17.5", true},
      {">17", "17.0", false},
      {">17", "17.4", true},
      {"<=17.4", "17.4", true},
      {"<=17.4", "17.5", false},
      {"16.* || >=18", "16.9", true},
      {"16.* || >=18", "17.4", false},
      {"16.* || >=18", "19.1", true},
      {">=18beta1 <19", "18beta1", true},
      {">=18beta2 <19", "18beta1", false},
      {">=18beta2 <19", "18beta10", true},
      {">=18beta1 <19", "18rc1", true},
      {">=18beta1 <19", "18.1", true},
      {">=18beta1 <20", "19beta1", false},
      {">=18", "18rc1", false},
      {"=18beta1", "18beta1", true},
      {"=18~beta1", "18beta1", true},
      {"=18beta1", "18", false},
      {"*", "17.4", true},
      {"*", "latest", false},
  };
  for (const RangeCase& c : cases) {
    EXPECT_EQ(VersionRange::Parse(c.range).Contains(ParseTagVersion(c.tag)), c.contains)
        << c.range << " on " << c.tag;
  }
}

TEST(VersionTest, RefusesBadRanges) {
  for (const char* range : {"", "  ", "abc", ">=", ">=16 ||", "|| 16", "=>16", ">=16 <", "<>16",
                            "17.4-full", ">17.*", "17.4-2503191025", "^17", "17..4"}) {
    try {
      VersionRange::Parse(range);
      ADD_FAILURE() << "accepted " << range;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument) << range;
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

}  // namespace
}  // namespace image_library
