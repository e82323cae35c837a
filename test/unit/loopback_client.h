// One request by CurlTransport, waited for.
#ifndef IMAGE_LIBRARY_TEST_UNIT_LOOPBACK_CLIENT_H_
#define IMAGE_LIBRARY_TEST_UNIT_LOOPBACK_CLIENT_H_

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>

#include "core/error.h"
#include "registry/http.h"

namespace image_library::registry {

class PollWaiter : public Waiter {
 public:
  void Wait(int descriptor, int timeout_ms) override {
    pollfd poll_descriptor{descriptor, POLLIN, 0};
    poll(&poll_descriptor, 1, timeout_ms);
  }
};

struct Outcome {
  Response response;
  std::optional<Error> error;
};

inline Task<void> SendOne(Transport& transport, Request request, Outcome* outcome) {
  try {
    outcome->response = co_await transport.Send(std::move(request));
  } catch (const Error& error) {
    outcome->error = error;
  }
}

inline ErrorKind KindOf(const Outcome& outcome) {
  EXPECT_TRUE(outcome.error) << "status " << outcome.response.status;
  return outcome.error ? outcome.error->kind() : ErrorKind::kInvalidArgument;
}

/// Sends on a transport of its own.
inline Outcome SendWith(HttpOptions options, const std::string& url, bool public_only = false) {
  CurlTransport transport(std::move(options));
  PollWaiter waiter;
  Request request;
  request.url = url;
  request.public_only = public_only;
  Outcome outcome;
  transport.Run(SendOne(transport, std::move(request), &outcome), waiter);
  return outcome;
}

}  // namespace image_library::registry

#endif
