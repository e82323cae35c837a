// SQL functions that check how a registry may be reached: hosts, proxies, client certificates.
#include "core/error.h"
#include "core/host_list.h"
#include "core/url.h"
#include "postgres/bridge.h"
#include "postgres/datum.h"
#include "postgres/settings.h"
#include "registry/client_certificate.h"
#include "registry/location.h"

using namespace image_library;            // NOLINT: a file of glue
using namespace image_library::postgres;  // NOLINT

extern "C" {
PG_FUNCTION_INFO_V1(image_library_parse_proxy_url);
PG_FUNCTION_INFO_V1(image_library_is_host_pattern);
PG_FUNCTION_INFO_V1(image_library_require_allowed_host);
PG_FUNCTION_INFO_V1(image_library_check_client_certificate);

/// parse_proxy_url(url text) -> scheme://host:port
Datum image_library_parse_proxy_url(PG_FUNCTION_ARGS) {
  Datum url = 0;
  Guard([&] { url = TextDatum(ParseProxyUrl(TextArgument(fcinfo, 0))); });
  PG_RETURN_DATUM(url);
}

/// is_host_pattern(host text)
Datum image_library_is_host_pattern(PG_FUNCTION_ARGS) {
  bool result = false;
  Guard([&] { result = IsHostPattern(TextArgument(fcinfo, 0)); });
  PG_RETURN_BOOL(result);
}

/// require_allowed_host(scheme text, host text, proxy text): of a registry's parsed URL, and its
/// proxy
Datum image_library_require_allowed_host(PG_FUNCTION_ARGS) {
  Guard([&] {
    const RegistryUrl url{TextArgument(fcinfo, 0), TextArgument(fcinfo, 1), {}};
    const std::string proxy = TextArgument(fcinfo, 2);
    registry::RequireAllowedHost(settings::AllowedHosts(), !proxy.empty(), url.Origin());
    // The owner of a proxy can read every request.
    if (!proxy.empty()) registry::RequireAllowedHost(settings::AllowedHosts(), true, proxy);
  });
  PG_RETURN_VOID();
}

/// check_client_certificate(certificate text, key text)
Datum image_library_check_client_certificate(PG_FUNCTION_ARGS) {
  Guard(
      [&] { registry::CheckClientCertificate(TextArgument(fcinfo, 0), TextArgument(fcinfo, 1)); });
  PG_RETURN_VOID();
}
}
