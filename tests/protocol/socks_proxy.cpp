// The dialogue with a SOCKS5 proxy, byte by byte, and relayed datagrams.
// spec: openvpn-wire 1.4

#define CAF_SUITE protocol.socks_proxy

#include "vpn/protocol/socks_proxy.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn;
using namespace vpn::protocol;

namespace {

proxy_config config(bool login = false) {
  proxy_config result;
  result.kind = proxy_kind::socks5;
  result.host = "proxy.example";
  result.port = "1080";
  if (login) {
    result.username = "alice";
    result.password = secret{std::string_view{"pass word"}};
  }
  return result;
}

/// One proxy whose answers the test writes, in hex.
struct dialogue {
  socks_proxy proxy;
  size_t taken = 0;

  explicit dialogue(const proxy_config& cfg,
                    const std::string& host = "vpn.example.net",
                    const std::string& port = "1194")
    : proxy(cfg, host, port) {}

  struct datagrams {};
  dialogue(const proxy_config& cfg, datagrams) : proxy(cfg) {}

  std::string begin() {
    proxy.begin();
    return sent();
  }
  std::string sent() { return to_hex(proxy.take_output().view()); }

  proxy_step hears(const bytes& xs) {
    taken = proxy.receive(xs);
    return proxy.step();
  }
  proxy_step hears(const std::string& hex) { return hears(from_hex(hex)); }

  bool says(const std::string& part) const {
    auto& text = proxy.error().text;
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE(text);
    return false;
  }
};

const std::string login_request = "0105616c69636509" // 01 ulen alice plen
                                  "7061737320776f7264";
const std::string connect_request = "050100030f"
                                    "76706e2e6578616d706c652e6e6574"
                                    "04aa";
const std::string associate_request = "05030001000000000000";
const std::string v4_reply = "05000001 c0000205 1f90";

} // namespace

// -- TCP --

CAF_TEST(a connection without login is asked for as the stock client does) {
  dialogue x{config()};
  CAF_CHECK_EQUAL(x.begin(), "050100");
  CAF_CHECK(x.hears("0500") == proxy_step::talking);
  CAF_CHECK_EQUAL(x.sent(), connect_request);
  CAF_CHECK(x.hears(v4_reply) == proxy_step::open);
  CAF_CHECK_EQUAL(x.sent(), "");
}

CAF_TEST(a connection with login is asked for as the stock client does) {
  dialogue x{config(true)};
  CAF_CHECK_EQUAL(x.begin(), "050102");
  CAF_CHECK(x.hears("0502") == proxy_step::talking);
  CAF_CHECK_EQUAL(x.sent(), login_request);
  CAF_CHECK(x.hears("0100") == proxy_step::talking);
  CAF_CHECK_EQUAL(x.sent(), connect_request);
  CAF_CHECK(x.hears(v4_reply) == proxy_step::open);
}

CAF_TEST(replies with all kinds of address open the way) {
  for (auto reply :
       {std::string{"05000001 00000000 0000"}, v4_reply,
        std::string{"05000004 20010db8000000000000000000000001 04aa"},
        std::string{"05000003 03 616263 04aa"}, std::string{"05000003 00 0000"},
        "05000003 ff" + std::string(2 * 255, 'a') + "04aa",
        // RSV is ignored.
        std::string{"0500ff01 00000000 0000"}}) {
    dialogue x{config()};
    x.begin();
    x.hears("0500");
    auto raw = from_hex(reply);
    auto size = raw.size();
    // What follows is the server's.
    raw.push_back(0);
    raw.push_back(14);
    CAF_CHECK(x.hears(raw) == proxy_step::open);
    CAF_CHECK_EQUAL(x.taken, size);
    CAF_CHECK(x.hears("05ff") == proxy_step::open);
    CAF_CHECK_EQUAL(x.taken, 0u);
  }
}

CAF_TEST(a dialogue may come byte by byte and end at every byte) {
  auto whole = from_hex("0502 0100 05000003 03 616263 04aa");
  for (size_t n = 0; n <= whole.size(); ++n) {
    dialogue x{config(true)};
    auto all = x.begin();
    for (size_t i = 0; i < n; ++i) {
      x.hears(bytes{whole[i]});
      CAF_REQUIRE_EQUAL(x.taken, 1u);
      all += x.sent();
    }
    if (n == whole.size()) {
      CAF_CHECK(x.proxy.step() == proxy_step::open);
      CAF_CHECK_EQUAL(all, "050102" + login_request + connect_request);
    } else {
      CAF_REQUIRE(x.proxy.step() == proxy_step::talking);
    }
    x.proxy.closed();
    CAF_CHECK(x.proxy.step()
              == (n == whole.size() ? proxy_step::open : proxy_step::failed));
    if (n < whole.size())
      CAF_CHECK(x.says("SOCKS proxy proxy.example:1080 closed"));
  }
}

CAF_TEST(a method that was not offered is refused) {
  for (int method = 0; method < 256; ++method)
    for (auto login : {false, true}) {
      if (method == (login ? 2 : 0))
        continue;
      dialogue x{config(login)};
      x.begin();
      CAF_CHECK(x.hears(bytes{5, static_cast<uint8_t>(method)})
                == proxy_step::failed);
      CAF_CHECK_EQUAL(x.sent(), "");
      CAF_CHECK(x.says(method != 0xff ? "not offered"
                       : login        ? "does not take a user name"
                                      : "name a file"));
    }
}

CAF_TEST(something else than SOCKS5 is refused at its first byte) {
  for (int version = 0; version < 256; ++version) {
    auto byte = bytes{static_cast<uint8_t>(version)};
    dialogue method{config(true)};
    method.begin();
    CAF_CHECK((method.hears(byte) == proxy_step::failed) == (version != 5));
    dialogue login{config(true)};
    login.begin();
    login.hears("0502");
    CAF_CHECK((login.hears(byte) == proxy_step::failed) == (version != 1));
    dialogue reply{config()};
    reply.begin();
    reply.hears("0500");
    CAF_CHECK((reply.hears(byte) == proxy_step::failed) == (version != 5));
  }
}

CAF_TEST(a refused login is told without the password) {
  for (int status = 1; status < 256; ++status) {
    dialogue x{config(true)};
    x.begin();
    x.hears("0502");
    x.sent();
    CAF_CHECK(x.hears(bytes{1, static_cast<uint8_t>(status)})
              == proxy_step::failed);
    CAF_CHECK(x.says("refused the user name and password"));
    CAF_CHECK(x.proxy.error().text.find("pass word") == std::string::npos);
    CAF_CHECK_EQUAL(x.sent(), "");
  }
}

CAF_TEST(every refusal is told at its second byte) {
  std::set<std::string> texts;
  for (int code = 1; code < 256; ++code) {
    dialogue x{config()};
    x.begin();
    x.hears("0500");
    CAF_CHECK(x.hears(bytes{5, static_cast<uint8_t>(code)})
              == proxy_step::failed);
    CAF_CHECK(x.proxy.error().why == reason::transport_failed);
    texts.insert(x.proxy.error().text);
  }
  // Each has words of its own.
  CAF_CHECK_EQUAL(texts.size(), 255u);
}

CAF_TEST(an unknown kind of address is refused) {
  for (int type = 0; type < 256; ++type) {
    dialogue x{config()};
    x.begin();
    x.hears("0500");
    auto good = type == 1 || type == 3 || type == 4;
    CAF_CHECK((x.hears(bytes{5, 0, 0, static_cast<uint8_t>(type), 9})
               == proxy_step::failed)
              != good);
  }
}

CAF_TEST(what cannot stand in a request is told before anything is sent) {
  auto refuses = [](const proxy_config& cfg, const std::string& host,
                    const std::string& port) {
    dialogue x{cfg, host, port};
    CAF_CHECK_EQUAL(x.begin(), "");
    CAF_CHECK(x.proxy.step() == proxy_step::failed);
    CAF_CHECK(x.proxy.error().why == reason::bad_config);
  };
  refuses(config(), "", "1");
  refuses(config(), std::string(256, 'a'), "1");
  refuses(config(), "a b", "1");
  refuses(config(), "a\nb", "1");
  refuses(config(), std::string{"a\0b", 3}, "1");
  for (auto port : {"", "0", "65536", "x", "1x", "-1", "99999999999999"})
    refuses(config(), "h", port);
  auto cfg = config(true);
  cfg.username = std::string(256, 'u');
  refuses(cfg, "h", "1");
  cfg = config(true);
  cfg.username.clear();
  refuses(cfg, "h", "1");
  cfg = config(true);
  cfg.password = secret{std::string(256, 'p')};
  refuses(cfg, "h", "1");
}

CAF_TEST(the longest name and credentials fit) {
  auto cfg = config(true);
  cfg.username = std::string(255, 'u');
  cfg.password = secret{std::string(255, 'p')};
  dialogue x{cfg, std::string(255, 'h'), "65535"};
  x.begin();
  x.hears("0502");
  CAF_CHECK_EQUAL(x.sent().size(), 2u * (3 + 255 + 255));
  x.hears("0100");
  CAF_CHECK_EQUAL(x.sent().size(), 2u * (4 + 1 + 255 + 2));
}

// -- datagrams --

CAF_TEST(a relay is asked for as the stock client does) {
  dialogue x{config(), dialogue::datagrams{}};
  CAF_CHECK_EQUAL(x.begin(), "050100");
  x.hears("0500");
  CAF_CHECK_EQUAL(x.sent(), associate_request);
  CAF_CHECK(x.hears(v4_reply) == proxy_step::open);
  CAF_CHECK_EQUAL(to_string(x.proxy.relay()), "192.0.2.5:8080");
}

CAF_TEST(a relay with login is asked for after it) {
  dialogue x{config(true), dialogue::datagrams{}};
  CAF_CHECK_EQUAL(x.begin(), "050102");
  x.hears("0502");
  CAF_CHECK_EQUAL(x.sent(), login_request);
  x.hears("0100");
  CAF_CHECK_EQUAL(x.sent(), associate_request);
  CAF_CHECK(x.hears("05000001 00000000 1f90") == proxy_step::open);
  CAF_CHECK_EQUAL(to_string(x.proxy.relay()), "0.0.0.0:8080");
}

CAF_TEST(a relay that is not an IPv4 address with a port cannot be used) {
  for (auto reply : {"05000004 20010db8000000000000000000000001 04aa",
                     "05000003 03 616263 04aa", "05000001 c0000205 0000"}) {
    dialogue x{config(), dialogue::datagrams{}};
    x.begin();
    x.hears("0500");
    CAF_CHECK(x.hears(reply) == proxy_step::failed);
  }
}

CAF_TEST(the header of a datagram names the server) {
  endpoint server{*parse_ip("192.0.2.7"), 1194, 0};
  auto header = socks_datagram_header(server);
  CAF_CHECK_EQUAL(to_hex({header.data(), header.size()}),
                  "00000001c000020704aa");
  auto from = parse_socks_datagram({header.data(), header.size()});
  CAF_REQUIRE(from);
  CAF_CHECK(*from == server);
}

CAF_TEST(datagrams that are not whole and IPv4 are dropped) {
  auto good = from_hex("00000001 c0000207 04aa 38");
  CAF_CHECK(parse_socks_datagram(good));
  for (size_t n = 0; n < socks_header_size; ++n) {
    auto x = parse_socks_datagram(byte_view{good}.first(n));
    CAF_REQUIRE(!x);
    CAF_CHECK(x.error() == errc::truncated);
  }
  for (int value = 0; value < 256; ++value) {
    auto x = good;
    // RSV is ignored.
    x[0] = x[1] = static_cast<uint8_t>(value);
    CAF_CHECK(parse_socks_datagram(x));
    x = good;
    x[2] = static_cast<uint8_t>(value);
    CAF_CHECK_EQUAL(static_cast<bool>(parse_socks_datagram(x)), value == 0);
    x = good;
    x[3] = static_cast<uint8_t>(value);
    CAF_CHECK_EQUAL(static_cast<bool>(parse_socks_datagram(x)), value == 1);
  }
}

CAF_TEST(random answers do no harm) {
  test::seeded random{9};
  for (int i = 0; i < 20000; ++i) {
    dialogue x{config(random.one_in(2))};
    x.begin();
    if (random.one_in(2))
      x.hears("0500");
    auto junk = random.some_bytes(600);
    x.hears(junk);
    CAF_CHECK(x.taken <= junk.size());
  }
}
