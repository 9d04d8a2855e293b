// One pool and many threads.
#define CAF_SUITE actors.packet_batch_stress
#include "vpn/actors/packet_batch.hpp"

#include "tests/support/channel.hpp"

#include "caf/make_counted.hpp"
#include "caf/test/unit_test.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

using namespace vpn;
using namespace vpn::actors;

namespace {

constexpr size_t batches = 8;
constexpr int rounds = 20000;

void run_threads(size_t n, const std::function<void(size_t)>& f) {
  std::vector<std::thread> threads;
  for (size_t i = 0; i < n; ++i)
    threads.emplace_back(f, i);
  for (auto& x : threads)
    x.join();
}

} // namespace

CAF_TEST(threads take and give back without sharing a batch) {
  auto pool = caf::make_counted<batch_pool>(pool_config{batches, 64, 1});
  std::atomic<int> mixed_up{0};
  run_threads(4, [&](size_t self) {
    auto mark = static_cast<uint8_t>(self + 1);
    for (int i = 0; i < rounds; ++i) {
      std::vector<batch_ptr> mine;
      for (size_t k = 0; k <= self; ++k)
        if (auto x = pool->get())
          mine.push_back(std::move(x));
      for (auto& x : mine) {
        std::fill_n(x->data, x->capacity, mark);
        x->add(0, mark);
      }
      for (auto& x : mine)
        if (x->data[0] != mark || x->data[63] != mark || x->count != 1
            || x->runs[0].length != mark)
          ++mixed_up;
    }
  });
  CAF_CHECK_EQUAL(mixed_up.load(), 0);
  CAF_CHECK_EQUAL(pool->available(), batches);
}

CAF_TEST(a batch may be given back where it was not taken) {
  auto pool = caf::make_counted<batch_pool>(pool_config{batches, 64, 1});
  test::channel<batch_ptr> way;
  auto sum = 0;
  run_threads(2, [&](size_t self) {
    for (int i = 0; i < rounds;) {
      if (self == 1) {
        auto x = way.take();
        if (!x)
          return;
        sum += (*x)->data[0];
        ++i;
      } else if (auto x = pool->get()) {
        x->data[0] = 1;
        way.put(std::move(x));
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  CAF_CHECK_EQUAL(sum, rounds);
  CAF_CHECK_EQUAL(pool->available(), batches);
}

CAF_TEST(who waits for a batch is always called) {
  // As TUN does it: ask for the call, look again, sleep. A lost call would be
  // a sleep without end.
  auto pool = caf::make_counted<batch_pool>(pool_config{1, 64, 1});
  test::channel<int> refilled;
  pool->on_refill([&] {
    refilled.put(1);
  });
  test::channel<batch_ptr> way;
  std::atomic<int> lost{0};
  run_threads(2, [&](size_t self) {
    for (int i = 0; i < rounds; ++i) {
      if (self == 1) {
        if (!way.take())
          return;
        continue;
      }
      auto x = pool->get();
      while (!x) {
        pool->wait_for_refill();
        x = pool->get();
        if (x)
          break;
        if (!refilled.take()) {
          ++lost;
          return;
        }
        x = pool->get();
      }
      way.put(std::move(x));
    }
  });
  CAF_CHECK_EQUAL(lost.load(), 0);
}

CAF_TEST(the pool ends with its last batch on any thread) {
  auto ended = 0;
  for (int i = 0; i < 500; ++i) {
    auto alive = std::make_shared<int>(i);
    std::weak_ptr<int> watcher = alive;
    auto pool = caf::make_counted<batch_pool>(pool_config{2, 64, 1});
    pool->on_refill([alive] {});
    alive.reset();
    std::vector<batch_ptr> out{pool->get(), pool->get()};
    pool.reset();
    run_threads(2, [&](size_t self) {
      out[self].reset();
    });
    ended += watcher.expired() ? 1 : 0;
  }
  CAF_CHECK_EQUAL(ended, 500);
}
