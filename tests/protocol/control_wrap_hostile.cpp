// Every kind of packet under every wrapping, cut at every length and broken at
// every byte.
// spec: openvpn-wire 2.3, 2.5, 2.7, 2.8, 2.10

#define CAF_SUITE protocol.control_wrap_hostile

#include "vpn/protocol/control_wrap.hpp"

#include "tests/support/crypt_v2_keys.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

const instant now{{}, 0x61d3bf6c};

/// Both ends of one wrapping, made anew for each use.
struct wrapping {
  const char* name;
  wrap_mode mode;
  const char* digest;
  bool dynamic;

  control_wrap end(role self) const {
    test::crypt_v2_keys keys;
    auto cfg = keys.client();
    if (mode == wrap_mode::tls_crypt_v2 && self == role::server)
      cfg = keys.server();
    cfg.mode = mode;
    cfg.digest = digest;
    cfg.direction
      = self == role::server ? key_direction::normal : key_direction::inverse;
    auto result = control_wrap::make(cfg, self);
    CAF_REQUIRE(result);
    if (!dynamic)
      return std::move(*result);
    key_block exported;
    std::fill(exported.begin(), exported.end(), uint8_t{0xba});
    auto later = result->make_dynamic(exported);
    CAF_REQUIRE(later);
    return std::move(*later);
  }
  bool authentic() const { return mode != wrap_mode::none || dynamic; }
};

const wrapping wrappings[] = {
  {"none", wrap_mode::none, "", false},
  {"tls-auth MD5", wrap_mode::tls_auth, "MD5", false},
  {"tls-auth SHA1", wrap_mode::tls_auth, "SHA1", false},
  {"tls-auth SHA224", wrap_mode::tls_auth, "SHA224", false},
  {"tls-auth SHA256", wrap_mode::tls_auth, "SHA256", false},
  {"tls-auth SHA384", wrap_mode::tls_auth, "SHA384", false},
  {"tls-auth SHA512", wrap_mode::tls_auth, "SHA512", false},
  {"tls-auth SHA3-256", wrap_mode::tls_auth, "SHA3-256", false},
  {"tls-crypt", wrap_mode::tls_crypt, "", false},
  {"tls-crypt-v2", wrap_mode::tls_crypt_v2, "", false},
  {"dynamic", wrap_mode::none, "", true},
};

std::vector<control_packet> every_packet() {
  std::vector<control_packet> result;
  for (auto op : {opcode::control_soft_reset_v1, opcode::control_v1,
                  opcode::ack_v1, opcode::control_hard_reset_client_v2,
                  opcode::control_hard_reset_server_v2,
                  opcode::control_hard_reset_client_v3, opcode::control_wkc_v1})
    for (size_t acks : {0u, 1u, 4u, 8u})
      for (size_t payload : {0u, 1u, 40u}) {
        control_packet x;
        x.op = op;
        x.source = session_id{{1, 2, 3, 4, 5, 6, 7, 8}};
        for (uint32_t id = 0; id < acks; ++id)
          x.acks.push_back(id);
        if (acks > 0)
          x.destination = session_id{{8, 7, 6, 5, 4, 3, 2, 1}};
        if (op != opcode::ack_v1) {
          x.id = 3;
          x.payload = bytes(payload, 0x5a);
        } else if (payload > 0) {
          continue;
        }
        result.push_back(std::move(x));
      }
  return result;
}

/// A server that opens packets of `op`: with a key, if it needs one before.
control_wrap receiver(const wrapping& x, opcode op, control_wrap& client) {
  auto result = x.end(role::server);
  auto brings_key = op == opcode::control_hard_reset_client_v3
                    || op == opcode::control_wkc_v1;
  if (x.mode == wrap_mode::tls_crypt_v2 && !brings_key) {
    control_packet first;
    first.op = opcode::control_hard_reset_client_v3;
    first.source = session_id{{1, 2, 3, 4, 5, 6, 7, 8}};
    CAF_REQUIRE(result.open(client.seal(first, now)));
  }
  return result;
}

} // namespace

CAF_TEST(every kind of packet arrives under every wrapping) {
  for (auto& x : wrappings) {
    CAF_MESSAGE(x.name);
    for (auto& pkt : every_packet()) {
      auto client = x.end(role::client);
      auto server = receiver(x, pkt.op, client);
      auto y = server.open(client.seal(pkt, now));
      CAF_REQUIRE(y);
      CAF_CHECK(*y == pkt);
    }
  }
}

CAF_TEST(no truncation of any packet is taken for a whole one) {
  for (auto& x : wrappings) {
    CAF_MESSAGE(x.name);
    for (auto& pkt : every_packet()) {
      auto client = x.end(role::client);
      auto server = receiver(x, pkt.op, client);
      auto sealed = client.seal(pkt, now);
      for (size_t n = 0; n < sealed.size(); ++n) {
        auto y = server.open(byte_view{sealed}.first(n));
        if (x.authentic()) {
          CAF_REQUIRE(!y);
          continue;
        }
        // In clear a payload may end anywhere, and nothing else may.
        auto shortest = sealed.size() - pkt.payload.size();
        CAF_REQUIRE_EQUAL(static_cast<bool>(y), n >= shortest);
        if (y)
          CAF_REQUIRE_EQUAL(y->payload.size(), n - shortest);
        else
          CAF_REQUIRE(y.error() == errc::truncated);
      }
      CAF_REQUIRE(server.open(sealed));
    }
  }
}

CAF_TEST(no flipped bit of an authenticated packet goes unseen) {
  for (auto& x : wrappings) {
    if (!x.authentic())
      continue;
    CAF_MESSAGE(x.name);
    for (auto& pkt : every_packet()) {
      if (pkt.acks.size() == 1 || pkt.payload.size() == 40)
        continue;
      auto client = x.end(role::client);
      auto server = receiver(x, pkt.op, client);
      auto sealed = client.seal(pkt, now);
      for (size_t i = 0; i < sealed.size(); ++i) {
        auto bad = sealed;
        bad[i] ^= static_cast<uint8_t>(1 << (i % 8));
        CAF_REQUIRE(!server.open(bad));
      }
      CAF_REQUIRE(server.open(sealed));
      CAF_REQUIRE(!server.open(sealed));
    }
  }
}

CAF_TEST(bytes behind an authenticated packet are refused) {
  for (auto& x : wrappings) {
    if (!x.authentic())
      continue;
    for (auto& pkt : every_packet()) {
      auto client = x.end(role::client);
      auto server = receiver(x, pkt.op, client);
      auto sealed = client.seal(pkt, now);
      for (size_t n : {1u, 2u, 290u, 2000u, 60000u}) {
        auto longer = sealed;
        longer.resize(sealed.size() + n);
        CAF_REQUIRE(!server.open(longer));
      }
    }
  }
}

CAF_TEST(a packet of one wrapping is none of another) {
  for (auto& from : wrappings)
    for (auto& to : wrappings) {
      if (&from == &to || !to.authentic())
        continue;
      for (auto& pkt : every_packet()) {
        auto client = from.end(role::client);
        auto server = to.end(role::server);
        auto same_key = from.mode == wrap_mode::tls_crypt
                        && to.mode == wrap_mode::tls_crypt_v2;
        auto other_way = from.mode == wrap_mode::tls_crypt_v2
                         && to.mode == wrap_mode::tls_crypt;
        if (same_key || other_way)
          continue;
        CAF_REQUIRE(!server.open(client.seal(pkt, now)));
      }
    }
}

CAF_TEST(digests that authenticate nothing are refused) {
  for (auto digest :
       {"none", "NONE", "[null-digest]", "NULL", "", "SHAKE128"}) {
    wrap_config cfg;
    cfg.mode = wrap_mode::tls_auth;
    cfg.digest = digest;
    for (auto self : {role::client, role::server}) {
      auto x = control_wrap::make(cfg, self);
      CAF_CHECK(!x && x.error() == errc::bad_key_material);
    }
  }
}

CAF_TEST(random bytes open under no wrapping that authenticates) {
  test::seeded random{12};
  for (auto& x : wrappings) {
    auto server = x.end(role::server);
    for (int i = 0; i < 10000; ++i) {
      auto junk = random.some_bytes(400);
      if (!junk.empty() && !random.one_in(4))
        junk[0] = static_cast<uint8_t>((3 + random.below(9)) << 3);
      auto y = server.open(junk);
      CAF_REQUIRE(!y || !x.authentic());
    }
  }
}
