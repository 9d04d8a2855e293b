// DATA CHANNEL alone: a TUN above and a wire below that only write down what
// they get; the peer is a protocol object of the test. Include it last.
#pragma once

#include "vpn/actors/data_channel.hpp"

#include "tests/support/data_tunnel.hpp"
#include "tests/support/layer_fixture.hpp"

namespace vpn::test {

using namespace actors;
using protocol::data_channel_config;
using protocol::role;

inline bytes ip_packet(uint16_t id, size_t payload = 100) {
  flow f;
  f.udp = true;
  segment s;
  s.id = id;
  return make_packet(f, s, bytes(payload, static_cast<uint8_t>(id)));
}

inline std::vector<bytes> ip_packets(uint16_t n, size_t payload = 100) {
  std::vector<bytes> result;
  for (uint16_t i = 0; i < n; ++i)
    result.push_back(ip_packet(i, payload));
  return result;
}

struct data_channel_fixture : layer_fixture {
  pool_ptr sealed = caf::make_counted<batch_pool>(pool_config{4, 8192, 64});
  pool_ptr other = caf::make_counted<batch_pool>(pool_config{4, 65536, 256});
  data_channel_actor layer
    = own(spawn_data_channel(sys, nullptr, sealed, &clock, around, around));
  protocol::data_channel peer{data_channel_config{}};

  data_channel_fixture() {
    tell(layer, atom::attach_v, batch_up_actor{around});
  }

  bool install(uint8_t key_id, uint64_t seed = 0) {
    auto spec = spec_of(role::client, key_id, seed);
    auto box
      = data_key_box{std::make_shared<const protocol::data_key_spec>(spec)};
    auto x = ask<uint8_t>(layer, atom::install_v, box);
    return x && *x == key_id
           && peer.install(spec_of(role::server, key_id, seed), clock.now());
  }

  void configure(duration ping, duration ping_restart) {
    data_channel_config cfg;
    cfg.ping = ping;
    cfg.ping_restart = ping_restart;
    tell(layer, cfg);
  }

  batch_ptr batch_of(const std::vector<bytes>& xs) {
    auto batch = other->get();
    CAF_REQUIRE(batch);
    for (auto& x : xs) {
      std::copy(x.begin(), x.end(), batch->data + batch->used);
      CAF_REQUIRE(batch->add(batch->used, static_cast<uint32_t>(x.size())));
      batch->used += static_cast<uint32_t>(x.size());
    }
    return batch;
  }

  void down(const std::vector<bytes>& xs) {
    tell(layer, atom::down_v, batch_of(xs));
  }

  /// What the peer makes of datagrams.
  std::vector<bytes> opened_by_peer(const std::vector<bytes>& datagrams) {
    owned_slab slab;
    for (auto& x : datagrams)
      slab.put(x);
    peer.open(slab.slab, clock.now());
    return slab.packets();
  }

  /// All datagrams that left, runs taken apart.
  std::vector<bytes> taken_from_wire() {
    std::vector<bytes> result;
    for (auto& batch : seen.batches)
      for (auto& run : *batch) {
        auto step = run.stride != 0 ? run.stride : run.length;
        for (uint32_t i = 0; i < run.length; i += step)
          result.push_back(batch->view(run).from(i).first(step).copy());
      }
    seen.batches.clear();
    return result;
  }

  std::vector<bytes> sealed_by_peer(const std::vector<bytes>& xs) {
    owned_slab in, out;
    for (auto& x : xs)
      in.put(x);
    peer.seal(in.slab, out.slab, clock.now());
    return out.packets();
  }

  void up(const std::vector<bytes>& xs) {
    tell(layer, atom::up_v, batch_of(xs));
  }
};

} // namespace vpn::test
