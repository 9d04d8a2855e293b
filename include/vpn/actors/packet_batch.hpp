// What crosses mailboxes on the data path: a pooled slab of packets, and the
// pools that bound how many there are.
#pragma once

#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/packet_slab.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace vpn::actors {

/// Where datagrams came from or go to.
struct path {
  endpoint remote;
  endpoint local;
  /// Interface index, 0 when the kernel chooses.
  uint32_t interface = 0;
};

class batch_pool;

/// A slab with an owner. Exactly one actor holds a batch at a time; it moves
/// with the message, and goes back to its pool when the last handle is gone.
class packet_batch : public protocol::packet_slab {
public:
  path from;

  friend void intrusive_ptr_add_ref(packet_batch* x) noexcept {
    x->references_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(packet_batch* x) noexcept {
    if (x->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      x->give_back();
  }

private:
  friend class batch_pool;
  void give_back() noexcept;
  std::atomic<int> references_{0};
  caf::intrusive_ptr<batch_pool> owner_;
  packet_batch* next_free_ = nullptr;
};

using batch_ptr = caf::intrusive_ptr<packet_batch>;

struct pool_config {
  /// How many batches there are: the bound of what can be in flight.
  size_t batches = 16;
  /// Bytes of each slab. Memory is reserved, and used only where touched.
  uint32_t slab_bytes = 1u << 17;
  /// Packets of each slab.
  uint32_t max_runs = 256;
};

/// A fixed number of batches for one purpose. `get` and giving back work from
/// any thread. Lives as long as any of its batches is out.
class batch_pool : public caf::ref_counted {
public:
  explicit batch_pool(pool_config cfg);
  ~batch_pool() override;

  /// A cleared batch, or null when all are out.
  batch_ptr get();
  /// How many `get` would give now.
  size_t available() const noexcept { return available_.load(); }
  size_t capacity() const noexcept { return batches_.size(); }
  /// Called, from whatever thread gives back, when a batch returns after
  /// `wait_for_refill`. To be set while no other thread gives back.
  void on_refill(std::function<void()> f) { on_refill_ = std::move(f); }
  /// Asks for one call of `on_refill`. Check `available` again afterwards: a
  /// batch may have come back meanwhile.
  void wait_for_refill() noexcept { waiting_.store(true); }

private:
  friend class packet_batch;
  void put(packet_batch* x) noexcept;

  pool_config cfg_;
  uint8_t* memory_ = nullptr;
  size_t memory_size_ = 0;
  std::vector<protocol::packet_run> runs_;
  std::vector<std::unique_ptr<packet_batch>> batches_;
  std::mutex mutex_;
  packet_batch* free_ = nullptr;
  std::atomic<size_t> available_{0};
  std::atomic<bool> waiting_{false};
  std::function<void()> on_refill_;
};

using pool_ptr = caf::intrusive_ptr<batch_pool>;

/// The pools of one loop, by purpose.
struct data_pools {
  /// Datagrams from the network, opened in place.
  pool_ptr received;
  /// Packets read from TUN.
  pool_ptr tun;
  /// Sealed datagrams on their way to the network.
  pool_ptr sealed;
};

/// Pools of the sizes the data path needs; see the source for the arithmetic.
data_pools make_data_pools();

} // namespace vpn::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::batch_ptr)
