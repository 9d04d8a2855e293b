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

} // namespace vpn::test
