#include "vpn/actors/tun.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"
#include "vpn/protocol/packet_coalescer.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cerrno>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

namespace vpn::actors {

namespace {

using protocol::vnet_header_size;

/// Largest thing one read gives: a virtio header and a 64 KiB packet.
constexpr uint32_t largest_read = vnet_header_size + 65535;

/// A batch is full enough when so many bytes are in it; one more super-packet
/// must fit behind them.
constexpr uint32_t enough_bytes = 65536;

/// What one TUN batch becomes needs at most one fresh sealed slab beside the
/// open one.
constexpr size_t sealed_needed = 2;

/// Pieces of one write: a super-packet of 64 KiB and its header.
constexpr size_t max_pieces = 132;

struct tun_state {
  static inline const char* name = "tun";
  tun_state() = default;
  data_pools pools;
  batch_down_actor below;
  device_observer_actor observer;
  tunnel_device device;
  /// A duplicate of the device's descriptor: epoll tells two users of a device
  /// apart by it, the TUN of a session that goes and the one that comes.
  unique_fd own;
  std::unique_ptr<io_loop::watch> watch;
  std::unique_ptr<io_loop::hook> at_end_of_round;
  std::unique_ptr<protocol::packet_coalescer> joiner;
  uint64_t packets_in = 0, reads = 0, packets_out = 0, writes = 0;
  uint64_t write_errors = 0, pauses = 0;
  error_counters drops;
};

class tun final : public homed<tun_actor::stateful_base<tun_state>> {
public:
  tun(caf::actor_config& cfg, io_loop* home, data_pools pools,
      batch_down_actor below, device_observer_actor observer)
    : homed(cfg, home) {
    state.pools = std::move(pools);
    state.below = std::move(below);
    state.observer = std::move(observer);
  }

  behavior_type make_behavior() override {
    install_handlers(this);
    return {
      [this](atom::attach, const tunnel_device& device) {
        use(device);
      },
      // path: inbound 4/4
      [this](atom::up, const batch_ptr& batch) {
        write_batch(*batch);
      },
      [this](atom::shutdown) {
        state.watch.reset();
        state.at_end_of_round.reset();
        return status();
      },
      [this](atom::status) {
        return status();
      },
    };
  }

private:
  void use(const tunnel_device& device) {
    state.watch.reset();
    state.device = device;
    use_joiner(device.tso, device.uso);
    if (!device.fd || home() == nullptr)
      return;
    state.own = unique_fd{fcntl(device.fd->get(), F_DUPFD_CLOEXEC, 0)};
    if (!state.own) {
      lost();
      return;
    }
    state.watch = home()->watch_fd(
      state.own.get(), EPOLLIN,
      [this](uint32_t events) {
        handle(events);
      },
      address());
    state.at_end_of_round = home()->at_end_of_round(
      flush_stage::edges,
      [this] {
        resume_reading();
      },
      address());
    auto* loop = home();
    state.pools.sealed->on_refill([loop] {
      loop->wake();
    });
    state.pools.tun->on_refill([loop] {
      loop->wake();
    });
  }

  void use_joiner(bool tcp, bool udp) {
    protocol::packet_coalescer::options opts;
    opts.tcp = tcp;
    opts.udp = udp;
    state.joiner = std::make_unique<protocol::packet_coalescer>(opts);
  }

  bool may_read() const noexcept {
    return state.pools.sealed->available() >= sealed_needed
           && state.pools.tun->available() > 0;
  }

  void resume_reading() {
    if (!state.watch || state.watch->events() != 0)
      return;
    if (!may_read()) {
      // One call for each batch that comes back, until there are enough.
      state.pools.sealed->wait_for_refill();
      state.pools.tun->wait_for_refill();
    }
    if (may_read())
      state.watch->set_events(EPOLLIN);
  }

  /// Reading stops here, in front of the kernel's queue, and goes on when
  /// batches come back.
  void pause_reading() {
    ++state.pauses;
    state.watch->set_events(0);
    resume_reading();
  }

  void handle(uint32_t events) {
    if (!state.watch)
      return;
    if (!may_read()) {
      pause_reading();
      return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
      read_batch();
  }

  // path: outbound 1/4
  void read_batch() {
    auto batch = state.pools.tun->get();
    if (!batch)
      return;
    auto fd = state.device.fd->get();
    const uint32_t head = state.device.vnet_header ? vnet_header_size : 0;
    while (batch->used < enough_bytes && !batch->full()) {
      auto* at = batch->data + batch->used;
      auto n = read(fd, at, largest_read);
      if (n < 0) {
        if (errno == EINTR)
          continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK && batch->count == 0)
          lost();
        break;
      }
      ++state.reads;
      auto size = static_cast<uint32_t>(n);
      if (size <= head)
        break;
      if (!add(*batch, at, size, head))
        continue; // its bytes are overwritten by the next one
      // Aligned starts make headers and the cipher's loads cheap.
      batch->used = (batch->used + size + 63) & ~63u;
    }
    if (batch->count > 0)
      send(state.below, atom::down_v, std::move(batch));
  }

  bool add(packet_batch& batch, const uint8_t* at, uint32_t size,
           uint32_t head) {
    auto offset = batch.used + head;
    auto length = size - head;
    if (head == 0) {
      ++state.packets_in;
      return batch.add(offset, length);
    }
    auto run = protocol::read_vnet_header(at, offset, length);
    if (!run) {
      state.drops.count(run.error());
      return false;
    }
    ++state.packets_in;
    batch.runs[batch.count++] = *run;
    return true;
  }

  void write_batch(const packet_batch& batch) {
    state.packets_out += batch.count;
    if (!state.device.fd)
      return; // dev null, or not attached yet
    if (!state.device.vnet_header) {
      for (const auto& run : batch)
        write_plain(batch.view(run));
      return;
    }
    state.joiner->join(batch);
    for (const auto& x : state.joiner->writes())
      write_joined(x);
  }

  void write_plain(byte_view packet) {
    ++state.writes;
    if (write(state.device.fd->get(), packet.data(), packet.size()) < 0)
      ++state.write_errors;
  }

  void write_joined(const protocol::tun_write& x) {
    std::array<iovec, max_pieces> parts;
    auto put = [&](size_t i, const uint8_t* data, size_t size) {
      parts[i].iov_base = const_cast<uint8_t*>(data);
      parts[i].iov_len = size;
    };
    if (x.pieces + 1 > max_pieces) {
      ++state.write_errors;
      return;
    }
    put(0, x.head.data(), x.head_size);
    for (uint32_t i = 0; i < x.pieces; ++i) {
      auto piece = state.joiner->pieces()[x.first_piece + i];
      put(i + 1, piece.data(), piece.size());
    }
    ++state.writes;
    if (writev(state.device.fd->get(), parts.data(),
               static_cast<int>(x.pieces + 1))
        < 0)
      ++state.write_errors;
  }

  void lost() {
    state.watch.reset();
    send(state.observer,
         layer_failed{
           tun_state::name,
           {reason::host_failed, "device " + state.device.name + " is gone"}});
  }

  layer_status status() const {
    return {tun_state::name,
            "packets in " + std::to_string(state.packets_in) + " by "
              + std::to_string(state.reads) + " reads, out "
              + std::to_string(state.packets_out) + " by "
              + std::to_string(state.writes) + " writes, write errors "
              + std::to_string(state.write_errors) + ", pauses "
              + std::to_string(state.pauses) + ", dropped ["
              + state.drops.text() + "]",
            {}};
  }
};

} // namespace

tun_actor spawn_tun(caf::actor_system& sys, io_loop* home, data_pools pools,
                    batch_down_actor below, device_observer_actor observer) {
  return sys.spawn<tun>(home, std::move(pools), std::move(below),
                        std::move(observer));
}

} // namespace vpn::actors
