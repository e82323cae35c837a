// What is put on record of what went wrong: rows of sync_problem.
#ifndef IMAGE_LIBRARY_SYNC_PROBLEM_H_
#define IMAGE_LIBRARY_SYNC_PROBLEM_H_

#include <string>

#include "core/error.h"

namespace image_library::sync {

/// Something that was skipped; tag is empty when it concerns the whole repository. Of a rule that
/// needs the catalogue, the repository is its pattern.
struct Problem {
  std::string repository;
  std::string tag;
  std::string problem;  ///< short code: `malformed manifest`, `digest mismatch`, `too large` ...
  std::string detail;
};

namespace problem {
inline constexpr char kDigestMismatch[] = "digest mismatch";
inline constexpr char kOverBudget[] = "over budget";
inline constexpr char kRemovalsRefused[] = "removals refused";
inline constexpr char kImmutableMoved[] = "immutable tag moved";
inline constexpr char kNotStored[] = "not stored";
inline constexpr char kBusy[] = "busy";
inline constexpr char kAnnotationsCut[] = "annotations cut";
inline constexpr char kCatalogueRefused[] = "catalogue refused";
}  // namespace problem

inline const char* ProblemName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kMalformed:
      return "malformed";
    case ErrorKind::kDigestMismatch:
      return problem::kDigestMismatch;
    case ErrorKind::kTooLarge:
      return "too large";
    case ErrorKind::kUnauthorized:
      return "denied";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kRateLimited:
      return "rate limited";
    case ErrorKind::kBudget:
      return problem::kOverBudget;
    case ErrorKind::kUnreachable:
      return "unreachable";
    case ErrorKind::kServer:
      return "server error";
    case ErrorKind::kForbiddenAddress:
      return "forbidden address";
    case ErrorKind::kTls:
      return "tls";
    default:
      return "unexpected answer";
  }
}

/// That a registry has no such repository, by its name relative to the registry's URL.
inline Error NoRepository(const std::string& repository, const std::string& registry) {
  return Error(ErrorKind::kNotFound,
               "repository \"" + repository + "\" was not found in registry \"" + registry + "\"",
               {}, "Check the name: it is relative to the registry's URL.");
}

inline std::string Describe(const Error& error) {
  return error.detail().empty() ? error.what() : std::string(error.what()) + ": " + error.detail();
}

}  // namespace image_library::sync

#endif
