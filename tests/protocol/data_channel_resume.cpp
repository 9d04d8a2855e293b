// The data channel whose owner was replaced: it goes on where it was, or with a
// gap where nobody has been.
// spec: openvpn-wire 9.6, 9.7
#define CAF_SUITE protocol.data_channel_resume

#include "vpn/protocol/data_channel.hpp"

#include "tests/support/data_tunnel.hpp"

#include "caf/test/unit_test.hpp"

#include <set>
#include <type_traits>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;
using vpn::test::at;
using vpn::test::deliver;
using vpn::test::owned_slab;
using vpn::test::packet_of;
using vpn::test::put_train;
using vpn::test::spec_of;
using vpn::test::tunnel;

static_assert(std::is_nothrow_move_constructible_v<data_channel>);
static_assert(std::is_nothrow_move_assignable_v<data_channel>);
static_assert(!std::is_copy_constructible_v<data_channel>);

namespace {

/// Seals one packet at `from`; its id.
uint32_t id_of_next(tunnel& t, data_channel& from) {
  if (t.sends_with(from, 1s) < 0)
    return 0;
  return load_u32(t.wire.slab.data + 4);
}

/// True if the other end takes what is on the wire.
bool arrives(tunnel& t, data_channel& to) {
  owned_slab copy;
  deliver(t.wire, copy);
  to.open(copy.slab, at(1s));
  return copy.slab.count == 1;
}

} // namespace

CAF_TEST(a channel that is moved goes on where it was) {
  for (uint32_t fragment_size : {0u, 300u}) {
    data_channel_config cfg;
    cfg.fragment_size = fragment_size;
    cfg.framing = compression_framing::stub;
    tunnel t{cfg};
    CAF_CHECK_EQUAL(id_of_next(t, t.client), 1u);
    CAF_CHECK(arrives(t, t.server));
    // A packet in pieces, of which one fits.
    owned_slab in;
    in.put(packet_of(1000));
    owned_slab out{400, 8};
    bool finished = t.client.seal(in.slab, out.slab, at(1s));
    auto moved = std::move(t.client);
    t.client = data_channel{};
    CAF_CHECK(!t.client.has_key());
    owned_slab wire;
    deliver(out, wire);
    while (!finished) {
      out.slab.clear();
      finished = moved.seal(in.slab, out.slab, at(1s));
      deliver(out, wire);
    }
    auto sent = wire.slab.count;
    t.server.open(wire.slab, at(1s));
    CAF_CHECK_EQUAL(wire.slab.count, fragment_size == 0 ? 0u : 1u);
    CAF_CHECK_EQUAL(sent, fragment_size == 0 ? 0u : 4u);
    CAF_CHECK(moved.newest_key() == 0);
    t.client = std::move(moved);
    CAF_CHECK(id_of_next(t, t.client) > 1u);
    CAF_CHECK(arrives(t, t.server));
  }
}

CAF_TEST(a new owner does not go on with a batch of the old one) {
  tunnel t;
  {
    owned_slab in;
    auto train = packet_of(5000);
    put_train(in, train, 1000);
    owned_slab out{1200, 8};
    CAF_CHECK(!t.client.seal(in.slab, out.slab, at(1s)));
    // The slab goes with its owner.
  }
  t.client.resume();
  CAF_CHECK_EQUAL(t.sends_with(t.client, 1s), 0);
  CAF_CHECK(arrives(t, t.server));
  CAF_CHECK_EQUAL(t.wire.slab.count, 1u);
}

CAF_TEST(without a gap every id goes on and late packets are welcome) {
  tunnel t;
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 1u);
  owned_slab late;
  deliver(t.wire, late);
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 2u);
  CAF_CHECK(arrives(t, t.server));
  t.client.resume();
  t.server.resume();
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 3u);
  CAF_CHECK(arrives(t, t.server));
  CAF_CHECK(!arrives(t, t.server));
  t.server.open(late.slab, at(1s));
  CAF_CHECK_EQUAL(late.slab.count, 1u);
}

CAF_TEST(a gap is left by every key that is installed) {
  tunnel t;
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 1u);
  t.install(1, 100s);
  t.client.resume_with_gap(1000);
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 1002u);
  CAF_CHECK(arrives(t, t.server));
  t.client.retire(0);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 101s), 1);
  CAF_CHECK_EQUAL(load_u32(t.wire.slab.data + 4), 1001u);
  CAF_CHECK(arrives(t, t.server));
  CAF_CHECK(!t.client.poll_event());
  // A key that comes later has no gap.
  t.install(2, 200s);
  t.client.retire(1);
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 1u);
}

CAF_TEST(nothing that an old owner accepted is accepted again) {
  // The state that is taken over is a little older than what was accepted.
  tunnel t;
  tunnel older;
  std::vector<bytes> packets;
  for (int i = 0; i < 40; ++i) {
    CAF_CHECK(id_of_next(t, t.client) != 0);
    packets.push_back(t.wire.packets().at(0));
    CAF_CHECK(arrives(t, t.server));
    if (i < 10)
      CAF_CHECK(arrives(t, older.server));
  }
  older.server.resume_with_gap(30);
  for (auto& x : packets) {
    owned_slab again;
    again.put(x);
    older.server.open(again.slab, at(1s));
    CAF_CHECK_EQUAL(again.slab.count, 0u);
  }
  CAF_CHECK_EQUAL(older.server.statistics().drops.of(errc::replayed), 40u);
  CAF_CHECK_EQUAL(id_of_next(t, t.client), 41u);
  CAF_CHECK(arrives(t, older.server));
}

CAF_TEST(two owners with a gap between them share no id) {
  tunnel old;
  tunnel fresh;
  std::set<uint32_t> used;
  for (int i = 0; i < 5; ++i) {
    used.insert(id_of_next(old, old.client));
    id_of_next(fresh, fresh.client);
  }
  fresh.client.resume_with_gap(64);
  // The old one wakes up, and the new one is at work already.
  for (int i = 0; i < 64; ++i) {
    CAF_CHECK(used.insert(id_of_next(old, old.client)).second);
    CAF_CHECK(used.insert(id_of_next(fresh, fresh.client)).second);
  }
  CAF_CHECK_EQUAL(used.count(0), 0u);
}

CAF_TEST(a key with too few ids for the gap asks for another one once) {
  data_channel client;
  CAF_CHECK(!client.newest_key());
  auto spec = spec_of(role::client, 3);
  spec.limits.rekey_id = 900;
  spec.limits.last_id = 1000;
  CAF_CHECK(client.install(spec, at(0s)));
  CAF_CHECK(client.newest_key() == 3);
  client.resume_with_gap(500);
  CAF_CHECK(!client.poll_event());
  client.resume_with_gap(500);
  auto event = client.poll_event();
  CAF_REQUIRE(event && std::holds_alternative<rekey_needed>(*event));
  CAF_CHECK_EQUAL(std::get<rekey_needed>(*event).key_id, 3u);
  client.resume_with_gap(500);
  CAF_CHECK(!client.poll_event());
  tunnel t;
  CAF_CHECK_EQUAL(t.sends_with(client, 1s), -1);
  CAF_CHECK_EQUAL(client.statistics().drops.of(errc::bad_packet_id), 1u);
  // A new key takes over at once, with or without the peer's consent.
  CAF_CHECK(client.install(spec_of(role::client, 4), at(1s)));
  CAF_CHECK(client.newest_key() == 4);
  CAF_CHECK_EQUAL(t.sends_with(client, 1s), 4);
}

CAF_TEST(a channel without a key resumes to nothing) {
  data_channel x;
  x.resume();
  x.resume_with_gap(1000);
  CAF_CHECK(!x.has_key());
  CAF_CHECK(!x.newest_key());
  CAF_CHECK(!x.poll_event());
  CAF_CHECK(!x.poll_timeout());
}
