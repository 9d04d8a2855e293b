// Two data channels that share keys, and a slab for what is on the wire.
#pragma once

#include "vpn/protocol/data_channel.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

namespace vpn::test {

using namespace vpn::protocol;
using namespace std::chrono_literals;

inline instant at(duration x) {
  instant result;
  result.steady = time_point{1h} + x;
  return result;
}

inline data_key_spec spec_of(role self, uint8_t key_id, uint64_t seed = 0) {
  data_key_spec result;
  result.key_id = key_id;
  result.self = self;
  result.peer_id = 5;
  test::seeded random{seed != 0 ? seed : 100 + key_id};
  random.source()(result.keys.data(), result.keys.size());
  return result;
}

/// Two ends, with slabs between them.
struct tunnel {
  data_channel client;
  data_channel server;
  owned_slab wire;
  /// Every key could be installed so far.
  bool usable = true;

  explicit tunnel(data_channel_config cfg = {}) : client(cfg), server(cfg) {
    install(0, 0s);
  }
  void install(uint8_t key_id, duration now) {
    auto x = client.install(spec_of(role::client, key_id), at(now));
    auto y = server.install(spec_of(role::server, key_id), at(now));
    usable = usable && x && y;
  }
  /// Seals one packet at the client; the key id that it was sealed with.
  int sends_with(data_channel& from, duration now) {
    owned_slab in{200, 1};
    in.put(make_packet({}, {}, {}));
    wire.slab.clear();
    from.seal(in.slab, wire.slab, at(now));
    return wire.slab.count == 0 ? -1 : key_id_of(wire.slab.data[0]);
  }
};

/// Appends a TCP train over IPv4.
inline packet_run& put_train(owned_slab& to, byte_view xs, uint16_t stride) {
  auto& run = to.put(xs);
  run.train = train_kind::tcp4;
  run.stride = stride;
  run.needs_checksum = true;
  run.checksum_start = 20;
  run.checksum_offset = 16;
  return run;
}

/// Takes runs apart into single datagrams, as a receiver without GRO does.
inline void deliver(const owned_slab& from, owned_slab& to) {
  for (auto& x : from.packets())
    to.put(x);
}

/// An IP packet of that size.
inline bytes packet_of(size_t size) {
  return make_packet({}, {}, bytes(size - 40, 0x5a));
}

/// Every run as "stride x length".
inline std::string shape(const owned_slab& xs) {
  std::string result;
  for (auto& run : xs.slab)
    result
      += std::to_string(run.stride) + "x" + std::to_string(run.length) + " ";
  return result;
}

} // namespace vpn::test
