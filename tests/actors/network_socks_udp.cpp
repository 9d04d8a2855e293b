// NETWORK over UDP through a SOCKS proxy that the test plays, inside a network
// namespace of its own.
#define CAF_SUITE actors.network_socks_udp
#include "vpn/protocol/socks_proxy.hpp"

#include "tests/support/fake_proxy.hpp"
#include "tests/support/fresh_network.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

const std::string header = "00000001c000020704aa"; // of 192.0.2.7:1194

bytes wrapped(const bytes& x, const std::string& head = header) {
  auto result = from_hex(head);
  result.insert(result.end(), x.begin(), x.end());
  return result;
}

/// Made before the threads of the fixture, which live in it, too.
struct in_network {
  fresh_network space;
};

struct fixture : in_network, network_fixture {
  fake_proxy proxy{"127.0.0.5"};
  unique_fd relay = bound_socket("127.0.0.5", SOCK_DGRAM);

  fixture() {
    int size = 8 << 20;
    setsockopt(relay.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
  }

  network_config config() {
    protocol::proxy_config cfg;
    cfg.kind = protocol::proxy_kind::socks5;
    cfg.host = "proxy.example";
    cfg.port = "1080";
    network_config result;
    result.remote = proxy.address;
    result.proxy = std::make_shared<const protocol::proxy_config>(cfg);
    result.target = {ip("192.0.2.7"), 1194, 0};
    return result;
  }

  /// What the proxy answers to the request for a relay.
  bytes answer(const std::string& address) const {
    bytes result = from_hex("05000001");
    byte_writer out{result};
    out.append(ip(address).view());
    out.u16(local_endpoint(relay.get()).port);
    return result;
  }

  void connect(const network_config& net, const std::string& at = "127.0.0.5") {
    open(net);
    proxy.accept();
    CAF_CHECK_EQUAL(proxy.hears_hex(3), "050100");
    proxy.says_hex("0500");
    CAF_CHECK_EQUAL(proxy.hears_hex(10), "05030001000000000000");
    finish_round();
    CAF_CHECK(!facts.take_now());
    proxy.says(answer(at));
    auto fact = facts.take();
    CAF_REQUIRE(fact);
    auto up = std::get_if<transport_up>(&*fact);
    CAF_REQUIRE(up != nullptr);
    CAF_CHECK(up->remote == proxy.address);
    local = up->local;
    auto sa = to_socket_address(local);
    CAF_REQUIRE_EQUAL(::connect(relay.get(), sa.get(), sa.size), 0);
  }
  void connect() { connect(config()); }

  void relay_sends(const bytes& x) {
    CAF_REQUIRE_EQUAL(::send(relay.get(), x.data(), x.size(), 0),
                      static_cast<ssize_t>(x.size()));
  }

  bytes relay_receives() {
    wait_until(relay, POLLIN);
    bytes result(65536);
    auto n = recv(relay.get(), result.data(), result.size(), MSG_DONTWAIT);
    CAF_REQUIRE(n >= 0);
    result.resize(static_cast<size_t>(n));
    return result;
  }

  void expect_only(const std::vector<bytes>& xs) {
    for (auto& x : xs)
      CAF_CHECK(expect_above() == x);
    finish_round();
    CAF_CHECK(!above.take_now());
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_socks_udp_tests, fixture)

CAF_TEST(each datagram has its header both ways) {
  connect();
  auto control = control_packet(60, 1);
  caf::anon_send(network, control_datagram{control});
  CAF_CHECK(relay_receives() == wrapped(control));
  auto pool = make_pool(1, 1 << 20, 256);
  auto batch = pool->get();
  // Runs and single packets, more than one call sends.
  std::vector<bytes> all;
  for (uint32_t i = 0; i < 30; ++i) {
    auto xs = some_data(1 + i % 9, 400 + i, 100 * i);
    xs.back().resize(200 + i);
    add_run(*batch, xs);
    all.insert(all.end(), xs.begin(), xs.end());
  }
  send_down(std::move(batch));
  for (auto& x : all)
    CAF_CHECK(relay_receives() == wrapped(x));
  finish_round();
  CAF_CHECK_EQUAL(pool->available(), 1u);
  for (auto& x : all)
    relay_sends(wrapped(x));
  expect_only(all);
  CAF_CHECK_EQUAL(received->available(), received->capacity());
}

CAF_TEST(counters tell bytes of packets and the text names the proxy) {
  connect();
  caf::anon_send(network, control_datagram{control_packet(60, 1)});
  relay_receives();
  relay_sends(wrapped(data_packet(100, 2)));
  expect_above();
  auto x = ask<layer_status>(network, atom::status_v);
  CAF_REQUIRE(x.counters.size() >= 2);
  CAF_CHECK_EQUAL(x.counters[0].name, "link_read_bytes");
  CAF_CHECK_EQUAL(x.counters[0].value, 100u);
  CAF_CHECK_EQUAL(x.counters[1].name, "link_write_bytes");
  CAF_CHECK_EQUAL(x.counters[1].value, 60u);
  CAF_CHECK(x.text.find("through SOCKS proxy proxy.example:1080")
            != std::string::npos);
}

CAF_TEST(a relay without an address is at the proxys own) {
  connect(config(), "0.0.0.0");
  auto control = control_packet(60, 1);
  caf::anon_send(network, control_datagram{control});
  CAF_CHECK(relay_receives() == wrapped(control));
}

CAF_TEST(datagrams with another header are dropped and counted) {
  connect();
  auto x = data_packet(100, 1);
  auto good = wrapped(x);
  size_t bad = 0;
  for (size_t n = 0; n <= protocol::socks_header_size; ++n, ++bad)
    relay_sends(byte_view{good}.first(n).copy());
  for (auto head :
       {"00000101c000020704aa", "00000003c000020704aa", "00000004c000020704aa",
        "00000001c000020804aa", "00000001c000020704ab"}) {
    relay_sends(wrapped(x, head));
    ++bad;
  }
  // Larger than any packet can be.
  relay_sends(wrapped(data_packet(20000, 2)));
  ++bad;
  // RSV is ignored.
  relay_sends(wrapped(x, "ffff0001c000020704aa"));
  expect_only({x});
  CAF_CHECK(status_has("dropped " + std::to_string(bad)));
}

CAF_TEST(with float the server may be elsewhere but is answered where it was) {
  auto net = config();
  net.floats = true;
  connect(net);
  auto x = data_packet(100, 1);
  relay_sends(wrapped(x, "00000001c000020804ab"));
  expect_only({x});
  caf::anon_send(network, control_datagram{control_packet(60, 1)});
  CAF_CHECK(relay_receives() == wrapped(control_packet(60, 1)));
}

CAF_TEST(strangers are not heard) {
  connect();
  auto stranger = bound_socket("127.0.0.1", SOCK_DGRAM);
  auto sa = to_socket_address(local);
  auto x = wrapped(control_packet(60, 1));
  CAF_REQUIRE(sendto(stranger.get(), x.data(), x.size(), 0, sa.get(), sa.size)
              > 0);
  auto y = control_packet(60, 2);
  relay_sends(wrapped(y));
  expect_only({y});
}

CAF_TEST(a control connection that ends is the end of the transport) {
  connect();
  // It may say something: nothing that concerns us.
  proxy.says("hello");
  relay_sends(wrapped(data_packet(100, 1)));
  expect_only({data_packet(100, 1)});
  CAF_CHECK(!facts.take_now());
  proxy.peer.reset();
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::transport_failed);
  CAF_CHECK(x.what.text.find("proxy.example:1080") != std::string::npos);
  finish_round();
  CAF_CHECK(!facts.take_now());
  // Nothing is read any more.
  relay_sends(wrapped(data_packet(100, 1)));
  finish_round();
  CAF_CHECK(!above.take_now());
}

CAF_TEST(a proxy without relays is a failure with its reason) {
  open(config());
  proxy.accept();
  proxy.hears(3);
  proxy.says_hex("0500");
  proxy.hears(10);
  proxy.says_hex("0507");
  CAF_CHECK(expect_failure().what.text.find("does not know the command")
            != std::string::npos);
}

CAF_TEST(a server without an IPv4 address cannot be reached by datagrams) {
  auto net = config();
  net.target = {ip("2001:db8::1"), 1194, 0};
  open(net);
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::bad_config);
  CAF_CHECK(x.what.text.find("IPv4") != std::string::npos);
}

CAF_TEST(an HTTP proxy does not pass datagrams) {
  auto net = config();
  auto cfg = *net.proxy;
  cfg.kind = protocol::proxy_kind::http;
  net.proxy = std::make_shared<const protocol::proxy_config>(cfg);
  open(net);
  auto x = expect_failure();
  CAF_CHECK(x.what.why == reason::bad_config);
  CAF_CHECK(x.what.text.find("proto tcp") != std::string::npos);
}

CAF_TEST(the address and port of the user are those of the datagrams) {
  auto net = config();
  net.local_address = ip("127.0.0.9");
  net.local_port = 5002;
  connect(net);
  CAF_CHECK_EQUAL(to_string(local), "127.0.0.9:5002");
  CAF_CHECK(proxy.visitor().port != 5002);
}

CAF_TEST(control passes and data is dropped when no batch is left) {
  connect();
  std::vector<batch_ptr> held;
  while (auto x = received->get())
    held.push_back(std::move(x));
  relay_sends(wrapped(data_packet(1000, 2)));
  relay_sends(wrapped(control_packet(60, 1)));
  relay_sends(wrapped(data_packet(1000, 3)));
  expect_only({control_packet(60, 1)});
  CAF_CHECK(status_has("dropped 2"));
}

CAF_TEST(control that comes too fast is dropped and counted) {
  connect();
  on_loop([&] {
    for (uint32_t i = 0; i < 100; ++i)
      caf::anon_send(network, control_datagram{control_packet(50, i)});
  });
  for (uint32_t i = 0; i < 64; ++i)
    CAF_CHECK(relay_receives() == wrapped(control_packet(50, i)));
  CAF_CHECK(status_has("dropped 36"));
}

CAF_TEST(a relay that is not there is counted and does not end the socket) {
  connect();
  auto address = local_endpoint(relay.get());
  relay.reset();
  for (uint32_t i = 0; i < 3; ++i) {
    caf::anon_send(network, control_datagram{control_packet(50, i)});
    finish_round();
  }
  relay = unique_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address(address);
  CAF_REQUIRE_EQUAL(bind(relay.get(), sa.get(), sa.size), 0);
  caf::anon_send(network, control_datagram{control_packet(70, 9)});
  CAF_CHECK(relay_receives() == wrapped(control_packet(70, 9)));
  CAF_CHECK(!status_has("refusals 0"));
  CAF_CHECK(!facts.take_now());
}

CAF_TEST(a killed layer closes both sockets) {
  connect();
  caf::anon_send_exit(network, caf::exit_reason::kill);
  CAF_CHECK(proxy.is_left());
  self->wait_for(network);
  finish_round();
  unique_fd again{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto sa = to_socket_address(local);
  CAF_CHECK_EQUAL(bind(again.get(), sa.get(), sa.size), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
