// The user's scripts around a session: in which order they run, what they are
// told, and what comes of one that fails.
#define CAF_SUITE pair.scripts
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

/// A client with a script for everything.
struct scripted_pair : vpn_pair {
  explicit scripted_pair(const pair_config& cfg = restarting())
    : vpn_pair(cfg) {
    auto& x = scripts();
    x.up = {"/etc/up", "first"};
    x.down = {"/etc/down"};
    x.route_up = {"/etc/route-up", "a", "b"};
    x.route_pre_down = {"/etc/route-pre-down"};
    x.ipchange = {"/etc/ipchange"};
    x.dns_updown = {"/etc/dns-updown"};
    server.settings().exit_notify = 1;
  }
  static pair_config restarting() {
    pair_config result;
    result.restart_server = true;
    return result;
  }

  protocol::profile_scripts& scripts() { return client.cfg->scripts; }
  session_record& saw() { return client.saw; }
  void connect() {
    start();
    if (!drive_to_connected(5s))
      CAF_FAIL(story());
  }
  /// The server leaves, and the client comes back to the next one.
  void reconnect() {
    saw().order.clear();
    saw().phases.clear();
    stop(server);
    if (!drive(5s,
               [this] {
                 return saw().count(protocol::phase::reconnecting) > 0;
               })
        || !drive_to_connected(5s))
      CAF_FAIL(story());
  }
  std::string end() {
    saw().order.clear();
    stop(client);
    drive(5s);
    return saw().joined_order();
  }
  void check_order(const std::string& expected) {
    CAF_CHECK_EQUAL(saw().joined_order(), expected);
  }
  void check_ended(reason why) {
    if (saw().ended.size() != 1 || saw().ended[0].why != why)
      CAF_FAIL(story());
  }
};

/// A client that asks a command about its server.
struct judging_pair : scripted_pair {
  explicit judging_pair(const pair_config& cfg = restarting())
    : scripted_pair(cfg) {
    scripts() = {};
    scripts().tls_verify = {"/etc/verify", "strictly"};
    client.cfg->session.asks_about_peer = true;
  }
};

} // namespace

// -- order --

CAF_TEST(scripts run where OpenVPN runs them) {
  scripted_pair x;
  x.connect();
  x.check_order("ipchange apply up route dns-up route-up");
  CAF_CHECK_EQUAL(x.end(), "route-pre-down undo dns-down down");
  x.check_ended(reason::terminated);
}

CAF_TEST(down pre runs before the device goes) {
  scripted_pair x;
  x.scripts().down_pre = true;
  x.connect();
  CAF_CHECK_EQUAL(x.end(), "route-pre-down down undo dns-down");
}

CAF_TEST(down runs whether or not there is an up) {
  for (auto pre : {true, false}) {
    scripted_pair x;
    x.scripts() = {};
    x.scripts().down = {"/etc/down"};
    x.scripts().down_pre = pre;
    x.connect();
    CAF_CHECK_EQUAL(x.end(), pre ? "down undo" : "undo down");
  }
}

CAF_TEST(a session that never came up runs nothing at its end) {
  scripted_pair x;
  x.set_link_up(false);
  x.start();
  x.drive(5s);
  CAF_CHECK_EQUAL(x.end(), "undo");
}

CAF_TEST(a reconnect takes everything down and up again) {
  scripted_pair x;
  x.connect();
  x.reconnect();
  x.check_order("route-pre-down undo dns-down down "
                "ipchange apply up route dns-up route-up");
  CAF_CHECK_EQUAL(x.saw().variable("down", "signal"),
                  "server-pushed-connection-reset");
  CAF_CHECK_EQUAL(x.saw().variable("up", "script_context"), "init");
}

// -- a device that stays --

CAF_TEST(persist tun keeps the device and its routes) {
  for (auto pushed : {true, false}) {
    scripted_pair x;
    if (pushed)
      x.server.cfg->session.server.push.emplace_back("persist-tun");
    else
      x.client.cfg->persist_tun = true;
    x.connect();
    x.reconnect();
    x.check_order("ipchange apply route");
    CAF_CHECK_EQUAL(x.saw().undone, 0u);
    CAF_CHECK_EQUAL(x.saw().devices, 2u);
    CAF_CHECK(x.carries());
    CAF_CHECK_EQUAL(x.end(), "route-pre-down undo dns-down down");
    CAF_CHECK_EQUAL(x.saw().variable("down", "signal"), "sigterm");
  }
}

CAF_TEST(up restart scripts hear of a reconnect) {
  scripted_pair x;
  x.client.cfg->persist_tun = true;
  x.scripts().up_restart = true;
  x.connect();
  CAF_CHECK_EQUAL(std::string{x.saw().words_of("up").back()}, "init");
  x.saw().runs.clear();
  x.reconnect();
  x.check_order("down ipchange apply up route");
  CAF_CHECK(x.saw().words_of("down")
            == (strings{"/etc/down", "tun0", "1500", "0", "10.8.0.2",
                        "255.255.255.0", "restart"}));
  CAF_CHECK_EQUAL(std::string{x.saw().words_of("up").back()}, "restart");
  CAF_CHECK_EQUAL(x.saw().variable("up", "script_context"), "restart");
}

CAF_TEST(a device that does not fit the new push is opened anew) {
  scripted_pair x;
  x.client.cfg->persist_tun = true;
  x.connect();
  x.saw().runs.clear();
  x.server.cfg->session.server.push[1] = "ifconfig 10.8.0.77 255.255.255.0";
  x.reconnect();
  x.check_order("ipchange route-pre-down undo dns-down down "
                "apply up route dns-up route-up");
  CAF_CHECK(x.saw().noted("NOTE: Pulled options changed on restart"));
  // The old tunnel goes under its own name and address.
  CAF_CHECK(x.saw().words_of("down")
            == (strings{"/etc/down", "tun0", "1500", "0", "10.8.0.2",
                        "255.255.255.0", "init"}));
  CAF_CHECK(x.saw().words_of("up")
            == (strings{"/etc/up", "first", "tun0", "1500", "0", "10.8.0.77",
                        "255.255.255.0", "init"}));
  CAF_CHECK_EQUAL(x.saw().undone, 1u);
  CAF_CHECK(x.carries());
}

CAF_TEST(a stop while the device waits for its next session takes it down) {
  scripted_pair x;
  x.client.cfg->persist_tun = true;
  x.connect();
  x.set_link_up(false);
  x.drive(3min);
  CAF_CHECK(x.saw().noted("Inactivity timeout"));
  CAF_CHECK_EQUAL(x.saw().undone, 0u);
  CAF_CHECK_EQUAL(x.end(), "route-pre-down undo dns-down down");
  // Of the tunnel that stood, though the try after it had none.
  CAF_CHECK_EQUAL(x.saw().variable("down", "dev"), "tun0");
  CAF_CHECK_EQUAL(x.saw().variable("down", "ifconfig_local"), "10.8.0.2");
  x.check_ended(reason::terminated);
}

CAF_TEST(a device that was kept goes when there is no further try) {
  scripted_pair x;
  x.client.cfg->persist_tun = true;
  x.client.cfg->plan.max_tries = 1;
  x.client.settings().connect_timeout = 10s;
  x.connect();
  x.saw().order.clear();
  x.set_link_up(false);
  x.drive(3min);
  x.check_ended(reason::no_answer);
  x.check_order("route-pre-down undo dns-down down");
}

// -- what they are told --

CAF_TEST(up and down get the arguments of OpenVPN) {
  scripted_pair x;
  x.connect();
  CAF_CHECK(x.saw().words_of("up")
            == (strings{"/etc/up", "first", "tun0", "1500", "0", "10.8.0.2",
                        "255.255.255.0", "init"}));
  CAF_CHECK(x.saw().words_of("route-up")
            == (strings{"/etc/route-up", "a", "b"}));
  CAF_CHECK(x.saw().words_of("ipchange")
            == (strings{"/etc/ipchange", "[AF_INET]192.0.2.2 1194"}));
  CAF_CHECK(x.saw().words_of("dns-up") == strings{"/etc/dns-updown"});
}

CAF_TEST(scripts are told about tunnel and server) {
  scripted_pair x;
  x.client.cfg->environment = {{"MINE", "yes"}};
  x.server.cfg->session.server.push.emplace_back("setenv-safe COLOUR blue");
  x.connect();
  auto is = [&](const std::string& type, const std::string& name) {
    return x.saw().variable(type, name);
  };
  CAF_CHECK_EQUAL(is("up", "dev"), "tun0");
  CAF_CHECK_EQUAL(is("up", "ifconfig_local"), "10.8.0.2");
  CAF_CHECK_EQUAL(is("up", "ifconfig_netmask"), "255.255.255.0");
  CAF_CHECK_EQUAL(is("up", "route_vpn_gateway"), "10.8.0.1");
  CAF_CHECK_EQUAL(is("route-up", "route_network_1"), "192.168.77.0");
  CAF_CHECK_EQUAL(is("route-up", "route_gateway_1"), "10.8.0.1");
  CAF_CHECK_EQUAL(is("up", "trusted_ip"), "192.0.2.2");
  CAF_CHECK_EQUAL(is("up", "common_name"), "server");
  CAF_CHECK_EQUAL(is("up", "X509_0_CN"), "server");
  CAF_CHECK_EQUAL(is("up", "username"), "alice");
  CAF_CHECK_EQUAL(is("up", "OPENVPN_COLOUR"), "blue");
  for (auto type : {"ipchange", "up", "route-up", "dns-up"})
    CAF_CHECK_EQUAL(is(type, "MINE"), "yes");
  // Nobody is told the password.
  for (auto& run : x.saw().runs)
    for (auto& line : run.environment)
      CAF_CHECK(line.find("wonderland") == std::string::npos);
  x.end();
  CAF_CHECK_EQUAL(is("down", "ifconfig_local"), "10.8.0.2");
  CAF_CHECK_EQUAL(is("route-pre-down", "signal"), "sigterm");
}

// -- scripts that fail, and slow ones --

CAF_TEST(an up that fails ends the session) {
  scripted_pair x;
  x.saw().run_answer = [](const std::string& type) {
    actors::run_result result;
    result.status = type == "up" ? 3 : 0;
    return result;
  };
  x.start();
  x.drive(5s);
  x.check_ended(reason::host_failed);
  x.check_order("ipchange apply up undo down");
  CAF_CHECK(x.saw().noted("script /etc/up failed with status 3"));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(other scripts that fail are warnings) {
  scripted_pair x;
  x.saw().run_answer = [](const std::string& type) {
    actors::run_result result;
    if (type != "up")
      result.what = {reason::bad_config, type + " is not there"};
    return result;
  };
  x.connect();
  for (auto text : {"ipchange is not there", "route-up is not there",
                    "dns-up is not there"})
    CAF_CHECK(x.saw().noted(text));
  CAF_CHECK_EQUAL(x.end(), "route-pre-down undo dns-down down");
  x.check_ended(reason::terminated);
}

CAF_TEST(routes wait for up and for route delay) {
  scripted_pair x;
  x.server.cfg->session.server.push.emplace_back("route-delay 7");
  x.saw().slow_script = "up";
  x.saw().run_delay = 5s;
  x.start();
  x.drive(4s);
  x.check_order("ipchange apply up");
  x.drive(7s);
  x.check_order("ipchange apply up");
  CAF_CHECK(!vpn_pair::connected(x.client));
  x.drive(2s);
  x.check_order("ipchange apply up route dns-up route-up");
  CAF_CHECK(vpn_pair::connected(x.client));
}

CAF_TEST(a stop while scripts run is obeyed) {
  for (auto type : {"ipchange", "up", "route-up"}) {
    scripted_pair x;
    x.server.cfg->session.server.push.emplace_back("route-delay 1");
    x.saw().slow_script = type;
    x.saw().run_delay = 30s;
    x.start();
    x.drive(3s);
    x.stop(x.client);
    x.drive(5s);
    x.check_ended(reason::terminated);
    x.stop(x.server);
  }
}

CAF_TEST(a slow down is waited for before the next try) {
  scripted_pair x;
  x.connect();
  x.saw().slow_script = "route-pre-down";
  x.saw().run_delay = 20s;
  x.saw().order.clear();
  x.stop(x.server);
  x.drive(19s);
  x.check_order("route-pre-down");
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
  x.check_order("route-pre-down undo dns-down down "
                "ipchange apply up route dns-up route-up");
}

CAF_TEST(a slow script at the end is waited for and the next has its turn) {
  for (auto late : {false, true}) {
    scripted_pair x;
    x.connect();
    x.saw().slow_script = "route-pre-down";
    x.saw().run_delay = 50s;
    if (late) {
      // It runs for the sake of a restart when the stop comes.
      x.stop(x.server);
      x.drive(10s);
    }
    x.stop(x.client);
    x.drive(5s);
    CAF_CHECK(x.saw().ended.empty());
    x.drive(60s);
    x.check_ended(reason::terminated);
    CAF_CHECK(x.saw().joined_order().find("route-pre-down undo")
              != std::string::npos);
    CAF_CHECK_EQUAL(x.saw().runs.back().environment.back(), "script_type=down");
    x.stop(x.server);
  }
}

// -- tls-verify --

CAF_TEST(a command judges the chain from the authority down) {
  judging_pair x;
  x.connect();
  x.check_order("tls-verify tls-verify apply route");
  CAF_REQUIRE_EQUAL(x.saw().runs.size(), 2u);
  CAF_CHECK(x.saw().runs[0].words
            == (strings{"/etc/verify", "strictly", "1",
                        "C=DE, O=vpn tests, CN=test ca"}));
  CAF_CHECK(x.saw().runs[1].words
            == (strings{"/etc/verify", "strictly", "0",
                        "C=DE, O=vpn tests, CN=server"}));
  CAF_CHECK_EQUAL(x.saw().variable("tls-verify", "tls_id_0"),
                  "C=DE, O=vpn tests, CN=server");
  CAF_CHECK_EQUAL(x.saw().variable("tls-verify", "X509_1_CN"), "test ca");
  CAF_CHECK(x.saw().noted("VERIFY SCRIPT OK"));
  CAF_CHECK(x.carries());
}

CAF_TEST(a command judges each time there is a new key) {
  judging_pair x;
  x.client.cfg->session.reneg_after = 10s;
  x.connect();
  x.drive(25s);
  CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 2u);
  CAF_CHECK_EQUAL(x.saw().runs.size(), 6u);
}

CAF_TEST(nothing is said to a server before it found favour) {
  judging_pair x;
  x.saw().slow_script = "tls-verify";
  x.saw().run_delay = 5s;
  x.start();
  x.drive(9s);
  // Key method 2 with the password would end the server's part.
  CAF_CHECK(!x.server.saw.noted("Peer Connection Initiated"));
  CAF_CHECK(!x.saw().noted("Peer Connection Initiated"));
  CAF_CHECK_EQUAL(x.saw().runs.size(), 2u);
  if (!x.drive_to_connected(5s))
    CAF_FAIL(x.story());
  CAF_CHECK(x.server.saw.noted("Peer Connection Initiated"));
}

CAF_TEST(a server that finds no favour hears nothing) {
  for (auto refused : {1, 2}) {
    judging_pair x;
    x.client.cfg->plan.max_tries = 1;
    x.saw().run_answer = [&x, refused](const std::string&) {
      actors::run_result result;
      result.status = x.saw().runs.size() == static_cast<size_t>(refused);
      return result;
    };
    x.start();
    x.drive(5s);
    x.check_ended(reason::certificate_rejected);
    CAF_CHECK_EQUAL(x.saw().runs.size(), static_cast<size_t>(refused));
    CAF_CHECK(x.saw().noted("VERIFY SCRIPT ERROR"));
    CAF_CHECK(!x.server.saw.noted("Peer Connection Initiated"));
    CAF_CHECK(x.saw().applied.empty());
  }
}

CAF_TEST(a command that cannot be run refuses) {
  judging_pair x;
  x.client.cfg->plan.max_tries = 1;
  x.saw().run_answer = [](const std::string&) {
    actors::run_result result;
    result.what = {reason::bad_config, "no such file"};
    return result;
  };
  x.start();
  x.drive(5s);
  x.check_ended(reason::certificate_rejected);
  CAF_CHECK(x.saw().noted("no such file"));
}

CAF_TEST(a session that is over does not hear its command) {
  for (auto accepted : {true, false})
    for (auto restart : {true, false}) {
      judging_pair x;
      x.saw().slow_script = "tls-verify";
      x.saw().run_delay = 10s;
      x.saw().run_answer = [accepted](const std::string&) {
        actors::run_result result;
        result.status = accepted ? 0 : 1;
        return result;
      };
      x.start();
      x.drive(3s);
      if (restart)
        caf::anon_send(x.client.supervisor, atom::restart_v);
      else
        x.stop(x.client);
      x.drive(5s);
      if (restart)
        x.stop(x.client);
      x.drive(20s);
      x.check_ended(reason::terminated);
    }
}
