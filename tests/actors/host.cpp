// HOST: a tunnel is made and taken back, in a network namespace of its own.
#define CAF_SUITE actors.host
#include "vpn/actors/host.hpp"

#include "tests/support/fresh_network.hpp"
#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"

#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include <unistd.h>

using namespace vpn;
using namespace vpn::actors;
using vpn::test::ip;
using vpn::test::net;

namespace {

/// The namespace first: HOST's thread inherits it from its creator's.
struct fixture : test::fresh_network, test::loop_fixture {
  std::mutex mutex;
  std::vector<std::string> said;
  bool throws = false;
  char directory[24] = "/tmp/vpn-host-XXXXXX";
  host_config cfg;
  host_actor host;
  protocol::tunnel_config tunnel;
  std::vector<std::string> before = dump();

  fixture() {
    CAF_REQUIRE(mkdtemp(directory) != nullptr);
    cfg.log = [this](const std::string& x) {
      std::lock_guard<std::mutex> guard{mutex};
      said.push_back(x);
      if (throws)
        throw std::runtime_error("a bug");
    };
    cfg.dns.resolv_conf = std::string{directory} + "/resolv.conf";
    cfg.dns.system_bus = "unix:path=/nonexistent";
    std::ofstream{cfg.dns.resolv_conf} << "nameserver 192.0.2.53\n";
    host = own(spawn_host(sys, cfg));
    tunnel.layout = protocol::topology::subnet;
    tunnel.address4 = net("10.8.0.2/24");
    tunnel.gateway4 = ip("10.8.0.1");
    tunnel.mtu = 1400;
    protocol::route_config route;
    route.destination = net("10.20.0.0/16");
    tunnel.routes.push_back(route);
    protocol::dns_server server;
    server.addresses.push_back({ip("10.8.0.1"), 0, 0});
    tunnel.dns.servers.push_back(server);
  }
  ~fixture() {
    end_actors();
    unlink(cfg.dns.resolv_conf.c_str());
    rmdir(directory);
  }

  std::string names() const {
    std::ostringstream out;
    out << std::ifstream{cfg.dns.resolv_conf}.rdbuf();
    return out.str();
  }
  void clear_said() {
    std::lock_guard<std::mutex> guard{mutex};
    said.clear();
  }
  size_t said_lines() {
    std::lock_guard<std::mutex> guard{mutex};
    return said.size();
  }

  /// Ends HOST for this reason; its state is gone when this returns.
  void end(caf::exit_reason why) {
    caf::anon_send_exit(host, why);
    self->wait_for(host);
    owned.clear();
    host = nullptr;
    sys.registry().await_running_count_equal(1);
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
  clear_said();
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

CAF_TEST(a HOST that ends in order takes everything back) {
  for (auto why : {caf::exit_reason::user_shutdown, caf::exit_reason::normal}) {
    if (!host)
      host = own(spawn_host(sys, cfg));
    auto device = apply();
    CAF_REQUIRE(device.fd);
    end(why);
    CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
    CAF_CHECK_EQUAL(names(), "nameserver 192.0.2.53\n");
    CAF_CHECK(cfg.journal->empty());
    device = {};
    CAF_CHECK(dump() == before);
  }
}

CAF_TEST(a HOST that is killed leaves everything to the next) {
  auto first = apply();
  CAF_REQUIRE(first.fd);
  auto stands = dump();
  auto text = names();
  CAF_CHECK(text.find("nameserver 10.8.0.1") != text.npos);
  for (auto why :
       {caf::exit_reason::kill, caf::exit_reason::unhandled_exception,
        caf::exit_reason::unreachable}) {
    end(why);
    CAF_CHECK(dump() == stands);
    CAF_CHECK_EQUAL(names(), text);
    clear_said();
    host = own(spawn_host(sys, cfg));
    auto again = apply();
    CAF_CHECK_EQUAL(again.what.text, "");
    CAF_CHECK(again.fd == first.fd);
    CAF_CHECK_EQUAL(again.name, first.name);
    CAF_CHECK(again.vnet_header == first.vnet_header);
    CAF_CHECK(dump() == stands);
    CAF_CHECK_EQUAL(names(), text);
    CAF_CHECK(!was_said(""));
  }
  first = {};
  CAF_CHECK_EQUAL(undo(), "changes left 0");
  CAF_CHECK(dump() == before);
  CAF_CHECK_EQUAL(names(), "nameserver 192.0.2.53\n");
}

CAF_TEST(the next HOST changes what differs) {
  CAF_REQUIRE(apply().fd);
  end(caf::exit_reason::kill);
  host = own(spawn_host(sys, cfg));
  clear_said();
  tunnel.routes[0].destination = net("10.40.0.0/16");
  tunnel.dns.servers[0].addresses[0].address = ip("10.8.0.53");
  CAF_CHECK_EQUAL(apply().what.text, "");
  CAF_CHECK_EQUAL(said_lines(), 3u); // one route more, one less, names
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
  CAF_CHECK_EQUAL(way_to("10.40.1.1"), "tun0 via 10.8.0.1");
  CAF_CHECK(names().find("nameserver 10.8.0.53") != std::string::npos);
  undo();
  CAF_CHECK(dump() == before);
  CAF_CHECK_EQUAL(names(), "nameserver 192.0.2.53\n");
}

CAF_TEST(the next HOST can undo what it has never made) {
  CAF_REQUIRE(apply().fd);
  end(caf::exit_reason::kill);
  host = own(spawn_host(sys, cfg));
  CAF_CHECK_EQUAL(undo(), "changes left 0");
  CAF_CHECK(dump() == before);
  CAF_CHECK_EQUAL(names(), "nameserver 192.0.2.53\n");
}

CAF_TEST(a death between both steps is no hole in the tunnel) {
  CAF_REQUIRE(ask<tunnel_device>(host, atom::apply_v, tunnel).fd);
  end(caf::exit_reason::kill);
  host = own(spawn_host(sys, cfg));
  auto routes = ask<routes_result>(host, atom::route_v);
  CAF_CHECK_EQUAL(routes.what.text, "");
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "tun0 via 10.8.0.1");
  undo();
  CAF_CHECK(dump() == before);
}

CAF_TEST(another server is exempted while a tunnel stands) {
  auto exempt = [&] {
    auto result = ask<routes_result>(host, atom::exempt_v,
                                     endpoint{ip("198.51.100.8"), 1194, 0});
    CAF_CHECK_EQUAL(result.what.text, "");
    return result.warnings;
  };
  using lines = std::vector<std::string>;
  CAF_CHECK_EQUAL(exempt(), lines{});
  tunnel.redirect.ipv4 = true;
  tunnel.redirect.def1 = true;
  tunnel.server = {ip("192.0.2.7"), 1194, 0};
  CAF_REQUIRE(apply().fd);
  auto warnings = exempt();
  CAF_REQUIRE_EQUAL(warnings.size(), 1u);
  CAF_CHECK_EQUAL(warnings[0].find("no way to 198.51.100.8 around the tunnel"),
                  0u);
  add_route("0.0.0.0/0", "192.0.2.1", "up0");
  CAF_CHECK_EQUAL(exempt(), lines{});
  CAF_CHECK_EQUAL(way_to("198.51.100.8"), "up0 via 192.0.2.1");
  // The HOST that comes after one that died knows of it, and does it again
  // when the kernel has dropped it.
  end(caf::exit_reason::kill);
  host = own(spawn_host(sys, cfg));
  CAF_REQUIRE(
    kernel.remove_route(route("198.51.100.8/32", "192.0.2.1", "up0")));
  CAF_CHECK_EQUAL(exempt(), lines{});
  CAF_CHECK_EQUAL(way_to("198.51.100.8"), "up0 via 192.0.2.1");
  undo();
  CAF_CHECK(cfg.journal->empty());
  CAF_REQUIRE(kernel.remove_route(route("0.0.0.0/0", "192.0.2.1", "up0")));
  CAF_CHECK(dump() == before);
  CAF_CHECK_EQUAL(exempt(), lines{});
}

CAF_TEST(what no HOST is left to undo is undone without one) {
  CAF_REQUIRE(apply().fd);
  end(caf::exit_reason::kill);
  CAF_CHECK(dump() != before);
  CAF_CHECK(undo_without_host(cfg));
  CAF_CHECK(cfg.journal->empty());
  CAF_CHECK(!cfg.journal->standing().device.fd);
  CAF_CHECK(dump() == before);
  CAF_CHECK_EQUAL(names(), "nameserver 192.0.2.53\n");
  clear_said();
  CAF_CHECK(undo_without_host(cfg));
  CAF_CHECK_EQUAL(said_lines(), 0u);
}

CAF_TEST(another device after a death takes the first one back) {
  CAF_REQUIRE(apply().fd);
  end(caf::exit_reason::kill);
  host = own(spawn_host(sys, cfg));
  tunnel.device = "tun1";
  auto device = apply();
  CAF_CHECK_EQUAL(device.what.text, "");
  CAF_CHECK_EQUAL(device.name, "tun1");
  CAF_CHECK_EQUAL(index("tun0"), 0u);
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "tun1 via 10.8.0.1");
  device = {};
  undo();
  CAF_CHECK(dump() == before);
}

CAF_TEST(a HOST that dies of a bug leaves everything to the next) {
  CAF_REQUIRE(apply().fd);
  auto stands = dump();
  tunnel.routes[0].destination = net("10.40.0.0/16");
  {
    std::lock_guard<std::mutex> guard{mutex};
    throws = true;
  }
  self->request(host, test::long_enough, atom::apply_v, tunnel)
    .receive([](const tunnel_device&) {}, [](const caf::error&) {});
  // Addresses are the same, so the first line to throw is that of a route.
  self->request(host, test::long_enough, atom::route_v)
    .receive(
      [](const routes_result&) {
        CAF_FAIL("it does not die");
      },
      [](const caf::error&) {});
  self->wait_for(host);
  owned.clear();
  sys.registry().await_running_count_equal(1);
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "tun0 via 10.8.0.1");
  CAF_CHECK(dump() != stands);
  {
    std::lock_guard<std::mutex> guard{mutex};
    throws = false;
  }
  host = own(spawn_host(sys, cfg));
  CAF_CHECK_EQUAL(apply().what.text, "");
  CAF_CHECK_EQUAL(way_to("10.20.1.1"), "none");
  CAF_CHECK_EQUAL(way_to("10.40.1.1"), "tun0 via 10.8.0.1");
  undo();
  CAF_CHECK(dump() == before);
}

CAF_TEST(a HOST waits for one that was given up and is at work) {
  end(caf::exit_reason::kill);
  {
    auto held = cfg.journal->turn();
    host = own(spawn_host(sys, cfg));
    // What the other one still does counts.
    host_change late;
    late.device = "up0";
    late.device_index = index("up0");
    late.prefix = net("10.77.0.0/16");
    late.gateway = ip("192.0.2.77");
    cfg.journal->add(late);
    add_route("10.77.0.0/16", "192.0.2.77", "up0");
  }
  CAF_CHECK_EQUAL(undo(), "changes left 0");
  CAF_CHECK(dump() == before);
}

CAF_TEST_FIXTURE_SCOPE_END()
