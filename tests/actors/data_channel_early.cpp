// Packets of a peer that are faster than the key they need.
#define CAF_SUITE actors.data_channel_early
#include "tests/support/data_channel_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using protocol::data_channel_config;
using protocol::role;
using test::ip_packets;
using test::owned_slab;
using test::spec_of;

namespace {

using fixture = test::data_channel_fixture;

} // namespace

CAF_TEST_FIXTURE_SCOPE(data_channel_early_tests, fixture)

CAF_TEST(packets that overtake a second key wait for it beside the first) {
  CAF_REQUIRE(install(0));
  auto old = sealed_by_peer(ip_packets(4));
  protocol::data_channel early{data_channel_config{}};
  CAF_REQUIRE(early.install(spec_of(role::server, 1), clock.now()));
  owned_slab in, out;
  auto xs = ip_packets(6);
  for (auto& x : xs)
    in.put(x);
  early.seal(in.slab, out.slab, clock.now());
  auto fast = out.packets();
  // A run of both keys, as GRO makes one.
  auto both = batch_of({old[0], old[1], fast[0], fast[1], old[2], fast[2]});
  both->runs[0].stride = static_cast<uint16_t>(old[0].size());
  both->runs[0].length = static_cast<uint32_t>(6 * old[0].size());
  both->count = 1;
  tell(layer, atom::allow_v, uint8_t{1});
  tell(layer, atom::up_v, std::move(both));
  up({fast[3], old[3], fast[4]});
  auto sealed_free = sealed->available();
  // The old key's go on; the third one stood behind another key's.
  CAF_CHECK_EQUAL(seen.up.size(), 3u);
  seen.up.clear();
  auto box = data_key_box{
    std::make_shared<const protocol::data_key_spec>(spec_of(role::client, 1))};
  CAF_CHECK(ask<uint8_t>(layer, atom::install_v, box));
  CAF_CHECK(seen.up == std::vector<bytes>(xs.begin(), xs.begin() + 5));
  CAF_CHECK_EQUAL(sealed->available(), sealed_free + 1);
  CAF_CHECK(!has(status_of(layer), "no_key"));
}

CAF_TEST(packets for a key that never comes are forgotten) {
  CAF_REQUIRE(install(0));
  protocol::data_channel early{data_channel_config{}};
  CAF_REQUIRE(early.install(spec_of(role::server, 1), clock.now()));
  owned_slab in, out;
  for (auto& x : ip_packets(200, 200))
    in.put(x);
  early.seal(in.slab, out.slab, clock.now());
  tell(layer, atom::allow_v, uint8_t{1});
  auto free = sealed->available();
  for (auto& x : out.packets())
    up({x});
  // One slab of them, and no more.
  CAF_CHECK_EQUAL(sealed->available(), free - 1);
  CAF_CHECK(has(status_of(layer), "no_key"));
  tell(layer, atom::detach_v, uint8_t{2});
  CAF_CHECK_EQUAL(sealed->available(), free - 1);
  tell(layer, atom::detach_v, uint8_t{1});
  CAF_CHECK_EQUAL(sealed->available(), free);
  CAF_CHECK_EQUAL(other->available(), other->capacity());
}

CAF_TEST_FIXTURE_SCOPE_END()
