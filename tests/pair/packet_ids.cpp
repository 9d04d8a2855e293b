// No nonce and no wrap packet id is ever used twice, whatever dies: every
// datagram that leaves is written down with its key and its id.
// spec: design 6, openvpn-wire 2.6, 9.6
#define CAF_SUITE pair.packet_ids
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

#include <set>
#include <tuple>

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::wrap_mode;

namespace {

constexpr size_t head = 9; // opcode and session id
constexpr size_t sha1_size = 20;

struct watched_pair : vpn_pair {
  watched_pair(const pair_config& cfg, wrap_mode wrap, bool epoch)
    : vpn_pair(cfg) {
    for (auto* x : {&client, &server}) {
      x->cfg->heartbeat = 1s;
      x->cfg->session.reneg_after = 0s;
    }
    client.cfg->session.reneg_after = 40s;
    tap = [this, wrap, epoch](const side& from, byte_view datagram) {
      note(&from == &client, wrap, epoch, datagram);
    };
  }

  void note(bool is_client, wrap_mode wrap, bool epoch, byte_view x) {
    auto key_id = protocol::key_id_of(x[0]);
    uint64_t id = 0;
    if (protocol::is_data(x[0])) {
      id = load_u32(x.data() + 4);
      if (epoch)
        id = id << 32 | load_u32(x.data() + 8);
      again += data.insert({is_client, number_of(is_client, key_id), id}).second
                 ? 0
                 : 1;
      return;
    }
    if (wrap == wrap_mode::none)
      return;
    // Later key ids are wrapped as tls-crypt with a key of their own.
    auto dynamic = key_id > 0;
    auto at = head + (wrap == wrap_mode::tls_auth && !dynamic ? sha1_size : 0);
    id = uint64_t{load_u32(x.data() + at)} << 32 | load_u32(x.data() + at + 4);
    again += control.insert({is_client, dynamic, id}).second ? 0 : 1;
  }

  /// Key ids come again after seven keys, of which two are in use. The newest
  /// one may be in use before it was told.
  size_t number_of(bool is_client, uint8_t key_id) const {
    auto number = new_keys(is_client ? client : server) + 1;
    while (number > 0 && (number - 1) % 7 + 1 != key_id)
      --number;
    return number;
  }

  /// Who sent it, under which key, under which id.
  std::set<std::tuple<bool, size_t, uint64_t>> data;
  std::set<std::tuple<bool, bool, uint64_t>> control;
  size_t again = 0;
};

void kill_all_over(uint64_t seed, wrap_mode wrap, bool epoch,
                   const std::string& how) {
  pair_config cfg;
  cfg.seed = seed;
  cfg.wrap = wrap;
  cfg.epoch = epoch;
  cfg.ping = 1;
  cfg.ping_restart = 0;
  watched_pair x{cfg, wrap, epoch};
  x.start();
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
  seeded random{seed};
  constexpr std::array<const char*, 3> layers{"muxer", "data_channel",
                                              "network"};
  uint32_t number = 0;
  for (int i = 0; i < 60; ++i) {
    auto& side = random.below(2) == 0 ? x.client : x.server;
    auto what = std::string{layers[random.below(layers.size())]};
    if (i % 2 == 0)
      x.fault(side, what + ":" + how);
    for (int j = 0; j < 40; ++j, ++number) {
      x.send(x.client, {numbered_packet(number, 60)});
      x.send(x.server, {numbered_packet(number, 60)});
      x.drive(100ms);
    }
    x.clear_faults(side);
  }
  x.drive(5s);
  CAF_CHECK_EQUAL(x.again, 0u);
  CAF_CHECK(x.data.size() > 3000);
  if (wrap != wrap_mode::none)
    CAF_CHECK(x.control.size() > 40);
  if (x.client.saw.count(protocol::phase::reconnecting) != 0
      || !x.server.saw.ended.empty())
    CAF_FAIL("seed " << seed << ": " << x.story());
  if (!x.carries())
    CAF_FAIL("seed " << seed << ": " << x.story());
}

} // namespace

CAF_TEST(no id comes twice when layers die) {
  for (uint64_t seed = 1; seed <= 4; ++seed)
    for (auto wrap :
         {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt})
      kill_all_over(seed, wrap, seed % 2 == 0, "kill=0s");
}

CAF_TEST(no id comes twice when layers hang and are replaced) {
  for (uint64_t seed = 11; seed <= 14; ++seed)
    for (auto wrap :
         {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt})
      kill_all_over(seed, wrap, seed % 2 == 0, "stall=0s/3s");
}
