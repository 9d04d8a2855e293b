// HOST: a tunnel is made and taken back, in a network namespace of its own.
#define CAF_SUITE actors.host
#include "vpn/actors/host.hpp"

#include "tests/support/fresh_network.hpp"
#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"

#include <mutex>

using namespace vpn;
using namespace vpn::actors;
using vpn::test::ip;
using vpn::test::net;

namespace {

/// The namespace first: HOST's thread inherits it from its creator's.
struct fixture : test::fresh_network, test::loop_fixture {
  std::mutex mutex;
  std::vector<std::string> said;
  host_actor host;
  protocol::tunnel_config tunnel;
  std::vector<std::string> before = dump();

  fixture() {
    host_config cfg;
    cfg.log = [this](const std::string& x) {
      std::lock_guard<std::mutex> guard{mutex};
      said.push_back(x);
    };
    cfg.dns.resolv_conf = "/nonexistent/resolv.conf";
    host = own(spawn_host(sys, cfg));
    tunnel.layout = protocol::topology::subnet;
    tunnel.address4 = net("10.8.0.2/24");
    tunnel.gateway4 = ip("10.8.0.1");
    tunnel.mtu = 1400;
    protocol::route_config route;
    route.destination = net("10.20.0.0/16");
    tunnel.routes.push_back(route);
  }

  /// Both steps, the routes only when the first has worked.
  tunnel_device apply() {
    auto result = ask<tunnel_device>(host, atom::apply_v, tunnel);
    if (result.what.why == reason::none)
      result.what = ask<routes_result>(host, atom::route_v).what;
    return result;
  }
  std::string undo() { return ask<layer_status>(host, atom::undo_v).text; }

  bool was_said(const std::string& part) {
    std::lock_guard<std::mutex> guard{mutex};
    for (auto& x : said)
      if (x.find(part) != std::string::npos)
        return true;
    return false;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_tests, fixture)

CAF_TEST(a tunnel is made and taken back) {
  {
    auto device = apply();
    CAF_REQUIRE_EQUAL(device.what.text, "");
    CAF_CHECK(device.what.why == reason::none);
    CAF_REQUIRE(device.fd);
    CAF_CHECK(device.fd->valid());
    CAF_CHECK_EQUAL(device.name, "tun0");
    CAF_CHECK(device.vnet_header);
    CAF_CHECK(device.tso);
    auto link = kernel.link("tun0");
    CAF_REQUIRE(link);
    CAF_CHECK(link->up);
    CAF_CHECK_EQUAL(link->mtu, 1400u);
    CAF_CHECK_EQUAL(way_to("10.20.1.1"), "tun0 via 10.8.0.1");
    CAF_CHECK(was_said("10.20.0.0/16"));
    CAF_CHECK_EQUAL(undo(), "changes left 0");
    CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
    // The device is in the hands of who asked.
    CAF_CHECK(index("tun0") != 0);
  }
  CAF_CHECK_EQUAL(index("tun0"), 0u);
  CAF_CHECK(dump() == before);
}

CAF_TEST(undoing twice or nothing is fine) {
  CAF_CHECK_EQUAL(undo(), "changes left 0");
  {
    auto device = apply();
    CAF_CHECK_EQUAL(undo(), "changes left 0");
    CAF_CHECK_EQUAL(undo(), "changes left 0");
  }
  CAF_CHECK(dump() == before);
}

CAF_TEST(after a failure nothing is left) {
  // One before there is a device and one after.
  for (auto late : {false, true}) {
    tunnel.device = late ? "tun" : "a name that is too long";
    tunnel.mtu = late ? 10 : 1400;
    auto device = apply();
    CAF_CHECK(device.what.why != reason::none);
    CAF_CHECK(!device.what.text.empty());
    CAF_CHECK(!device.fd);
    CAF_CHECK(dump() == before);
  }
}

CAF_TEST(a device that somebody has is a failure) {
  tunnel.device = "tun7";
  auto first = apply();
  CAF_REQUIRE(first.fd);
  auto other = own(spawn_host(sys, {}));
  auto second = ask<tunnel_device>(other, atom::apply_v, tunnel);
  CAF_CHECK(second.what.why == reason::host_failed);
  CAF_CHECK(second.what.text.find("tun7") != std::string::npos);
  undo();
}

CAF_TEST(no device is nothing to do) {
  tunnel.device = "null";
  auto device = apply();
  CAF_CHECK(device.what.why == reason::none);
  CAF_CHECK(!device.fd);
  CAF_CHECK(dump() == before);
}

CAF_TEST(a second tunnel takes the place of the first) {
  auto first = apply();
  CAF_REQUIRE(first.fd);
  tunnel.routes[0].destination = net("10.40.0.0/16");
  auto second = apply();
  CAF_REQUIRE(second.fd);
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
  CAF_CHECK_EQUAL(way_to("10.40.1.1"), second.name + " via 10.8.0.1");
  first = {};
  second = {};
  undo();
  CAF_CHECK(dump() == before);
}

CAF_TEST(the same tunnel again keeps its device and says nothing) {
  auto first = apply();
  CAF_REQUIRE(first.fd);
  auto stands = dump();
  {
    std::lock_guard<std::mutex> guard{mutex};
    said.clear();
  }
  auto second = apply();
  CAF_CHECK(second.fd == first.fd);
  CAF_CHECK_EQUAL(second.name, first.name);
  CAF_CHECK(dump() == stands);
  CAF_CHECK(!was_said(""));
  undo();
}

CAF_TEST(routes come with the second step and not before) {
  auto device = ask<tunnel_device>(host, atom::apply_v, tunnel);
  CAF_REQUIRE(device.fd);
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
  auto routes = ask<routes_result>(host, atom::route_v);
  CAF_CHECK(routes.what.why == reason::none);
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "tun0 via 10.8.0.1");
  device = {};
  undo();
  CAF_CHECK(dump() == before);
}

CAF_TEST(routes without a tunnel are nothing to do) {
  CAF_CHECK(ask<routes_result>(host, atom::route_v).what.why == reason::none);
  CAF_CHECK(dump() == before);
}

CAF_TEST(a HOST that is killed takes everything back) {
  auto device = apply();
  CAF_REQUIRE(device.fd);
  caf::anon_send_exit(host, caf::exit_reason::kill);
  self->wait_for(host);
  owned.clear();
  host = nullptr;
  // Its state has ended before it counts as done.
  end_actors();
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
  device = {};
  CAF_CHECK(dump() == before);
}

CAF_TEST_FIXTURE_SCOPE_END()
