// Descriptors on the loop: who is called while they are ready, and how that
// ends.
#define CAF_SUITE actors.io_loop_watch
#include "vpn/actors/io_loop.hpp"
#include "vpn/actors/unique_fd.hpp"

#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

using namespace vpn;
using namespace vpn::actors;

namespace {

using test::channel;

unique_fd make_event() {
  return unique_fd{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
}

void ring(const unique_fd& fd) {
  uint64_t one = 1;
  CAF_REQUIRE_EQUAL(write(fd.get(), &one, sizeof(one)), 8);
}

void clear(const unique_fd& fd) {
  uint64_t count = 0;
  if (read(fd.get(), &count, sizeof(count)) < 0)
    CAF_FAIL("nothing to read");
}

using fixture = test::loop_fixture;

} // namespace

CAF_TEST_FIXTURE_SCOPE(io_loop_watch_tests, fixture)

CAF_TEST(a watch calls while its descriptor is ready) {
  auto fd = make_event();
  channel<uint32_t> calls;
  std::unique_ptr<io_loop::watch> watch;
  on_loop([&] {
    watch = loop.watch_fd(fd.get(), EPOLLIN, [&](uint32_t events) {
      clear(fd);
      calls.put(events);
    });
  });
  finish_round();
  CAF_CHECK(!calls.take_now());
  for (int i = 0; i < 3; ++i) {
    ring(fd);
    auto x = calls.take();
    CAF_REQUIRE(x);
    CAF_CHECK(*x & EPOLLIN);
  }
  finish_round();
  CAF_CHECK(!calls.take_now());
  on_loop([&] {
    watch.reset();
  });
}

CAF_TEST(a watch is level triggered) {
  auto fd = make_event();
  channel<int> calls;
  std::unique_ptr<io_loop::watch> watch;
  auto left = 5;
  on_loop([&] {
    watch = loop.watch_fd(fd.get(), EPOLLIN, [&](uint32_t) {
      calls.put(left);
      if (--left == 0)
        clear(fd);
    });
  });
  ring(fd);
  for (int i = 5; i > 0; --i)
    CAF_CHECK(calls.take() == i);
  finish_round();
  CAF_CHECK(!calls.take_now());
  on_loop([&] {
    watch.reset();
  });
}

CAF_TEST(no events pause a watch and others let it go on) {
  auto fd = make_event();
  channel<uint32_t> calls;
  std::unique_ptr<io_loop::watch> watch;
  on_loop([&] {
    watch = loop.watch_fd(fd.get(), EPOLLIN, [&](uint32_t events) {
      watch->set_events(0);
      calls.put(events);
    });
    CAF_CHECK_EQUAL(watch->events(), uint32_t{EPOLLIN});
    watch->set_events(0);
    CAF_CHECK_EQUAL(watch->events(), 0u);
  });
  ring(fd);
  finish_round();
  CAF_CHECK(!calls.take_now());
  // A counter that was written can be read, and can always be written.
  for (uint32_t wanted : {0u | EPOLLIN, 0u | EPOLLOUT, EPOLLIN | EPOLLOUT}) {
    on_loop([&] {
      watch->set_events(wanted);
    });
    CAF_CHECK(calls.take() == wanted);
    finish_round();
    CAF_CHECK(!calls.take_now());
  }
  on_loop([&] {
    watch.reset();
  });
}

CAF_TEST(a watch may end in its own call) {
  auto fd = make_event();
  std::unique_ptr<io_loop::watch> watch;
  auto alive = std::make_shared<int>(0);
  std::weak_ptr<int> watcher = alive;
  channel<int> calls;
  on_loop([&] {
    watch = loop.watch_fd(fd.get(), EPOLLIN, [&, alive](uint32_t) {
      watch.reset();
      // What the call has captured is still there.
      ++*alive;
      calls.put(*alive);
    });
  });
  alive.reset();
  ring(fd);
  CAF_CHECK(calls.take() == 1);
  finish_round();
  CAF_CHECK(!calls.take_now());
  CAF_CHECK(watcher.expired());
}

CAF_TEST(of two ready watches the first may end the second) {
  auto x = make_event(), y = make_event();
  std::unique_ptr<io_loop::watch> wx, wy;
  auto calls = 0;
  on_loop([&] {
    wx = loop.watch_fd(x.get(), EPOLLIN, [&](uint32_t) {
      ++calls;
      clear(x);
      wy.reset();
    });
    wy = loop.watch_fd(y.get(), EPOLLIN, [&](uint32_t) {
      ++calls;
      clear(y);
      wx.reset();
    });
    // Both are ready when the next round looks.
    ring(x);
    ring(y);
  });
  finish_round();
  on_loop([&] {
    CAF_CHECK_EQUAL(calls, 1);
    CAF_CHECK((wx == nullptr) != (wy == nullptr));
    wx.reset();
    wy.reset();
  });
}

CAF_TEST(a watch may end on another thread) {
  for (int i = 0; i < 100; ++i) {
    auto fd = make_event();
    std::atomic<int> calls{0};
    std::unique_ptr<io_loop::watch> watch;
    auto alive = std::make_shared<int>(0);
    std::weak_ptr<int> watcher = alive;
    on_loop([&] {
      watch = loop.watch_fd(fd.get(), EPOLLIN, [&, alive](uint32_t) {
        ++calls;
      });
    });
    alive.reset();
    watch.reset();
    ring(fd);
    finish_round();
    CAF_REQUIRE_EQUAL(calls.load(), 0);
    CAF_REQUIRE(watcher.expired());
  }
}

CAF_TEST(a descriptor may be watched again after its watch has ended) {
  auto fd = make_event();
  channel<int> calls;
  std::unique_ptr<io_loop::watch> watch;
  for (int i = 0; i < 3; ++i) {
    on_loop([&] {
      watch.reset();
      watch = loop.watch_fd(fd.get(), EPOLLIN, [&, i](uint32_t) {
        clear(fd);
        calls.put(i);
      });
    });
    ring(fd);
    CAF_CHECK(calls.take() == i);
  }
  on_loop([&] {
    watch.reset();
  });
}

CAF_TEST(watches that are left do not keep the loop from stopping) {
  auto fd = make_event();
  std::unique_ptr<io_loop::watch> watch;
  on_loop([&] {
    watch = loop.watch_fd(fd.get(), EPOLLIN, [](uint32_t) {});
  });
  // Ready for ever.
  ring(fd);
  loop.stop();
  watch.reset();
}

CAF_TEST_FIXTURE_SCOPE_END()
