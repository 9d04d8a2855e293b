// Every layer dies, crashes and hangs in every state of a session; and the
// session, or the next one, carries traffic afterwards.
// spec: design 6
#define CAF_SUITE pair.restarts
#include "vpn/protocol/layer.hpp"

#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::all_layers;
using protocol::layer;
using protocol::phase;

namespace {

/// Where a client is when its layer is struck.
enum class moment : uint8_t {
  resetting,
  negotiating,
  configuring,
  assigning,
  connected,
  renegotiating,
  waiting,
  closing,
};

constexpr std::array<moment, 8> all_moments{
  moment::resetting, moment::negotiating, moment::configuring,
  moment::assigning, moment::connected,   moment::renegotiating,
  moment::waiting,   moment::closing};

std::string to_string(moment x) {
  constexpr std::array<const char*, 8> names{
    "resetting", "negotiating",   "configuring", "assigning",
    "connected", "renegotiating", "waiting",     "closing"};
  return names[static_cast<size_t>(x)];
}

struct struck_pair : vpn_pair {
  static pair_config config() {
    pair_config cfg;
    cfg.faults.delay = 50ms;
    cfg.restart_server = true;
    cfg.ping = 3;
    cfg.ping_restart = 12;
    return cfg;
  }

  explicit struck_pair(moment when) : vpn_pair(config()) {
    for (auto* x : {&client, &server}) {
      x->cfg->heartbeat = 2s;
      x->cfg->session.reneg_after = 0s;
      x->cfg->scripts.route_up = {"/bin/route-up"};
    }
    if (when == moment::configuring)
      server.saw.host_delay = 2s;
    if (when == moment::assigning)
      client.saw.host_delay = 2s;
    if (when == moment::renegotiating)
      client.cfg->session.reneg_after = 30s;
    if (when == moment::resetting)
      set_link_up(false);
    start();
    reach(when);
    server.saw.host_delay = client.saw.host_delay = 0s;
  }

  void reach(moment when) {
    auto in = [this](phase x) {
      return [this, x] {
        return !client.saw.phases.empty() && client.saw.phases.back() == x;
      };
    };
    auto there = true;
    switch (when) {
      case moment::resetting:
        there = drive(10s, in(phase::wait));
        break;
      case moment::negotiating:
        there = drive(10s, in(phase::auth));
        break;
      case moment::configuring:
        there = drive(10s, in(phase::get_config));
        break;
      case moment::assigning:
        there = drive(10s, in(phase::add_routes));
        break;
      case moment::connected:
        there = drive_to_connected(10s);
        drive(5s);
        break;
      case moment::renegotiating:
        there = drive(40s, [this] {
          return server.saw.noted("TLS: soft reset by the peer");
        });
        break;
      case moment::waiting:
        there = drive_to_connected(10s);
        set_link_up(false);
        there = there && drive(60s, in(phase::reconnecting));
        break;
      case moment::closing:
        there = drive_to_connected(10s);
        caf::anon_send(client.supervisor, atom::stop_v, reason::terminated);
        break;
    }
    if (!there)
      CAF_FAIL(to_string(when) << " is never reached: " << story());
  }

  size_t completed() const {
    return client.saw.times("Initialization Sequence Completed");
  }
};

void strike(moment when, layer what, const std::string& how) {
  CAF_MESSAGE(to_string(when) << " " << to_string(what) << ":" << how);
  struck_pair x{when};
  x.fault(x.client, to_string(what) + ":" + how);
  x.drive(when == moment::connected ? 5s : 1s);
  x.set_link_up(true);
  if (when == moment::closing) {
    if (!x.drive(70s, [&] {
          return !x.client.saw.ended.empty();
        }))
      CAF_FAIL(x.story());
    CAF_CHECK_EQUAL(x.client.saw.ended.size(), 1u);
    CAF_CHECK(x.client.saw.ended[0].why == reason::terminated);
    return;
  }
  // A stall is over when the layer has been replaced, or its time is up.
  x.drive(10s);
  x.clear_faults(x.client);
  auto up = x.drive(150s, [&] {
    return vpn_pair::connected(x.client) && vpn_pair::connected(x.server);
  });
  if (!up || !x.client.saw.ended.empty())
    CAF_FAIL("no session: " << x.story());
  x.drive(15s);
  if (!x.carries())
    CAF_FAIL("no traffic: " << x.story());
}

/// One connected client struck; what survives is in the table of design 6.
struct survival {
  layer what;
  /// "Initialization Sequence Completed" in all.
  size_t completed;
  /// Keys after the first one.
  size_t new_keys;
  /// Sockets in all.
  size_t sockets;
};

} // namespace

CAF_TEST(every layer is killed in every state) {
  for (auto when : all_moments)
    for (auto what : all_layers)
      strike(when, what, "kill=0s");
}

CAF_TEST(every layer crashes in every state) {
  for (auto when : all_moments)
    for (auto what : all_layers)
      strike(when, what, "crash=0s");
}

CAF_TEST(every layer hangs in every state) {
  for (auto when : all_moments)
    for (auto what : all_layers)
      strike(when, what, "stall=0s/9s");
}

CAF_TEST(what survives the death of each layer) {
  const survival table[] = {
    {layer::network, 1, 0, 2},  {layer::muxer, 1, 0, 1},
    {layer::reliable, 1, 1, 1}, {layer::control, 1, 1, 1},
    {layer::tls, 1, 1, 1},      {layer::data_channel, 1, 0, 1},
    {layer::tun, 1, 0, 1},      {layer::host, 1, 0, 1},
    {layer::resolver, 1, 0, 1}, {layer::runner, 1, 0, 1},
  };
  for (auto& row : table) {
    CAF_MESSAGE(to_string(row.what));
    struck_pair x{moment::connected};
    auto undone = x.client.saw.undone;
    x.fault(x.client, to_string(row.what) + ":kill=0s");
    x.drive(3s);
    if (x.completed() != row.completed || !x.carries())
      CAF_FAIL(x.story());
    CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), row.new_keys);
    CAF_CHECK_EQUAL(x.client.sockets, row.sockets);
    CAF_CHECK_EQUAL(x.client.saw.undone, undone);
    CAF_CHECK(x.client.saw.times("restarting") == 0u);
  }
}

CAF_TEST(a stuck data channel is replaced with a new key at once) {
  struck_pair x{moment::connected};
  x.fault(x.client, "data_channel:stall=0s/1h");
  x.drive(8s);
  CAF_CHECK(x.client.saw.noted("does not answer"));
  CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 1u);
  CAF_CHECK_EQUAL(x.completed(), 1u);
  if (!x.carries())
    CAF_FAIL(x.story());
}

CAF_TEST(five deaths in ten seconds end the session with their reason) {
  struck_pair x{moment::connected};
  x.fault(x.client, "muxer:kill=0s,every=1s");
  x.drive(30s);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "restart_intensity");
  CAF_CHECK_EQUAL(exit_code(x.client.saw.ended[0].why), 12);
  CAF_CHECK(x.client.saw.undone > 0);
}

CAF_TEST(deaths that are rarer are survived for ever) {
  struck_pair x{moment::connected};
  x.fault(x.client, "muxer:kill=0s,every=3s");
  x.drive(300s);
  CAF_CHECK(x.client.saw.ended.empty());
  CAF_CHECK_EQUAL(x.completed(), 1u);
  x.clear_faults(x.client);
  if (!x.carries())
    CAF_FAIL(x.story());
}

CAF_TEST(nothing is left of layers that were killed a thousand times) {
  struck_pair x{moment::connected};
  auto actors = x.running();
  for (int i = 0; i < 1000; ++i) {
    x.fault(x.client, "muxer:kill=0s");
    x.drive(3s);
    x.fault(x.client, "data_channel:kill=0s");
    x.drive(3s);
  }
  x.clear_faults(x.client);
  x.drive(5s);
  CAF_CHECK_EQUAL(x.running(), actors);
  // Those of the last heartbeats.
  CAF_CHECK(x.pending_timers() < 40);
  if (!x.carries())
    CAF_FAIL(x.story());
}
