// What stands around a packet on its way: epochs, CBC and HMAC, the framings of
// compression, fragments; and what changes inside of it. All of it agreed upon
// by both ends, and kept over new keys.
#define CAF_SUITE pair.data_formats
#include "vpn/protocol/key_method.hpp"

#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

#include <set>

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::compression_framing;
using protocol::data_cipher;

namespace {

void connect(vpn_pair& x) {
  x.start();
  if (!x.drive_to_connected(5s))
    CAF_FAIL(x.story());
}

/// Traffic, new keys, and traffic again.
void check_traffic(vpn_pair& x) {
  x.client.cfg->session.reneg_after = 10s;

  connect(x);
  auto carried = x.carries();
  x.drive(60s);
  if (!carried || !x.carries() || vpn_pair::new_keys(x.client) < 4
      || !vpn_pair::connected(x.client) || x.client.sockets != 1)
    CAF_FAIL(x.story());
}

void announce(vpn_pair& x, uint32_t proto) {
  protocol::peer_info_config info;
  info.version = "2.6.14";
  info.ciphers = {"AES-256-GCM"};
  info.proto = proto;
  x.client.cfg->session.peer_info = protocol::make_peer_info(info);
}

/// Every data datagram of a pair.
struct data_log {
  explicit data_log(vpn_pair& x) : x_(x) {
    x.tap = [this](const vpn_pair::side& from, byte_view datagram) {
      if (protocol::is_data(datagram[0]))
        (&from == &x_.client ? up : down).push_back(datagram.copy());
    };
  }
  ~data_log() { x_.tap = nullptr; }
  data_log(const data_log&) = delete;
  data_log& operator=(const data_log&) = delete;

  std::vector<bytes> up, down;

private:
  vpn_pair& x_;
};

/// DATA_V2 with the number of an epoch where the upper half of a packet id is
/// zero for long.
bool has_epochs(const std::vector<bytes>& xs) {
  return !xs.empty() && std::all_of(xs.begin(), xs.end(), [](auto& x) {
    return x[0] >> 3 == 9 && x.size() > 12 && load_u16(x.data() + 4) == 1;
  });
}

bool has_short_ids(const std::vector<bytes>& xs) {
  return !xs.empty() && std::all_of(xs.begin(), xs.end(), [](auto& x) {
    return load_u32(x.data() + 4) < 1000 && load_u32(x.data() + 4) > 0;
  });
}

/// An IP packet of protocol UDP with a right header checksum.
bytes ip_packet(uint32_t number, const char* source, const char* destination) {
  auto result = numbered_packet(number, 60);
  auto put = [&](size_t at, const char* text) {
    auto address = *parse_ip(text);
    std::copy_n(address.octets.begin(), 4, result.begin() + at);
  };
  put(12, source);
  put(16, destination);
  uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2)
    sum += load_u16(result.data() + i);
  while (sum > 0xffff)
    sum = (sum & 0xffff) + (sum >> 16);
  store_u16(result.data() + 10, static_cast<uint16_t>(~sum));
  // No checksum: 60 - 20 bytes of UDP.
  store_u16(result.data() + 24, 40);
  store_u16(result.data() + 26, 0);
  return result;
}

bytes ipv6_packet() {
  bytes result(60);
  result[0] = 0x60;
  store_u16(result.data() + 4, 20);
  result[6] = 17;
  result[7] = 64;
  auto source = *parse_ip("2001:db8::2");
  auto destination = *parse_ip("2001:db8:1::99");
  std::copy_n(source.octets.begin(), 16, result.begin() + 8);
  std::copy_n(destination.octets.begin(), 16, result.begin() + 24);
  return result;
}

} // namespace

// -- epochs --

CAF_TEST(both use epochs when both can) {
  for (auto cipher : {data_cipher::aes_256_gcm, data_cipher::aes_128_gcm,
                      data_cipher::chacha20_poly1305}) {
    pair_config cfg;
    cfg.cipher = cipher;
    vpn_pair x{cfg};
    data_log log{x};
    check_traffic(x);
    CAF_CHECK(has_epochs(log.up));
    CAF_CHECK(has_epochs(log.down));
  }
}

CAF_TEST(epochs stand a link that loses and reorders) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    vpn_pair x{cfg};
    connect(x);
    link_faults faults;
    faults.lose = 200;
    faults.duplicate = 200;
    faults.jitter = 30ms;
    x.set_faults(faults);
    CAF_CHECK(!x.carries(200));
    std::set<bytes> once{x.server.saw.packets.begin(),
                         x.server.saw.packets.end()};
    CAF_CHECK_EQUAL(once.size(), x.server.saw.packets.size());
    CAF_CHECK(once.size() > 120);
    x.set_faults({});
    CAF_CHECK(x.carries(200));
  }
}

CAF_TEST(one that has no epochs gets the old format) {
  using namespace protocol::iv_proto;
  auto all = protocol::peer_info_config{}.proto;
  for (auto who : {0, 1, 2}) {
    vpn_pair x;
    if (who == 0)
      x.server.cfg->session.epoch = false;
    else if (who == 1)
      announce(x, all & ~data_epoch);
    else
      // Epochs need the exporter.
      announce(x, all & ~tls_key_export);
    if (who == 1)
      x.client.cfg->session.epoch = false;
    data_log log{x};
    check_traffic(x);
    CAF_CHECK(has_short_ids(log.up));
    CAF_CHECK(has_short_ids(log.down));
  }
}

// -- CBC, and no cipher --

CAF_TEST(CBC with every digest) {
  for (auto cipher : {data_cipher::aes_128_cbc, data_cipher::aes_192_cbc,
                      data_cipher::aes_256_cbc})
    for (auto digest : {"SHA1", "SHA256", "SHA512"}) {
      pair_config cfg;
      cfg.cipher = cipher;
      cfg.digest = digest;
      vpn_pair x{cfg};
      check_traffic(x);
      for (auto* side : {&x.client, &x.server})
        CAF_CHECK(side->saw.noted("cipher '" + protocol::to_string(cipher)
                                  + "', auth '" + digest + "'"));
    }
}

CAF_TEST(without a cipher packets are authenticated all the same) {
  for (auto digest : {"SHA1", "SHA256"}) {
    pair_config cfg;
    cfg.cipher = data_cipher::none;
    cfg.digest = digest;
    vpn_pair x{cfg};
    data_log log{x};
    check_traffic(x);
    // In clear, and no bit of it may change.
    auto packet = numbered_packet(7, 200);
    log.up.clear();
    x.server.saw.packets.clear();
    x.send(x.client, {packet});
    x.drive(100ms);
    CAF_REQUIRE_EQUAL(log.up.size(), 1u);
    auto sealed = log.up[0];
    CAF_CHECK(
      std::search(sealed.begin(), sealed.end(), packet.begin(), packet.end())
      != sealed.end());
    CAF_CHECK_EQUAL(x.server.saw.packets.size(), 1u);
    for (size_t i = 4; i < sealed.size(); i += 5) {
      auto forged = sealed;
      forged[i] ^= 1;
      x.inject(x.server, forged);
    }
    x.inject(x.server, sealed);
    x.drive(100ms);
    CAF_CHECK_EQUAL(x.server.saw.packets.size(), 1u);
  }
}

CAF_TEST(two digests let nothing through) {
  pair_config cfg;
  cfg.cipher = data_cipher::aes_256_cbc;
  vpn_pair x{cfg};
  x.server.cfg->session.digest = "SHA256";
  connect(x);
  CAF_CHECK(!x.carries());
  CAF_CHECK(x.server.saw.packets.empty());
  CAF_CHECK(x.client.saw.packets.empty());
}

// -- compression --

namespace {

struct framing_case {
  const char* push;
  compression_framing framing;
};

constexpr framing_case framings[] = {
  {"comp-lzo no", compression_framing::lzo_stub},
  {"comp-lzo", compression_framing::lzo},
  {"comp-lzo adaptive", compression_framing::lzo},
  {"compress", compression_framing::stub},
  {"compress stub", compression_framing::stub},
  {"compress stub-v2", compression_framing::stub_v2},
  {"compress lzo", compression_framing::lzo},
  {"compress lz4", compression_framing::lz4},
  {"compress lz4-v2", compression_framing::lz4_v2},
};

} // namespace

CAF_TEST(every framing that a server pushes is used) {
  for (auto& framing : framings)
    for (auto cipher : {data_cipher::aes_256_gcm, data_cipher::aes_256_cbc}) {
      CAF_MESSAGE(framing.push);
      pair_config cfg;
      cfg.cipher = cipher;
      vpn_pair x{cfg};
      x.server.cfg->session.server.push.emplace_back(framing.push);
      x.server.cfg->session.pull.framing = framing.framing;
      x.server.cfg->session.pull.allow_compressed = true;
      x.client.cfg->session.pull.allow_compressed = true;
      check_traffic(x);
      CAF_CHECK(!x.client.saw.packets.empty());
    }
}

CAF_TEST(a framing that one side has alone lets nothing through) {
  vpn_pair x;
  x.server.cfg->session.server.push.emplace_back("comp-lzo no");
  connect(x);
  CAF_CHECK(!x.carries());
  CAF_CHECK(x.client.saw.packets.empty());
}

CAF_TEST(what may come compressed is refused unless it is allowed) {
  for (auto& framing : framings) {
    vpn_pair x;
    x.server.cfg->session.server.push.emplace_back(framing.push);
    x.server.cfg->session.pull.framing = framing.framing;
    x.client.cfg->plan.max_tries = 1;
    x.start();
    x.drive(3s);
    CAF_CHECK_EQUAL(vpn_pair::connected(x.client),
                    !may_compress(framing.framing));
    if (!may_compress(framing.framing)) {
      CAF_CHECK(x.carries());
      continue;
    }
    CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
    CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "push_refused");
    CAF_CHECK(x.client.saw.noted("allow-compression"));
    CAF_CHECK(x.client.saw.applied.empty());
  }
}

// -- fragments --

CAF_TEST(packets travel in pieces that fit) {
  for (auto size : {200U, 576U, 1300U})
    for (auto outer : {false, true}) {
      vpn_pair x;
      for (auto* side : {&x.client, &x.server}) {
        side->settings().fragment = {size, outer};
        side->settings().mssfix.kind = protocol::mssfix_kind::off;
      }
      data_log log{x};
      check_traffic(x);
      for (auto* way : {&log.up, &log.down}) {
        size_t largest = 0;
        for (auto& y : *way)
          largest = std::max(largest, y.size());
        CAF_CHECK(largest + (outer ? 28 : 0) <= size);
        CAF_CHECK(largest > size / 2);
      }
      CAF_CHECK(log.up.size() > 60);
    }
}

CAF_TEST(pieces in any order make whole packets) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    cfg.cipher
      = seed % 2 == 0 ? data_cipher::aes_256_cbc : data_cipher::aes_256_gcm;
    vpn_pair x{cfg};
    x.client.settings().fragment.size = 500;
    x.server.settings().fragment.size = 400;
    connect(x);
    link_faults faults;
    faults.jitter = 5ms;
    faults.duplicate = 200;
    x.set_faults(faults);
    std::multiset<bytes> sent;
    for (uint32_t i = 0; i < 50; ++i) {
      auto packet = numbered_packet(i, 1000 + i * 10);
      sent.insert(packet);
      x.send(x.client, {packet});
      x.drive(20ms);
    }
    x.drive(1s);
    CAF_CHECK((std::multiset<bytes>{x.server.saw.packets.begin(),
                                    x.server.saw.packets.end()})
              == sent);
  }
}

CAF_TEST(a lost piece costs its packet and no other) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    vpn_pair x{cfg};
    x.client.settings().fragment.size = 500;
    x.server.settings().fragment.size = 500;
    connect(x);
    link_faults faults;
    faults.lose = 50;
    x.set_faults(faults);
    std::vector<bytes> sent;
    for (uint32_t i = 0; i < 200; ++i) {
      sent.push_back(numbered_packet(i, 1400));
      x.send(x.client, {sent.back()});
      x.drive(5ms);
    }
    x.drive(1s);
    auto& got = x.server.saw.packets;
    // 0.95 ^ 3, more or less; each as it was, in order.
    CAF_CHECK(got.size() > 130 && got.size() < 200);
    CAF_CHECK(std::includes(
      sent.begin(), sent.end(), got.begin(), got.end(), [](auto& a, auto& b) {
        return load_u32(a.data() + 4) < load_u32(b.data() + 4);
      }));
    for (auto& packet : got)
      CAF_CHECK(packet == sent[load_u32(packet.data() + 4)]);
  }
}

// -- inside the packet --

CAF_TEST(the address that the server gives stands for our own) {
  vpn_pair x;
  auto& push = x.server.cfg->session.server.push;
  push.emplace_back("client-nat snat 10.8.0.2 255.255.255.255 10.66.0.2");
  push.emplace_back("client-nat dnat 192.168.77.0 255.255.255.0 172.16.5.0");
  connect(x);
  x.send(x.client, {ip_packet(1, "10.8.0.2", "192.168.77.9")});
  x.send(x.server, {ip_packet(2, "172.16.5.9", "10.66.0.2")});
  x.drive(1s);
  CAF_REQUIRE_EQUAL(x.server.saw.packets.size(), 1u);
  CAF_CHECK(x.server.saw.packets[0] == ip_packet(1, "10.66.0.2", "172.16.5.9"));
  CAF_REQUIRE_EQUAL(x.client.saw.packets.size(), 1u);
  CAF_CHECK(x.client.saw.packets[0]
            == ip_packet(2, "192.168.77.9", "10.8.0.2"));
}

CAF_TEST(IPv6 that is blocked is answered instead of sent) {
  vpn_pair x;
  x.server.cfg->session.server.push.emplace_back("block-ipv6");
  connect(x);
  data_log log{x};
  x.send(x.client, {ipv6_packet()});
  x.drive(1s);
  CAF_CHECK(log.up.empty());
  CAF_CHECK(x.server.saw.packets.empty());
  CAF_REQUIRE_EQUAL(x.client.saw.packets.size(), 1u);
  auto& answer = x.client.saw.packets[0];
  CAF_REQUIRE(answer.size() >= 48);
  CAF_CHECK_EQUAL(answer[0] >> 4, 6);
  CAF_CHECK_EQUAL(answer[6], 58);
  // Destination unreachable, no route.
  CAF_CHECK_EQUAL(answer[40], 1);
  CAF_CHECK_EQUAL(answer[41], 0);
  auto asker = *parse_ip("2001:db8::2");
  CAF_CHECK(
    std::equal(asker.octets.begin(), asker.octets.end(), answer.begin() + 24));
  CAF_CHECK(x.carries());
}

CAF_TEST(IPv6 that is not blocked goes through) {
  vpn_pair x;
  connect(x);
  x.send(x.client, {ipv6_packet()});
  x.drive(1s);
  CAF_CHECK(x.server.saw.packets == std::vector<bytes>{ipv6_packet()});
  CAF_CHECK(x.client.saw.packets.empty());
}
