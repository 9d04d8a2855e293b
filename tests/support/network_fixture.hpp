// NETWORK on a real loop between a collector above and an observer, and what a
// test needs to play its peer. Include it after CAF_SUITE is defined.
#pragma once

#include "vpn/actors/network.hpp"
#include "vpn/actors/unique_fd.hpp"

#include "tests/support/loop_fixture.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <variant>

#include "actors/socket_address.hpp"
#include <poll.h>
#include <sys/socket.h>

namespace vpn::test {

/// Copies what comes up, packet by packet, and lets the batch go.
inline actors::batch_up_actor::behavior_type
collector(actors::batch_up_actor::pointer, channel<bytes>* out) {
  return {
    [out](atom::up, actors::batch_ptr& batch) {
      std::vector<bytes> packets;
      for (const auto& run : *batch)
        packets.push_back(batch->view(run).copy());
      // Back in its pool before anybody hears of it.
      batch.reset();
      for (auto& x : packets)
        out->put(std::move(x));
    },
  };
}

using transport_fact = std::variant<actors::transport_up, actors::layer_failed>;

inline actors::transport_observer_actor::behavior_type
transport_observer(actors::transport_observer_actor::pointer,
                   channel<transport_fact>* out) {
  return {
    [out](const actors::transport_up& x) {
      out->put(x);
    },
    [out](const actors::layer_failed& x) {
      out->put(x);
    },
  };
}

/// Waits until the descriptor is ready; aborts when it never is.
inline void wait_until(const actors::unique_fd& fd, short events) {
  pollfd x{fd.get(), events, 0};
  auto limit = std::chrono::milliseconds{long_enough}.count();
  CAF_REQUIRE_EQUAL(poll(&x, 1, static_cast<int>(limit)), 1);
}

/// A socket of the test's own, bound to a free port of this address.
inline actors::unique_fd bound_socket(const std::string& address, int type) {
  auto ip = parse_ip(address);
  CAF_REQUIRE(ip);
  actors::unique_fd fd{socket(ip->kind == family::v6 ? AF_INET6 : AF_INET,
                              type | SOCK_CLOEXEC, 0)};
  CAF_REQUIRE(fd);
  auto sa = actors::to_socket_address({*ip, 0, 0});
  CAF_REQUIRE_EQUAL(bind(fd.get(), sa.get(), sa.size), 0);
  return fd;
}

/// A data packet (DATA_V2) of this size with a mark to be known by.
inline bytes data_packet(size_t size, uint32_t mark) {
  bytes result(std::max<size_t>(size, 9), static_cast<uint8_t>(mark));
  result[0] = 9 << 3;
  store_u32(result.data() + 1, mark);
  return result;
}

/// Something that is a control packet (CONTROL_V1) for who looks no closer.
inline bytes control_packet(size_t size, uint32_t mark) {
  auto result = data_packet(size, mark);
  result[0] = 4 << 3;
  return result;
}

struct network_fixture : loop_fixture {
  channel<bytes> above;
  channel<transport_fact> facts;
  /// So many that no test loses data because a thread had no turn.
  actors::pool_ptr received = make_pool(512, 1 << 18, 512);
  actors::network_actor network;
  endpoint local;

  static actors::pool_ptr make_pool(size_t batches, uint32_t slab_bytes,
                                    uint32_t max_runs) {
    return caf::make_counted<actors::batch_pool>(
      actors::pool_config{batches, slab_bytes, max_runs});
  }

  /// Before what the actors write to.
  ~network_fixture() { end_actors(); }

  /// Opens NETWORK; what follows is in `facts`.
  void open(const actors::network_config& net) {
    auto observer = own(sys.spawn(transport_observer, &facts));
    auto upper = own(sys.spawn(collector, &above));
    network = own(actors::spawn_network(sys, &loop, received, net, observer));
    caf::anon_send(network, atom::attach_v, actors::batch_up_actor{upper});
    caf::anon_send(network, atom::start_v);
  }

  void expect_up() {
    auto fact = facts.take();
    CAF_REQUIRE(fact);
    if (auto x = std::get_if<actors::layer_failed>(&*fact))
      CAF_FAIL(x->what.text);
    local = std::get<actors::transport_up>(*fact).local;
    CAF_CHECK(local.port != 0);
  }

  actors::layer_failed expect_failure() {
    auto fact = facts.take();
    CAF_REQUIRE(fact);
    auto x = std::get_if<actors::layer_failed>(&*fact);
    CAF_REQUIRE(x != nullptr);
    CAF_CHECK_EQUAL(x->layer, "network");
    return *x;
  }

  bytes expect_above() {
    auto x = above.take();
    CAF_REQUIRE(x);
    return *x;
  }

  std::string status() {
    return ask<actors::layer_status>(network, atom::status_v).text;
  }

  bool status_has(const std::string& part) {
    auto text = status();
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE(text);
    return false;
  }

  /// Ends one NETWORK of several.
  void end_of(const actors::network_actor& x) {
    caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    self->wait_for(x);
    finish_round();
  }

  /// Sends it down in one message.
  void send_down(actors::batch_ptr batch) {
    caf::anon_send(network, atom::down_v, std::move(batch));
  }
};

/// Appends datagrams that share a run: all as long as the first one, the last
/// one may be shorter.
inline void add_run(actors::packet_batch& batch,
                    const std::vector<bytes>& packets) {
  auto begin = batch.used;
  for (auto& x : packets) {
    CAF_REQUIRE(batch.room() >= x.size());
    std::copy(x.begin(), x.end(), batch.data + batch.used);
    batch.used += static_cast<uint32_t>(x.size());
  }
  CAF_REQUIRE(batch.add(begin, batch.used - begin));
  if (packets.size() > 1)
    batch.runs[batch.count - 1].stride
      = static_cast<uint16_t>(packets.front().size());
}

/// `n` datagrams of `size` bytes, marked from `first` on.
inline std::vector<bytes> some_data(size_t n, size_t size, uint32_t first = 0) {
  std::vector<bytes> result;
  for (size_t i = 0; i < n; ++i)
    result.push_back(data_packet(size, first + static_cast<uint32_t>(i)));
  return result;
}

} // namespace vpn::test
