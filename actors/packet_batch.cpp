#include "vpn/actors/packet_batch.hpp"

#include <caf/make_counted.hpp>

#include <new>

#include <sys/mman.h>

namespace vpn::actors {

void packet_batch::give_back() noexcept {
  // The pool may end with this handle, so it is kept until the batch is in it.
  auto owner = std::move(owner_);
  owner->put(this);
}

batch_pool::batch_pool(pool_config cfg) : cfg_(cfg) {
  memory_size_ = cfg.batches * cfg.slab_bytes;
  // Reserved, not committed: a page costs memory when a packet touches it.
  auto* memory = mmap(nullptr, memory_size_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw std::bad_alloc();
  memory_ = static_cast<uint8_t*>(memory);
  runs_.resize(cfg.batches * cfg.max_runs);
  for (size_t i = 0; i < cfg.batches; ++i) {
    auto x = std::make_unique<packet_batch>();
    x->data = memory_ + i * cfg.slab_bytes;
    x->capacity = cfg.slab_bytes;
    x->runs = runs_.data() + i * cfg.max_runs;
    x->max_runs = cfg.max_runs;
    x->next_free_ = free_;
    free_ = x.get();
    batches_.push_back(std::move(x));
  }
  available_ = cfg.batches;
}

batch_pool::~batch_pool() {
  munmap(memory_, memory_size_);
}

batch_ptr batch_pool::get() {
  packet_batch* result = nullptr;
  {
    std::lock_guard<std::mutex> guard{mutex_};
    result = free_;
    if (result == nullptr)
      return nullptr;
    free_ = result->next_free_;
    available_.fetch_sub(1);
  }
  result->clear();
  result->from = {};
  result->owner_.reset(this);
  return batch_ptr{result};
}

void batch_pool::put(packet_batch* x) noexcept {
  {
    std::lock_guard<std::mutex> guard{mutex_};
    x->next_free_ = free_;
    free_ = x;
    available_.fetch_add(1);
  }
  // Counted first, asked second; who waits does it the other way round. In one
  // total order one of the two sees the other.
  if (waiting_.load() && waiting_.exchange(false) && on_refill_)
    on_refill_();
}

data_pools make_data_pools() {
  // Received: up to 32 messages of 64 KiB in one recvmmsg, each a GRO
  // super-datagram of up to 128 packets.
  pool_config received;
  received.batches = 8;
  received.slab_bytes = 32 * 65536;
  received.max_runs = 32 * 128;
  // TUN: one super-packet may start while less than 64 KiB are in use, so two
  // fit; see `tun` for the reading rule.
  pool_config tun;
  tun.batches = 8;
  tun.slab_bytes = 2 * 65536 + 4096;
  tun.max_runs = 128;
  // Sealed: whatever one TUN batch becomes fits one fresh slab: 128 KiB of
  // payload, and for each of at most 128 + 2 * 65 packets headers and overhead.
  pool_config sealed;
  sealed.batches = 32;
  sealed.slab_bytes = 192 * 1024;
  sealed.max_runs = 512;
  return {caf::make_counted<batch_pool>(received),
          caf::make_counted<batch_pool>(tun),
          caf::make_counted<batch_pool>(sealed)};
}

} // namespace vpn::actors
