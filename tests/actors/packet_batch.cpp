// Batches and their pool: the bound of what can be in flight.
#define CAF_SUITE actors.packet_batch
#include "vpn/actors/packet_batch.hpp"

#include "caf/make_counted.hpp"
#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <set>
#include <vector>

using namespace vpn;
using namespace vpn::actors;

namespace {

pool_ptr make_pool(size_t batches, uint32_t slab_bytes = 4096,
                   uint32_t max_runs = 8) {
  return caf::make_counted<batch_pool>(
    pool_config{batches, slab_bytes, max_runs});
}

} // namespace

CAF_TEST(a pool gives as many batches as it has and then none) {
  auto pool = make_pool(3);
  CAF_CHECK_EQUAL(pool->capacity(), 3u);
  CAF_CHECK_EQUAL(pool->available(), 3u);
  std::vector<batch_ptr> out;
  for (size_t left = 3; left > 0; --left) {
    CAF_CHECK_EQUAL(pool->available(), left);
    out.push_back(pool->get());
    CAF_REQUIRE(out.back());
  }
  CAF_CHECK_EQUAL(pool->available(), 0u);
  CAF_CHECK(!pool->get());
  CAF_CHECK(!pool->get());
  CAF_CHECK_EQUAL(pool->available(), 0u);
  out.pop_back();
  CAF_CHECK_EQUAL(pool->available(), 1u);
  CAF_CHECK(pool->get());
}

CAF_TEST(a batch returns with the last of its handles) {
  auto pool = make_pool(1);
  auto first = pool->get();
  auto second = first;
  first.reset();
  CAF_CHECK_EQUAL(pool->available(), 0u);
  auto third = std::move(second);
  CAF_CHECK_EQUAL(pool->available(), 0u);
  third = nullptr;
  CAF_CHECK_EQUAL(pool->available(), 1u);
}

CAF_TEST(slabs and descriptions do not overlap) {
  constexpr uint32_t size = 1000, runs = 5;
  auto pool = make_pool(4, size, runs);
  std::vector<batch_ptr> out;
  while (auto x = pool->get())
    out.push_back(std::move(x));
  CAF_REQUIRE_EQUAL(out.size(), 4u);
  for (size_t i = 0; i < out.size(); ++i) {
    CAF_REQUIRE_EQUAL(out[i]->capacity, size);
    CAF_REQUIRE_EQUAL(out[i]->max_runs, runs);
    std::fill_n(out[i]->data, size, static_cast<uint8_t>(i + 1));
    for (uint32_t k = 0; k < runs; ++k)
      CAF_CHECK(out[i]->add(static_cast<uint32_t>(i), k));
    CAF_CHECK(out[i]->full());
    CAF_CHECK(!out[i]->add(0, 0));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    auto is_own = [&](uint8_t x) {
      return x == i + 1;
    };
    CAF_CHECK(std::all_of(out[i]->data, out[i]->data + size, is_own));
    for (uint32_t k = 0; k < runs; ++k) {
      CAF_CHECK_EQUAL(out[i]->runs[k].offset, i);
      CAF_CHECK_EQUAL(out[i]->runs[k].length, k);
    }
  }
}

CAF_TEST(a batch is empty whenever the pool gives it) {
  auto pool = make_pool(1);
  auto batch = pool->get();
  CAF_CHECK_EQUAL(batch->count, 0u);
  CAF_CHECK_EQUAL(batch->used, 0u);
  batch->add(10, 20);
  batch->runs[0].stride = 7;
  batch->runs[0].train = protocol::train_kind::tcp4;
  batch->used = 30;
  auto* same = batch.get();
  batch.reset();
  batch = pool->get();
  CAF_REQUIRE(batch.get() == same);
  CAF_CHECK_EQUAL(batch->count, 0u);
  CAF_CHECK_EQUAL(batch->used, 0u);
  batch->add(1, 2);
  CAF_CHECK_EQUAL(batch->runs[0].stride, 0u);
  CAF_CHECK(batch->runs[0].train == protocol::train_kind::none);
}

CAF_TEST(a waiting owner is called once when a batch returns) {
  auto pool = make_pool(3);
  auto calls = 0;
  pool->on_refill([&] {
    ++calls;
  });
  auto x = pool->get();
  auto y = pool->get();
  auto z = pool->get();
  x.reset();
  CAF_CHECK_EQUAL(calls, 0);
  pool->wait_for_refill();
  CAF_CHECK_EQUAL(calls, 0);
  y.reset();
  CAF_CHECK_EQUAL(calls, 1);
  z.reset();
  CAF_CHECK_EQUAL(calls, 1);
  // Asking again is one more call.
  x = pool->get();
  pool->wait_for_refill();
  pool->wait_for_refill();
  x.reset();
  CAF_CHECK_EQUAL(calls, 2);
}

CAF_TEST(the batch is there when the owner is called) {
  auto pool = make_pool(1);
  batch_ptr again;
  pool->on_refill([&] {
    again = pool->get();
  });
  auto x = pool->get();
  pool->wait_for_refill();
  x.reset();
  CAF_CHECK(again);
  CAF_CHECK_EQUAL(pool->available(), 0u);
}

CAF_TEST(nobody has to be called) {
  auto pool = make_pool(1);
  auto x = pool->get();
  pool->wait_for_refill();
  x.reset();
  CAF_CHECK_EQUAL(pool->available(), 1u);
}

CAF_TEST(a pool lives as long as one of its batches is out) {
  auto alive = std::make_shared<int>(1);
  std::weak_ptr<int> watcher = alive;
  auto pool = make_pool(2);
  pool->on_refill([alive] {});
  alive.reset();
  auto x = pool->get();
  auto y = pool->get();
  pool.reset();
  CAF_CHECK(!watcher.expired());
  std::fill_n(x->data, x->capacity, uint8_t{1});
  x.reset();
  CAF_CHECK(!watcher.expired());
  std::fill_n(y->data, y->capacity, uint8_t{2});
  y.reset();
  CAF_CHECK(watcher.expired());
}

CAF_TEST(the pools of the data path hold what one batch can become) {
  auto pools = make_data_pools();
  for (auto& pool : {pools.received, pools.tun, pools.sealed}) {
    CAF_REQUIRE(pool);
    CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  }
  // A full GRO message in each of 32 places.
  auto received = pools.received->get();
  CAF_CHECK(received->capacity >= 32u * 65536u);
  CAF_CHECK(received->max_runs >= 32u * 128u);
  // A super-packet behind almost another one, with their headers.
  auto tun = pools.tun->get();
  CAF_CHECK(tun->capacity >= 2u * (65535u + 10u + 64u));
  // The payload of both, cut to the smallest usual segments.
  auto sealed = pools.sealed->get();
  CAF_CHECK(sealed->capacity >= 2u * 65536u + 258u * 160u);
}
