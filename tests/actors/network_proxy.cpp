// NETWORK over TCP through a proxy that the test plays, and the control
// connection of datagrams. All inside a network namespace of the test's own.
#define CAF_SUITE actors.network_proxy
#include "tests/support/fake_proxy.hpp"
#include "tests/support/fresh_network.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;
using protocol::proxy_auth;
using protocol::proxy_kind;

namespace {

bytes framed(const bytes& x) {
  bytes result;
  byte_writer out{result};
  out.u16(static_cast<uint16_t>(x.size()));
  out.append(x);
  return result;
}

/// Made before the threads of the fixture, which live in it, too.
struct in_network {
  fresh_network space;
};

struct fixture : in_network, network_fixture {
  fake_proxy proxy;

  network_config through(proxy_kind kind, proxy_auth auth = proxy_auth::none) {
    protocol::proxy_config cfg;
    cfg.kind = kind;
    cfg.host = "proxy.example";
    cfg.port = std::to_string(proxy.address.port);
    cfg.auth = auth;
    if (auth != proxy_auth::none) {
      cfg.username = "alice";
      cfg.password = secret{std::string_view{"secret word"}};
    }
    network_config result;
    result.tcp = true;
    result.remote = proxy.address;
    result.proxy = std::make_shared<const protocol::proxy_config>(cfg);
    result.target_host = "vpn.example.net";
    result.target_port = "1194";
    return result;
  }

  std::string proxy_name(const char* kind) const {
    return std::string{kind}
           + " proxy proxy.example:" + std::to_string(proxy.address.port) + " ("
           + to_string(proxy.address) + ")";
  }

  void expect_up_at_proxy() {
    auto fact = facts.take();
    CAF_REQUIRE(fact);
    auto up = std::get_if<transport_up>(&*fact);
    CAF_REQUIRE(up != nullptr);
    CAF_CHECK(up->remote == proxy.address);
    CAF_CHECK(up->local == proxy.visitor());
  }

  void expect_traffic() {
    auto control = control_packet(60, 3);
    caf::anon_send(network, control_datagram{control});
    CAF_CHECK(proxy.hears(62) == framed(control));
    auto pool = make_pool(1, 65536, 8);
    auto batch = pool->get();
    auto data = some_data(3, 1000);
    add_run(*batch, data);
    send_down(std::move(batch));
    for (auto& x : data)
      CAF_CHECK(proxy.hears(1002) == framed(x));
    proxy.says(framed(data[0]));
    CAF_CHECK(expect_above() == data[0]);
  }

  /// The failure names what it must and hides what it must.
  void expect_failure_with(const std::string& part,
                           reason why = reason::transport_failed) {
    auto x = expect_failure();
    CAF_CHECK(x.what.why == why);
    if (x.what.text.find(part) == std::string::npos)
      CAF_ERROR(x.what.text);
    CAF_CHECK(x.what.text.find("secret word") == std::string::npos);
    finish_round();
    CAF_CHECK(!facts.take_now());
  }
};

const std::string ok = "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n";

} // namespace

CAF_TEST_FIXTURE_SCOPE(network_proxy_tests, fixture)

// -- HTTP --

CAF_TEST(packets pass through an HTTP proxy) {
  open(through(proxy_kind::http));
  proxy.accept();
  CAF_CHECK_EQUAL(proxy.hears_request(),
                  "CONNECT vpn.example.net:1194 HTTP/1.0\r\n"
                  "Host: vpn.example.net\r\n\r\n");
  finish_round();
  CAF_CHECK(!facts.take_now());
  proxy.says(ok);
  expect_up_at_proxy();
  expect_traffic();
  CAF_CHECK(status_has(", through " + proxy_name("HTTP")));
}

CAF_TEST(what comes right behind the answer of a proxy is not lost) {
  open(through(proxy_kind::http));
  proxy.accept();
  proxy.hears_request();
  auto one = data_packet(100, 1), two = control_packet(70, 2);
  bytes all{ok.begin(), ok.end()};
  for (auto& x : {one, two}) {
    auto y = framed(x);
    all.insert(all.end(), y.begin(), y.end());
  }
  // The last byte comes alone.
  auto last = all.back();
  all.pop_back();
  proxy.says(all);
  expect_up_at_proxy();
  CAF_CHECK(expect_above() == one);
  proxy.says(bytes{last});
  CAF_CHECK(expect_above() == two);
}

CAF_TEST(an answer may come byte by byte) {
  open(through(proxy_kind::http));
  proxy.accept();
  proxy.hears_request();
  for (auto& c : ok) {
    finish_round();
    CAF_CHECK(!facts.take_now());
    proxy.says(std::string_view{&c, 1});
  }
  expect_up_at_proxy();
  expect_traffic();
}

CAF_TEST(a proxy that asks who we are is asked again on a new connection) {
  auto net = through(proxy_kind::http, proxy_auth::automatic);
  // Even the second connection can be bound to the same port.
  net.local_address = ip("127.0.0.9");
  net.local_port = 5001;
  open(net);
  proxy.accept();
  CAF_CHECK(proxy.hears_request().find("alice") == std::string::npos);
  CAF_CHECK_EQUAL(to_string(proxy.visitor()), "127.0.0.9:5001");
  proxy.says("HTTP/1.1 407 who are you\r\nProxy-Authenticate: Digest "
             "realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n");
  CAF_CHECK(proxy.is_left());
  proxy.accept();
  CAF_CHECK_EQUAL(to_string(proxy.visitor()), "127.0.0.9:5001");
  auto again = proxy.hears_request();
  CAF_CHECK(again.find("Proxy-Authorization: Digest username=\"alice\"")
            != std::string::npos);
  CAF_CHECK(again.find("secret word") == std::string::npos);
  proxy.says(ok);
  expect_up_at_proxy();
  expect_traffic();
}

CAF_TEST(a proxy that refuses is a failure with its words) {
  open(through(proxy_kind::http, proxy_auth::basic));
  proxy.accept();
  CAF_CHECK(proxy.hears_request().find("Authorization: Basic ")
            != std::string::npos);
  proxy.says("HTTP/1.1 403 Not today\r\n");
  expect_failure_with("refused: 403 Not today");
}

CAF_TEST(a proxy that wants what we do not have is a failure) {
  open(through(proxy_kind::http));
  proxy.accept();
  proxy.hears_request();
  proxy.says("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n");
  expect_failure_with("wants a user name and password");
}

CAF_TEST(a proxy that goes is a failure at every step) {
  open(through(proxy_kind::http, proxy_auth::automatic));
  proxy.accept();
  proxy.hears_request();
  proxy.says("HTTP/1.1 20");
  proxy.peer.reset();
  expect_failure_with("closed the connection");
  // It hangs up instead of taking the second connection.
  open(through(proxy_kind::http, proxy_auth::automatic));
  proxy.accept();
  proxy.hears_request();
  proxy.door.reset();
  proxy.says("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n");
  expect_failure_with("cannot connect to HTTP proxy");
}

CAF_TEST(a proxy that is not there is a failure that names it) {
  proxy.door.reset();
  open(through(proxy_kind::http));
  expect_failure_with("cannot connect to " + proxy_name("HTTP"));
}

CAF_TEST(a proxy that says nothing fails when its time is over) {
  auto net = through(proxy_kind::http);
  net.connect_timeout = std::chrono::milliseconds{1};
  open(net);
  expect_failure_with("connecting through " + proxy_name("HTTP")
                        + " took too long",
                      reason::no_answer);
}

CAF_TEST(a name that would add a header never leaves) {
  auto net = through(proxy_kind::http);
  net.target_host = "a\r\nX-Evil: 1";
  open(net);
  expect_failure_with("cannot be asked", reason::bad_config);
}

CAF_TEST(control that comes before the way is free is sent after it) {
  open(through(proxy_kind::http));
  proxy.accept();
  proxy.hears_request();
  auto control = control_packet(50, 1);
  self->send(network, control_datagram{control});
  status();
  proxy.says(ok);
  CAF_CHECK(proxy.hears(52) == framed(control));
}

CAF_TEST(hostile answers never do more than end the connection) {
  seeded random{21};
  for (int i = 0; i < 60; ++i) {
    open(through(random.one_in(2) ? proxy_kind::http : proxy_kind::socks5));
    proxy.accept();
    auto junk = random.some_bytes(5000);
    junk.push_back('x');
    // The other end may have gone before all of it is said.
    ::send(proxy.peer.get(), junk.data(), junk.size(), MSG_NOSIGNAL);
    CAF_CHECK(expect_failure().what.why == reason::transport_failed);
  }
  // A line without end, and headers without end.
  for (auto part : {std::string(70000, 'x'), std::string{"X: y\r\n"}}) {
    open(through(proxy_kind::http));
    proxy.accept();
    proxy.hears_request();
    proxy.says("HTTP/1.1 200 OK\r\n");
    std::string flood;
    while (flood.size() < 70000)
      flood += part;
    ::send(proxy.peer.get(), flood.data(), flood.size(), MSG_NOSIGNAL);
    CAF_CHECK(expect_failure().what.text.find("too") != std::string::npos);
  }
}

CAF_TEST(a killed layer leaves its proxy) {
  open(through(proxy_kind::http));
  proxy.accept();
  proxy.hears_request();
  caf::anon_send_exit(network, caf::exit_reason::kill);
  CAF_CHECK(proxy.is_left());
}

// -- SOCKS, TCP --

CAF_TEST(packets pass through a SOCKS proxy) {
  open(through(proxy_kind::socks5));
  proxy.accept();
  CAF_CHECK_EQUAL(proxy.hears_hex(3), "050100");
  proxy.says_hex("0500");
  CAF_CHECK_EQUAL(proxy.hears_hex(22),
                  "050100030f76706e2e6578616d706c652e6e657404aa");
  // The answer and the first packet in one piece.
  auto x = control_packet(40, 1);
  auto answer = from_hex("05000001 c0000205 1f90");
  auto packet = framed(x);
  answer.insert(answer.end(), packet.begin(), packet.end());
  proxy.says(answer);
  expect_up_at_proxy();
  CAF_CHECK(expect_above() == x);
  expect_traffic();
  CAF_CHECK(status_has(", through " + proxy_name("SOCKS")));
}

CAF_TEST(a SOCKS proxy may ask for a login) {
  open(through(proxy_kind::socks5, proxy_auth::basic));
  proxy.accept();
  CAF_CHECK_EQUAL(proxy.hears_hex(3), "050102");
  proxy.says_hex("0502");
  CAF_CHECK_EQUAL(proxy.hears_hex(19),
                  "0105616c6963650b73656372657420776f7264");
  proxy.says_hex("0100");
  proxy.hears(22);
  proxy.says_hex("05000001 00000000 0000");
  expect_up_at_proxy();
  expect_traffic();
}

CAF_TEST(a SOCKS proxy that refuses is a failure with its reason) {
  open(through(proxy_kind::socks5));
  proxy.accept();
  proxy.hears(3);
  proxy.says_hex("0500");
  proxy.hears(22);
  proxy.says_hex("0505");
  expect_failure_with("the server refused the connection");
  open(through(proxy_kind::socks5, proxy_auth::basic));
  proxy.accept();
  proxy.hears(3);
  proxy.says_hex("0502");
  proxy.hears(19);
  proxy.says_hex("0101");
  expect_failure_with("refused the user name and password");
}

CAF_TEST_FIXTURE_SCOPE_END()
