#include "registry/http.h"

#include <malloc.h>

#include "registry/event_loop.h"

namespace image_library::registry {

namespace {

// glibc raises its threshold to the size of what was freed, and keeps bodies in a heap that small
// allocations then hold at its largest: 40 bodies of 4 MiB left 80 MiB behind. A threshold that is
// set stays: what is larger goes back to the system when it is freed.
void GiveBackLargeBlocks() {
#ifdef M_MMAP_THRESHOLD
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
}

}  // namespace

struct CurlTransport::Impl {
  EventLoop loop;
};

CurlTransport::CurlTransport(HttpOptions options) {
  GiveBackLargeBlocks();
  const SignalBlock block;
  impl_.reset(new Impl{EventLoop(std::move(options))});
}

CurlTransport::~CurlTransport() {
  const SignalBlock block;
  impl_.reset();
}

Task<Response> CurlTransport::Send(const Request& request) {
  Transfer transfer(impl_->loop, request);
  co_return co_await transfer;
}

Task<void> CurlTransport::Sleep(int milliseconds) {
  Timer timer(impl_->loop, milliseconds);
  co_await timer;
}

void CurlTransport::DropQueued(std::exception_ptr failure) { impl_->loop.DropQueued(failure); }

void CurlTransport::Run(Task<void> task, Waiter& waiter) {
  task.Start();
  while (!task.Done()) impl_->loop.Turn(waiter);
  task.Result();
}

const Traffic& CurlTransport::traffic() const noexcept { return impl_->loop.traffic(); }

}  // namespace image_library::registry
