// Somebody on the way who can read and add packets, but knows no key: nothing
// of it ends a session on UDP, or keeps one from beginning.
#define CAF_SUITE pair.hostile
#include "vpn/protocol/control_wrap.hpp"

#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::control_packet;
using protocol::control_wrap;
using protocol::opcode;
using protocol::role;
using protocol::session_id;
using protocol::wrap_mode;

namespace {

/// Adds packets of its own to what it sees, both ways.
class attacker {
public:
  explicit attacker(vpn_pair& x, uint64_t seed) : x_(x), random_(seed) {
    x.tap = [this](const vpn_pair::side& from, byte_view datagram) {
      if (datagram.size() == 0)
        return;
      auto& to = &from == &x_.client ? x_.server : x_.client;
      auto& back = &from == &x_.client ? x_.client : x_.server;
      ++seen_;
      for (auto& how : attacks)
        how(*this, to, back, datagram);
    };
  }
  ~attacker() { x_.tap = nullptr; }
  attacker(const attacker&) = delete;
  attacker& operator=(const attacker&) = delete;

  using side = vpn_pair::side;
  using attack
    = std::function<void(attacker&, side& to, side& back, byte_view datagram)>;
  std::vector<attack> attacks;

  void inject(side& to, bytes datagram) {
    ++injected_;
    x_.inject(to, std::move(datagram));
  }
  seeded& random() { return random_; }
  uint64_t seen() const { return seen_; }
  uint64_t injected() const { return injected_; }

private:
  vpn_pair& x_;
  seeded random_;
  uint64_t seen_ = 0, injected_ = 0;
};

// -- what it may add --

void random_bytes(attacker& a, attacker::side& to, attacker::side& back,
                  byte_view) {
  a.inject(to, a.random().some_bytes(200));
  a.inject(back, a.random().some_bytes(1600));
  // Under any opcode and key id.
  auto xs = a.random().some_bytes(200);
  xs.insert(xs.begin(), a.random().byte());
  a.inject(to, std::move(xs));
}

void truncated(attacker& a, attacker::side& to, attacker::side&,
               byte_view datagram) {
  auto size = a.random().below(static_cast<uint32_t>(datagram.size()));
  a.inject(to, datagram.first(size).copy());
}

void extended(attacker& a, attacker::side& to, attacker::side&,
              byte_view datagram) {
  auto xs = datagram.copy();
  xs.resize(xs.size() + 1 + a.random().below(50));
  a.inject(to, std::move(xs));
}

void flipped(attacker& a, attacker::side& to, attacker::side&,
             byte_view datagram) {
  for (auto i = 0; i < 4; ++i) {
    auto xs = datagram.copy();
    xs[a.random().below(static_cast<uint32_t>(xs.size()))]
      ^= static_cast<uint8_t>(1U << a.random().below(8));
    a.inject(to, std::move(xs));
  }
}

/// The same bytes once more, and back to where they came from.
void repeated(attacker& a, attacker::side& to, attacker::side& back,
              byte_view datagram) {
  a.inject(to, datagram.copy());
  a.inject(back, datagram.copy());
}

/// Only packets of the data channel, which nothing but the key can make.
attacker::attack on_data(attacker::attack f) {
  return [f](attacker& a, attacker::side& to, attacker::side& back,
             byte_view datagram) {
    if (protocol::is_data(datagram[0]))
      f(a, to, back, datagram);
  };
}

/// Resets of sessions that nobody has, wrapped with the true key, as another
/// client of the same server could make them.
attacker::attack foreign_resets(const protocol::wrap_config& cfg) {
  auto wraps = std::make_shared<std::vector<control_wrap>>();
  wraps->push_back(std::move(*control_wrap::make(cfg, role::client)));
  auto other = cfg;
  if (cfg.direction == protocol::key_direction::inverse)
    other.direction = protocol::key_direction::normal;
  wraps->push_back(std::move(*control_wrap::make(other, role::server)));
  return
    [wraps](attacker& a, attacker::side& to, attacker::side& back, byte_view) {
      auto now = instant{};
      now.unix_seconds = pki_now;
      for (auto op :
           {opcode::control_hard_reset_client_v2,
            opcode::control_hard_reset_server_v2, opcode::control_soft_reset_v1,
            opcode::control_v1, opcode::ack_v1}) {
        control_packet x;
        x.op = op;
        x.key_id = static_cast<uint8_t>(
          op == opcode::control_soft_reset_v1 ? a.random().below(8) : 0);
        for (auto& y : x.source.value)
          y = a.random().byte();
        x.payload = op == opcode::control_v1 ? bytes(10, 0x16) : bytes{};
        if (a.random().one_in(2) || op == opcode::ack_v1) {
          x.acks = {0};
          for (auto& y : x.destination.value)
            y = a.random().byte();
        }
        for (auto& wrap : *wraps) {
          a.inject(to, wrap.seal(x, now));
          a.inject(back, wrap.seal(x, now));
        }
      }
    };
}

/// Soft resets of the true sessions, which are in clear on the way, as long as
/// `while_true` says.
attacker::attack own_soft_resets(std::function<bool()> while_true) {
  return [while_true](attacker& a, attacker::side& to, attacker::side&,
                      byte_view datagram) {
    auto head = protocol::read_head(datagram);
    // Not in answer to an ack: each of these resets is acknowledged, so that
    // would never end.
    if (!head || head->op == opcode::ack_v1 || !while_true())
      return;
    for (uint8_t key_id = 0; key_id < 8; ++key_id) {
      control_packet x;
      x.op = opcode::control_soft_reset_v1;
      x.key_id = key_id;
      x.source = head->source;
      a.inject(to, protocol::write_plain(x));
    }
  };
}

// -- scenarios --

pair_config with(wrap_mode wrap, uint64_t seed) {
  pair_config cfg;
  cfg.wrap = wrap;
  cfg.client_direction = protocol::key_direction::inverse;
  cfg.seed = seed;
  return cfg;
}

void check_unharmed(vpn_pair& x) {
  if (!x.drive_to_connected(1min))
    CAF_FAIL(x.story());
  for (auto i = 0U; i < 20; ++i) {
    auto up = numbered_packets(100 * i, 10, i);
    auto down = numbered_packets(100 * i + 50, 10, i);
    x.client.saw.packets.clear();
    x.server.saw.packets.clear();
    x.send(x.client, up);
    x.send(x.server, down);
    x.drive(1s);
    CAF_CHECK(x.server.saw.packets == up);
    CAF_CHECK(x.client.saw.packets == down);
  }
  for (auto* side : {&x.client, &x.server}) {
    if (!vpn_pair::connected(*side))
      CAF_FAIL(x.story());
    CAF_CHECK(side->saw.ended.empty());
    CAF_CHECK_EQUAL(side->sockets, 1u);
  }
}

void check_attacks(wrap_mode wrap, const std::vector<attacker::attack>& what) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    vpn_pair x{with(wrap, seed)};
    x.client.cfg->session.reneg_after = 7s;
    attacker a{x, seed};
    a.attacks = what;
    if (wrap != wrap_mode::tls_crypt)
      a.attacks.push_back(foreign_resets(x.client.settings().wrap));
    x.start();
    check_unharmed(x);
    CAF_CHECK(a.injected() > 10 * a.seen());
  }
}

} // namespace

CAF_TEST(without wrapping) {
  // Whoever adds to the plain control channel can break its TLS, so it stays
  // with packets of other sessions there.
  check_attacks(wrap_mode::none, {random_bytes, repeated, on_data(truncated),
                                  on_data(extended), on_data(flipped)});
}

CAF_TEST(behind tls auth) {
  check_attacks(wrap_mode::tls_auth,
                {random_bytes, repeated, truncated, extended, flipped});
}

CAF_TEST(behind tls crypt) {
  check_attacks(wrap_mode::tls_crypt,
                {random_bytes, repeated, truncated, extended, flipped});
}

CAF_TEST(resets of other sessions with the true key of tls crypt) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    vpn_pair x{with(wrap_mode::tls_crypt, seed)};
    attacker a{x, seed};
    // A server of one session takes whoever comes first, so the client must
    // be it.
    a.attacks = {repeated, foreign_resets(x.client.settings().wrap)};
    x.start();
    check_unharmed(x);
  }
}

CAF_TEST(soft resets before there is a key are ignored) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    vpn_pair x{with(wrap_mode::none, seed)};
    x.client.cfg->session.reneg_after = 7s;
    attacker a{x, seed};
    auto before = [&x] {
      return !vpn_pair::connected(x.client) && !vpn_pair::connected(x.server);
    };
    a.attacks = {own_soft_resets(before)};
    x.start();
    check_unharmed(x);
    CAF_CHECK(a.injected() > 50);
  }
}

CAF_TEST(a soft reset that nobody sent leads to a new key at most) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    vpn_pair x{with(wrap_mode::none, seed)};
    attacker a{x, seed};
    auto once = [&x, done = std::make_shared<bool>(false)] {
      return vpn_pair::connected(x.client) && vpn_pair::connected(x.server)
             && !std::exchange(*done, true);
    };
    a.attacks = {own_soft_resets(once)};
    x.start();
    check_unharmed(x);
  }
}

CAF_TEST(a flood of garbage does not stop a session) {
  vpn_pair x{with(wrap_mode::tls_crypt, 1)};
  x.start();
  CAF_REQUIRE(x.drive_to_connected(2s));
  seeded random{1};
  for (auto i = 0; i < 200; ++i) {
    for (auto j = 0; j < 100; ++j) {
      auto xs = random.some_bytes(100);
      xs.insert(xs.begin(), random.byte());
      x.inject(j % 2 == 0 ? x.client : x.server, std::move(xs));
    }
    x.drive(1ms);
  }
  check_unharmed(x);
}

CAF_TEST(a renegotiation under attack succeeds) {
  for (auto wrap : {wrap_mode::tls_auth, wrap_mode::tls_crypt}) {
    vpn_pair x{with(wrap, 3)};
    x.server.cfg->session.reneg_after = 5s;
    attacker a{x, 3};
    a.attacks = {random_bytes, repeated, truncated, flipped};
    x.start();
    CAF_REQUIRE(x.drive_to_connected(1min));
    x.drive(60s);
    check_unharmed(x);
    CAF_CHECK(x.client.saw.noted("new key, key id 7"));
  }
}
