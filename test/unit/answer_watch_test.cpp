#include "sync/answer_watch.h"

#include <gtest/gtest.h>

#include "fake_transport.h"

namespace image_library::sync {
namespace {

using registry::FakeTransport;
using registry::Request;
using registry::Response;
using std::chrono::milliseconds;

class AnswerWatchTest : public testing::Test {
 protected:
  registry::Task<void> Ask() {
    try {
      Request request;
      (void)co_await watched.Send(std::move(request));
    } catch (const Error&) {
    }
  }
  void Pass(int ms) { inner.now += milliseconds(ms); }
  milliseconds Silence() const { return watch.Silence(inner.now); }

  FakeTransport inner{[](const Request&) { return registry::Answer(503); }};
  AnswerWatch watch;
  WatchedTransport watched{inner, watch};
};

TEST_F(AnswerWatchTest, IsSilentWhileARequestWaits) {
  EXPECT_EQ(Silence(), milliseconds(0));
  inner.holding = true;
  registry::Task<void> first = Ask();
  first.Start();
  Pass(700);
  registry::Task<void> second = Ask();
  second.Start();
  EXPECT_EQ(Silence(), milliseconds(700));
  EXPECT_FALSE(watch.answered());
  inner.held.ResumeOne();  // an answer of any status
  EXPECT_TRUE(watch.answered());
  EXPECT_EQ(Silence(), milliseconds(0));
  Pass(300);
  EXPECT_EQ(Silence(), milliseconds(300));
  inner.held.ResumeOne();
  Pass(300);
  EXPECT_EQ(Silence(), milliseconds(0)) << "nothing is asked";
}

TEST_F(AnswerWatchTest, AFailureIsNoAnswer) {
  inner.handler([](const Request&) -> Response {
    throw Error(ErrorKind::kUnreachable, "timeout was reached");
  });
  inner.holding = true;
  registry::Task<void> first = Ask();
  first.Start();
  Pass(700);
  inner.held.ResumeOne();
  EXPECT_FALSE(watch.answered());
  EXPECT_EQ(Silence(), milliseconds(0)) << "nothing is asked";
  Pass(100);
  registry::Task<void> again = Ask();
  again.Start();
  EXPECT_EQ(Silence(), milliseconds(800)) << "the wait of the first attempt counts";
  inner.held.ResumeOne();
}

}  // namespace
}  // namespace image_library::sync
