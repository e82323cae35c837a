// A probe of a live registry: what it can do, and what to mend before a sync.
#ifndef IMAGE_LIBRARY_SYNC_CHECK_H_
#define IMAGE_LIBRARY_SYNC_CHECK_H_

#include <string>
#include <vector>

#include "registry/http.h"
#include "sync/registry_config.h"

namespace image_library::sync {

struct CheckResult {
  /// `reach`, `tls`, `auth`, `catalogue`, `tags`, `pages`, `head`, `digest`, `etag`, `manifest`,
  /// `referrers`, `limits`, `clock`, `warning`; those that an earlier failure leaves open are
  /// absent.
  std::string step;
  bool ok = false;     ///< false only for what would make a sync fail
  std::string detail;  ///< what was found, or what failed and what to do
};

/// Reads one repository of the rules (else of the catalogue) and one tag of it. Stores nothing.
std::vector<CheckResult> CheckRegistry(const RegistryConfig& config, registry::Waiter& waiter);

}  // namespace image_library::sync

#endif
