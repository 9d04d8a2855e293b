#define CAF_SUITE protocol.captured_handshakes
// Datagrams of a real openvpn 2.6.14, both sides: see tests/vectors/capture.sh.
#include "vpn/protocol/control_wrap.hpp"

#include "caf/test/unit_test.hpp"

#include <fstream>
#include <sstream>

using namespace vpn;
using namespace vpn::protocol;

namespace {

struct datagram {
  role from = role::client;
  bytes data;
};

struct capture {
  wrap_config wrap;
  std::vector<datagram> datagrams;
};

capture read_capture(wrap_mode mode, const std::string& name) {
  std::string path{__FILE__};
  path.resize(path.rfind('/'));
  std::ifstream in{path + "/../vectors/handshake-" + name + ".hex"};
  CAF_REQUIRE(in.good());
  capture result;
  result.wrap.mode = mode;
  std::string line, word, hex;
  while (std::getline(in, line)) {
    std::istringstream words{line};
    words >> word >> hex;
    if (word == "key") {
      auto key = from_hex(hex);
      CAF_REQUIRE_EQUAL(key.size(), key_block::size());
      std::copy(key.begin(), key.end(), result.wrap.key.begin());
    } else if (word == "C>S" || word == "S>C") {
      result.datagrams.push_back(
        {word == "C>S" ? role::client : role::server, from_hex(hex)});
    }
  }
  return result;
}

control_wrap wrap_of(const capture& from, role self) {
  auto cfg = from.wrap;
  // tls-auth as everybody has it: the server 0, the client 1.
  cfg.direction
    = self == role::server ? key_direction::normal : key_direction::inverse;
  auto result = control_wrap::make(cfg, self);
  CAF_REQUIRE(result);
  return std::move(*result);
}

role peer_of(role x) {
  return x == role::client ? role::server : role::client;
}

/// Seconds in a wrap packet id; it stands after nine bytes, and with tls-auth
/// after the HMAC-SHA1, too.
instant time_of(const capture& from, const bytes& data) {
  if (from.wrap.mode == wrap_mode::none)
    return {};
  size_t at = from.wrap.mode == wrap_mode::tls_auth ? 9 + 20 + 4 : 9 + 4;
  return {{}, load_u32(data.data() + at)};
}

void check(wrap_mode mode, const std::string& name) {
  auto all = read_capture(mode, name);
  CAF_REQUIRE_EQUAL(all.datagrams.size(), 16u);
  for (auto side : {role::client, role::server}) {
    auto sender = wrap_of(all, side);
    auto receiver = wrap_of(all, peer_of(side));
    std::vector<opcode> opcodes;
    session_id source;
    size_t tls_bytes = 0;
    for (const auto& x : all.datagrams) {
      if (x.from != side || is_data(x.data[0]))
        continue;
      auto packet = receiver.open(x.data);
      CAF_REQUIRE(packet);
      opcodes.push_back(packet->op);
      if (!source.defined())
        source = packet->source;
      CAF_CHECK(packet->source == source);
      CAF_CHECK_EQUAL(packet->key_id, 0u);
      tls_bytes += packet->payload.size();
      // Sealed by us it is the same, byte for byte.
      CAF_CHECK_EQUAL(to_hex(sender.seal(*packet, time_of(all, x.data))),
                      to_hex(x.data));
      // A second copy is a replay where there are packet ids.
      CAF_CHECK(mode == wrap_mode::none || !receiver.open(x.data));
      for (size_t i = 0; i < x.data.size() && mode != wrap_mode::none; ++i) {
        auto damaged = x.data;
        damaged[i] ^= 0x10;
        CAF_REQUIRE(!wrap_of(all, peer_of(side)).open(damaged));
      }
    }
    CAF_REQUIRE(opcodes.size() > 3);
    CAF_CHECK(opcodes[0]
              == (side == role::client ? opcode::control_hard_reset_client_v2
                                       : opcode::control_hard_reset_server_v2));
    // A ClientHello, or a ServerHello with a chain.
    CAF_CHECK_GREATER(tls_bytes, 500u);
  }
}

} // namespace

CAF_TEST(a plain handshake is read and written as stock does) {
  check(wrap_mode::none, "none");
}

CAF_TEST(a handshake under tls auth is read and written as stock does) {
  check(wrap_mode::tls_auth, "tls-auth");
}

CAF_TEST(a handshake under tls crypt is read and written as stock does) {
  check(wrap_mode::tls_crypt, "tls-crypt");
}
