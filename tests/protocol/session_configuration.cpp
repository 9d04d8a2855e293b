// What a session tells its layers: keys, timers, sizes, the tunnel, and their
// changes by PUSH_UPDATE.
// spec: openvpn-wire 7.1, 7.8, 12.4, 13.2, 13.4

#define CAF_SUITE protocol.session_configuration

#include "vpn/protocol/session.hpp"

#include "tests/support/session_driver.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

using state = session_state;
using client = client_at;

/// What DATA CHANNEL is told after this push.
data_channel_config data_of(const std::string& push,
                            session_config cfg = client_session_config()) {
  client x{state::configuring, std::move(cfg)};
  x.text(push);
  auto action = x.take<configure_data>();
  CAF_REQUIRE(action);
  return action->config;
}

std::string pushed(const std::string& more) {
  return std::string{usual_push} + "," + more;
}

} // namespace

// -- what the layers are told --

CAF_TEST(the data channel gets its keepalive and its segment size) {
  auto cfg = client_session_config();
  cfg.hand_window = 40s;
  cfg.reneg_after = 60s;
  cfg.transition_window = 77s;
  client x{state::configuring, cfg};
  x.text(usual_push);
  auto data = x.take<configure_data>();
  CAF_REQUIRE(data);
  CAF_CHECK(data->config.ping == 10s);
  CAF_CHECK(data->config.ping_restart == 60s);
  CAF_CHECK_EQUAL(data->config.mss4, 1400u);
  CAF_CHECK_EQUAL(data->config.mss6, 1380u);
  CAF_CHECK(data->config.new_key_delay == 30s); // half of reneg_after
  CAF_CHECK(data->config.transition_window == 77s);
}

CAF_TEST(the new key waits for the hand window when that is shorter) {
  for (auto reneg : {0s, 3600s}) {
    auto cfg = client_session_config();
    cfg.reneg_after = reneg;
    client x{state::configuring, cfg};
    x.text(usual_push);
    auto data = x.take<configure_data>();
    CAF_REQUIRE(data);
    CAF_CHECK(data->config.new_key_delay == 60s);
  }
}

CAF_TEST(without a peer id packets are shorter and segments longer) {
  client x{state::configuring};
  x.text("PUSH_REPLY,cipher AES-128-GCM");
  auto data = x.take<configure_data>();
  CAF_REQUIRE(data);
  CAF_CHECK_EQUAL(data->config.mss4, 1403u);
  CAF_CHECK_EQUAL(x.actions(), "derive 0 AES-128-GCM prf aa/bb; tunnel none; ");
}

CAF_TEST(the tunnel knows the address of the server) {
  client x{state::configuring};
  x.text(usual_push);
  auto tunnel = x.take<apply_tunnel>();
  CAF_REQUIRE(tunnel);
  CAF_CHECK(tunnel->config.server == example_endpoint(1));
}

CAF_TEST(routes have a phase of their own) {
  for (auto option : {"route 10.9.0.0 255.255.0.0", "redirect-gateway def1"}) {
    client x{state::configuring};
    x.text(std::string{usual_push} + "," + option);
    CAF_CHECK(x.has_told("[ADD_ROUTES]"));
  }
}

CAF_TEST(the data channel gets the limits of the profile) {
  auto cfg = client_session_config();
  cfg.reneg_bytes = 1234;
  cfg.reneg_packets = 56;
  cfg.pull.inactive = 30s;
  cfg.pull.inactive_bytes = 99;
  auto data = data_of(usual_push, cfg);
  CAF_CHECK_EQUAL(data.reneg_bytes, 1234u);
  CAF_CHECK_EQUAL(data.reneg_packets, 56u);
  CAF_CHECK(data.inactive == 30s);
  CAF_CHECK_EQUAL(data.inactive_bytes, 99u);
  CAF_CHECK(!data.block_ipv6);
  CAF_CHECK(data.framing == compression_framing::none);
}

CAF_TEST(the data channel gets what the server pushes for it) {
  auto cfg = client_session_config();
  cfg.pull.allow_compressed = true;
  auto data = data_of(pushed("block-ipv6,compress lz4,inactive 40 7"), cfg);
  CAF_CHECK(data.block_ipv6);
  CAF_CHECK(data.framing == compression_framing::lz4);
  CAF_CHECK(data.decompress);
  CAF_CHECK(data.inactive == 40s);
  CAF_CHECK_EQUAL(data.inactive_bytes, 7u);
  // One byte of framing in each packet.
  CAF_CHECK_EQUAL(data.mss4, 1399u);
}

CAF_TEST(client nat reaches the data channel) {
  auto data = data_of(pushed("client-nat snat 10.1.0.0 255.255.0.0 10.2.0.0"));
  CAF_REQUIRE(data.nat.size() == 1);
  CAF_CHECK(data.nat[0].source);
  CAF_CHECK_EQUAL(to_string(data.nat[0].network), "10.1.0.0/16");
}

CAF_TEST(fragments count what is around them as the profile says) {
  struct row {
    uint32_t size;
    bool outer, tcp, socks, v6;
    uint32_t expected;
  };
  for (auto [size, outer, tcp, socks, v6, expected] :
       {row{0, false, false, false, false, 0},
        row{1300, false, false, false, false, 1300},
        row{1300, true, false, false, false, 1272},
        row{1300, true, false, false, true, 1252},
        row{1300, true, false, true, false, 1262},
        row{1300, false, false, true, false, 1290},
        row{1300, false, true, false, false, 0},
        row{20, true, false, false, true, 1}}) {
    auto cfg = client_session_config();
    cfg.fragment.size = size;
    cfg.fragment.outer_packet = outer;
    cfg.tcp = tcp;
    cfg.socks = socks;
    if (v6)
      cfg.remote.address = *parse_ip("2001:db8::1");
    CAF_CHECK_EQUAL(data_of(usual_push, cfg).fragment_size, expected);
  }
}

CAF_TEST(segments leave room for all that stands around a packet) {
  auto mss = [](auto change, const std::string& push = usual_push) {
    auto cfg = client_session_config();
    change(cfg);
    return data_of(push, cfg).mss4;
  };
  CAF_CHECK_EQUAL(mss([](auto&) {}), 1400u);
  CAF_CHECK_EQUAL(mss([](auto& cfg) {
                    cfg.tcp = true;
                  }),
                  1386u);
  CAF_CHECK_EQUAL(mss([](auto& cfg) {
                    cfg.socks = true;
                  }),
                  1390u);
  CAF_CHECK_EQUAL(mss([](auto& cfg) {
                    cfg.fragment.size = 1400;
                  }),
                  1396u);
  CAF_CHECK_EQUAL(mss([](auto& cfg) {
                    cfg.remote.address = *parse_ip("2001:db8::1");
                  }),
                  1380u);
  auto epoch = pushed("protocol-flags cc-exit tls-ekm aead-epoch");
  CAF_CHECK_EQUAL(mss([](auto&) {}, epoch), 1396u);
}

CAF_TEST(bursts fit the family of the server) {
  CAF_CHECK_EQUAL(data_of(usual_push).max_segment_size, 1472u);
  auto cfg = client_session_config();
  cfg.remote.address = *parse_ip("2001:db8::1");
  CAF_CHECK_EQUAL(data_of(usual_push, cfg).max_segment_size, 1452u);
}

CAF_TEST(a cipher with an HMAC is derived with its digest) {
  auto cfg = client_session_config();
  cfg.pull.ciphers = {data_cipher::aes_256_cbc};
  cfg.digest = "SHA256";
  client x{state::configuring, cfg};
  x.text("PUSH_REPLY,cipher AES-256-CBC,peer-id 5");
  CAF_CHECK_EQUAL(x.actions(),
                  "data ping 0 restart 120; derive 0 AES-256-CBC prf peer-id 5 "
                  "aa/bb auth SHA256; tunnel none; ");
  CAF_CHECK(x.has_told(
    "Data Channel: cipher 'AES-256-CBC', auth 'SHA256', peer-id: 5"));
}

CAF_TEST(epoch keys need all that they stand on) {
  struct row {
    const char* push;
    bool wanted;
    bool expected;
  };
  for (auto [push, wanted, expected] :
       {row{"cipher AES-256-GCM,peer-id 5,protocol-flags tls-ekm aead-epoch",
            true, true},
        row{"cipher AES-256-GCM,peer-id 5,protocol-flags tls-ekm aead-epoch",
            false, false},
        row{"cipher AES-256-GCM,peer-id 5,protocol-flags tls-ekm", true, false},
        row{"cipher AES-256-GCM,peer-id 5,protocol-flags aead-epoch", true,
            false},
        row{"cipher AES-256-GCM,protocol-flags tls-ekm aead-epoch", true,
            false},
        row{"cipher AES-256-CBC,peer-id 5,protocol-flags tls-ekm aead-epoch",
            true, false}}) {
    auto cfg = client_session_config();
    cfg.pull.ciphers.push_back(data_cipher::aes_256_cbc);
    cfg.epoch = wanted;
    client x{state::configuring, cfg};
    x.text(std::string{"PUSH_REPLY,"} + push);
    // A server that contradicts itself is refused.
    auto action = x.take<derive_key>();
    CAF_CHECK_EQUAL(action && action->epoch, expected);
    CAF_CHECK(action || x.session.state() == state::closed);
  }
}

CAF_TEST(the socket is set up as the server wants) {
  client x{state::configuring};
  x.text(pushed("sndbuf 100000,rcvbuf 200000"));
  CAF_CHECK_EQUAL(x.actions().substr(0, 43),
                  "socket sndbuf 100000 rcvbuf 200000; data pi");
  client y{state::configuring};
  y.text(pushed("socket-flags TCP_NODELAY"));
  CAF_CHECK_EQUAL(y.actions().substr(0, 22), "socket nodelay; data p");
}

// -- poor servers --

CAF_TEST(a server that pushes no cipher has one in its options) {
  client x{state::negotiating};
  x.establish(0);
  keys_exchanged said;
  said.remote_options = "V4,dev-type tun,cipher AES-128-GCM,tls-server";
  x.exchange(0, std::move(said));
  x.forget();
  x.text("PUSH_REPLY,ping 10,ping-restart 60");
  CAF_CHECK_EQUAL(x.actions(), "data ping 10 restart 60; "
                               "derive 0 AES-128-GCM prf aa/bb; tunnel none; ");
}

CAF_TEST(a server without any cipher is refused) {
  client x{state::configuring};
  x.text("PUSH_REPLY");
  CAF_CHECK_EQUAL(x.actions().substr(0, 16), "end push_refused");
  CAF_CHECK(x.session.state() == state::closed);
}

// -- PUSH_UPDATE --

CAF_TEST(an update changes the tunnel of a session) {
  client x{pushed("route 10.9.0.0 255.255.0.0"), client_session_config()};
  x.text("PUSH_UPDATE,route 10.10.0.0 255.255.0.0,block-ipv6");
  auto data = x.take<configure_data>();
  auto tunnel = x.take<apply_tunnel>();
  CAF_REQUIRE(data && tunnel);
  CAF_CHECK(data->config.block_ipv6);
  CAF_CHECK(data->config.ping == 10s);
  CAF_REQUIRE(tunnel->config.routes.size() == 1);
  CAF_CHECK_EQUAL(to_string(tunnel->config.routes[0].destination),
                  "10.10.0.0/16");
  CAF_CHECK_EQUAL(to_string(*tunnel->config.address4), "10.8.0.2/24");
  CAF_CHECK(tunnel->config.server == example_endpoint(1));
  CAF_CHECK(x.has_told("The server updated what it had pushed"));
  CAF_CHECK(x.session.state() == state::connected);
}

CAF_TEST(a tunnel that follows an update brings no second start message) {
  client x{usual_push, client_session_config()};
  x.text("PUSH_UPDATE,route 10.10.0.0 255.255.0.0");
  x.forget();
  x.apply();
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "The tunnel follows the server's update; ");
  x.apply();
  CAF_CHECK_EQUAL(joined(x.reports()), "");
}

CAF_TEST(updates add up) {
  client x{usual_push, client_session_config()};
  x.text("PUSH_UPDATE,route 10.10.0.0 255.255.0.0");
  x.text("PUSH_UPDATE,-route,tun-mtu 1400");
  x.text("PUSH_UPDATE,dhcp-option DNS 10.8.0.1");
  std::optional<apply_tunnel> last;
  while (auto action = x.take<apply_tunnel>())
    last = action;
  CAF_REQUIRE(last);
  CAF_CHECK(last->config.routes.empty());
  CAF_CHECK_EQUAL(last->config.mtu, 1400u);
  CAF_CHECK_EQUAL(last->config.dns.servers.size(), 1u);
  CAF_CHECK(std::find(x.session.pushed().begin(), x.session.pushed().end(),
                      "dhcp-option DNS 10.8.0.1")
            != x.session.pushed().end());
}

CAF_TEST(an update in parts is one sequence) {
  client x{usual_push, client_session_config()};
  x.text("PUSH_UPDATE,route 10.1.0.0 255.255.0.0,push-continuation 2");
  x.text("PUSH_UPDATE,route 10.2.0.0 255.255.0.0,push-continuation 2");
  CAF_CHECK_EQUAL(x.actions(), "");
  x.text("PUSH_UPDATE,route 10.3.0.0 255.255.0.0,push-continuation 1");
  auto tunnel = x.take<apply_tunnel>();
  CAF_REQUIRE(tunnel);
  CAF_CHECK_EQUAL(tunnel->config.routes.size(), 3u);
}

CAF_TEST(an update that must not be skipped restarts the session) {
  for (auto text : {"PUSH_UPDATE,cipher AES-128-GCM", "PUSH_UPDATE,peer-id 9",
                    "PUSH_UPDATE,no-such-option", "PUSH_UPDATE,-cipher"}) {
    client x{usual_push, client_session_config()};
    x.text(text);
    CAF_CHECK_EQUAL(x.actions().substr(0, 16), "end push_refused");
    CAF_CHECK(mentions(x.reports(), "!Failed to apply pushed update:"));
  }
  CAF_CHECK(is_transient(reason::push_refused));
}

CAF_TEST(an update that may be skipped is a warning) {
  client x{usual_push, client_session_config()};
  x.text("PUSH_UPDATE,?cipher AES-128-GCM,-?no-such-option,block-ipv6");
  auto data = x.take<configure_data>();
  CAF_REQUIRE(data);
  CAF_CHECK(data->config.block_ipv6);
  auto told = x.reports();
  CAF_CHECK(mentions(told, "cipher"));
  CAF_CHECK(mentions(told, "no-such-option"));
  CAF_CHECK(x.session.options()->cipher == data_cipher::aes_256_gcm);
}

CAF_TEST(an update leaves what was agreed upon alone) {
  auto cfg = client_session_config();
  client x{pushed("auth-token first"), cfg};
  x.text("PUSH_REPLY,auth-token second");
  x.text("PUSH_UPDATE,block-ipv6");
  const auto& o = *x.session.options();
  CAF_CHECK(o.auth_token.text() == "second");
  CAF_CHECK(o.cipher == data_cipher::aes_256_gcm);
  CAF_CHECK_EQUAL(*o.peer_id, 5u);
  CAF_CHECK(o.cc_exit);
  CAF_CHECK(o.derivation == key_derivation::tls_ekm);
}

CAF_TEST(an update means nothing at any other time) {
  for (auto s : before_closed) {
    if (s == state::connected)
      continue;
    client x{s};
    x.text("PUSH_UPDATE,route 10.10.0.0 255.255.0.0");
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK(x.session.state() == s);
  }
  server_at y{state::connected};
  y.text("PUSH_UPDATE,route 10.10.0.0 255.255.0.0");
  CAF_CHECK_EQUAL(y.actions(), "");
}

CAF_TEST(an update of nothing changes nothing) {
  client x{usual_push, client_session_config()};
  for (auto text : {"PUSH_UPDATE", "PUSH_UPDATE,", "PUSH_UPDATE,,,"})
    x.text(text);
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(updates without end do not grow without a bound) {
  client x{usual_push, client_session_config()};
  std::string part = "PUSH_UPDATE";
  for (int i = 0; i < 200; ++i)
    part += ",route 10." + std::to_string(i) + ".0.0 255.255.0.0";
  for (int i = 0; i < 100; ++i)
    x.text(part + ",push-continuation 2");
  CAF_CHECK_EQUAL(x.actions(), "");
  x.text("PUSH_UPDATE,block-ipv6");
  CAF_CHECK(x.session.pushed().size() <= 8192);
  CAF_CHECK(x.reports().size() < 100);
}

CAF_TEST(a pull filter holds for updates too) {
  auto cfg = client_session_config();
  cfg.pull.filters = {{pull_filter::action::ignore, "route"}};
  client x{usual_push, cfg};
  x.text("PUSH_UPDATE,route 10.10.0.0 255.255.0.0");
  auto tunnel = x.take<apply_tunnel>();
  CAF_REQUIRE(tunnel);
  CAF_CHECK(tunnel->config.routes.empty());
}

// -- tokens --

CAF_TEST(tokens are no part of the list of pushed options) {
  client x{pushed("auth-token s3cret,auth-token-user YWxpY2U="),
           client_session_config()};
  CAF_CHECK(!mentions(x.session.pushed(), "s3cret"));
  CAF_CHECK(!mentions(x.session.pushed(), "auth-token"));
  CAF_CHECK(x.session.options()->auth_token.text() == "s3cret");
  CAF_CHECK_EQUAL(x.session.options()->auth_token_user, "alice");
}

CAF_TEST(a renewed token may bring another name) {
  client x{pushed("auth-token first,auth-token-user YWxpY2U="),
           client_session_config()};
  x.text("PUSH_REPLY,auth-token second,auth-token-user Ym9i");
  CAF_CHECK(x.session.options()->auth_token.text() == "second");
  CAF_CHECK_EQUAL(x.session.options()->auth_token_user, "bob");
  x.text("PUSH_REPLY,auth-token third");
  CAF_CHECK(x.session.options()->auth_token.text() == "third");
  CAF_CHECK_EQUAL(x.session.options()->auth_token_user, "bob");
}
