// Ten thousand packets of somebody without a key, into each side, in every
// state of a session: nothing changes.
// spec: design 7; openvpn-wire 2, 12
#define CAF_SUITE pair.chaos_floods
#include "vpn/protocol/control_wrap.hpp"
#include "vpn/protocol/in_tunnel_message.hpp"

#include "tests/support/chaos_pair.hpp"
#include "tests/support/crypt_v2_keys.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using protocol::control_packet;
using protocol::control_wrap;
using protocol::opcode;
using protocol::phase;
using protocol::role;
using protocol::session_id;

namespace {

constexpr size_t flood_size = 10'000; // into each side
constexpr size_t chunk = 1000;        // of them within a millisecond

// -- where a session is --

enum class moment : uint8_t {
  resetting,
  negotiating,
  configuring,
  assigning,
  connected,
  renegotiating,
  waiting,
  closing,
};

constexpr std::array<moment, 8> all_moments{
  moment::resetting, moment::negotiating, moment::configuring,
  moment::assigning, moment::connected,   moment::renegotiating,
  moment::waiting,   moment::closing};

std::string to_string(moment x) {
  constexpr std::array<const char*, 8> names{
    "resetting", "negotiating",   "configuring", "assigning",
    "connected", "renegotiating", "waiting",     "closing"};
  return names[static_cast<size_t>(x)];
}

std::string to_string(wrap_mode x) {
  constexpr std::array<const char*, 4> names{"none", "tls-auth", "tls-crypt",
                                             "tls-crypt-v2"};
  return names[static_cast<size_t>(x)];
}

/// Everything that a flood could change, at one instant.
struct snapshot {
  size_t client_phases, server_phases, client_notices, server_notices;
  size_t client_ends, server_ends, packets, sockets;
  size_t actors, timers, sent;
  /// Not compared: DATA CHANNEL may park data that came before its key.
  size_t batches;

  std::string text() const {
    std::string result;
    for (auto x :
         {client_phases, server_phases, client_notices, server_notices,
          client_ends, server_ends, packets, sockets, actors, timers, sent})
      result += std::to_string(x) + ' ';
    return result;
  }
};

struct flooded_pair : vpn_pair {
  flooded_pair(wrap_mode wrap, moment when) : vpn_pair(config(wrap)) {
    for (auto* x : {&client, &server}) {
      x->cfg->heartbeat = 2s;
      x->cfg->session.reneg_after = 0s;
    }
    tap = [this](const side& from, byte_view datagram) {
      digest.add(&from == &client, elapsed(), datagram);
      if (auto head = protocol::read_head(datagram))
        (&from == &client ? client_id : server_id) = head->source;
    };
    if (when == moment::configuring)
      server.saw.host_delay = 2s;
    if (when == moment::assigning)
      client.saw.host_delay = 2s;
    if (when == moment::renegotiating)
      client.cfg->session.reneg_after = 30s;
    if (when == moment::resetting)
      set_link_up(false);
    start();
    if (!reach(when))
      CAF_FAIL(to_string(when) << " is never reached: " << story());
    server.saw.host_delay = client.saw.host_delay = 0s;
  }

  static pair_config config(wrap_mode wrap) {
    pair_config cfg;
    cfg.wrap = wrap;
    cfg.client_direction = protocol::key_direction::inverse;
    cfg.faults.delay = 50ms;
    cfg.restart_server = true;
    cfg.ping = 3;
    cfg.ping_restart = 12;
    return cfg;
  }

  bool reach(moment when) {
    auto in = [this](phase x) {
      return [this, x] {
        return !client.saw.phases.empty() && client.saw.phases.back() == x;
      };
    };
    switch (when) {
      case moment::resetting:
        return drive(10s, in(phase::wait));
      case moment::negotiating:
        return drive(10s, in(phase::auth));
      case moment::configuring:
        return drive(10s, in(phase::get_config));
      case moment::assigning:
        return drive(10s, in(phase::add_routes));
      case moment::connected:
        return drive_to_connected(10s);
      case moment::renegotiating:
        return drive(40s, [this] {
          return server.saw.noted("TLS: soft reset by the peer");
        });
      case moment::waiting: {
        auto there = drive_to_connected(10s);
        set_link_up(false);
        return there && drive(60s, in(phase::reconnecting));
      }
      case moment::closing: {
        auto there = drive_to_connected(10s);
        stop(client);
        return there;
      }
    }
    return false;
  }

  snapshot look() {
    auto& pools = client.cfg->pools;
    size_t out = 0;
    for (auto* pool : {&pools.received, &pools.tun, &pools.sealed})
      out += (*pool)->capacity() - (*pool)->available();
    return {client.saw.phases.size(),
            server.saw.phases.size(),
            client.saw.notices.size(),
            server.saw.notices.size(),
            client.saw.ended.size(),
            server.saw.ended.size(),
            client.saw.packets.size() + server.saw.packets.size(),
            client.sockets + server.sockets,
            running(),
            pending_timers(),
            digest.datagrams,
            out};
  }

  run_digest digest;
  /// Of the sessions that are; they are in clear on the way.
  session_id client_id, server_id;
};

// -- what comes --

/// Packets of somebody who has not the key of the wrapping, for one side of
/// one run.
class flood {
public:
  flood(flooded_pair& x, bool to_client, wrap_mode wrap, moment when)
    : random_(static_cast<uint64_t>(when) + 10),
      source_(to_client ? x.server_id : x.client_id),
      plain_(wrap == wrap_mode::none),
      may_reset_(!plain_
                 || (when != moment::resetting && when != moment::waiting
                     && when != moment::closing)) {
    if (!plain_)
      wraps_ = foreign_wraps(x, wrap);
    for (size_t i = 0; i < 500; ++i)
      packets_.push_back(packet(i));
  }

  const bytes& next() { return packets_[next_++ % packets_.size()]; }

private:
  /// The same wrapping with another key.
  static std::vector<control_wrap> foreign_wraps(flooded_pair& x,
                                                 wrap_mode wrap) {
    std::vector<control_wrap> result;
    for (auto who : {role::client, role::server}) {
      auto cfg = x.client.settings().wrap;
      if (wrap == wrap_mode::tls_crypt_v2)
        cfg = crypt_v2_keys{99}.client();
      for (size_t i = 0; i < cfg.key.size(); ++i)
        cfg.key.data()[i] ^= 0x55;
      if (who == role::server) {
        if (wrap == wrap_mode::tls_crypt_v2)
          continue; // a server has no key before it has met its client
        if (cfg.direction == protocol::key_direction::inverse)
          cfg.direction = protocol::key_direction::normal;
      }
      result.push_back(std::move(*control_wrap::make(cfg, who)));
    }
    return result;
  }

  session_id some_id() {
    session_id result;
    for (auto& x : result.value)
      x = random_.byte();
    return result;
  }

  bytes sealed(const control_packet& x) {
    if (plain_)
      return protocol::write_plain(x);
    instant now;
    now.unix_seconds = pki_now;
    return wraps_[random_.below(static_cast<uint32_t>(wraps_.size()))].seal(
      x, now);
  }

  bytes reset(opcode op, uint8_t key_id) {
    control_packet x;
    x.op = op;
    x.key_id = key_id;
    // Where anybody can write plain packets, those of the true session belong
    // to it; see "soft resets of the true session".
    x.source
      = !plain_ && random_.one_in(2) && source_.defined() ? source_ : some_id();
    if (random_.one_in(2) || op == opcode::ack_v1) {
      x.acks = {random_.below(4)};
      x.destination = some_id();
    }
    if (op == opcode::control_v1) {
      x.id = random_.below(10);
      x.payload
        = random_.one_in(2) ? bytes{'E', 'X', 'I', 'T', 0} : bytes(10, 0x16);
    }
    return sealed(x);
  }

  bytes exit_notify() {
    bytes result{protocol::first_byte(random_.one_in(2) ? opcode::data_v2
                                                        : opcode::data_v1,
                                      static_cast<uint8_t>(random_.below(8))),
                 0,
                 0,
                 5,
                 0,
                 0,
                 0,
                 random_.byte()};
    // With room for a tag, and without.
    if (random_.one_in(2))
      result.resize(result.size() + 16);
    auto magic = protocol::exit_magic();
    result.insert(result.end(), magic.begin(), magic.end());
    return result;
  }

  bytes packet(size_t i) {
    auto key_id = static_cast<uint8_t>(random_.below(8));
    switch (i % 8) {
      case 0:
        if (may_reset_)
          return reset(opcode::control_hard_reset_client_v2, 0);
        return random_.some_bytes(100);
      case 1:
        if (may_reset_)
          return reset(opcode::control_hard_reset_server_v2, 0);
        return random_.some_bytes(100);
      case 2:
      case 3:
        return reset(opcode::control_soft_reset_v1, key_id);
      case 4:
        return reset(opcode::control_v1, key_id);
      case 5:
        return reset(opcode::ack_v1, key_id);
      case 6:
        return exit_notify();
      default: {
        auto result = random_.some_bytes(300);
        // Of an opcode that there is; hard resets are above.
        result.insert(
          result.begin(),
          protocol::first_byte(
            random_.one_in(2) ? opcode::control_v1 : opcode::data_v2, key_id));
        return result;
      }
    }
  }

  seeded random_;
  session_id source_;
  bool plain_, may_reset_;
  std::vector<control_wrap> wraps_;
  std::vector<bytes> packets_;
  size_t next_ = 0;
};

/// What is seen of a run, with a flood in the middle of it or without.
std::vector<std::string> run(wrap_mode wrap, moment when, bool flooded) {
  seeded_run fixed{9};
  flooded_pair x{wrap, when};
  std::vector<std::string> result{x.look().text()};
  flood to_client{x, true, wrap, when}, to_server{x, false, wrap, when};
  for (size_t n = 0; n < flood_size; n += chunk) {
    for (size_t i = 0; flooded && i < chunk; ++i) {
      x.inject(x.client, to_client.next());
      x.inject(x.server, to_server.next());
    }
    x.drive(1ms);
    result.push_back(x.look().text());
    if (x.look().batches > 4)
      CAF_ERROR(to_string(when) << " holds " << x.look().batches);
  }
  // The flood has arrived.
  CAF_CHECK(x.story().find(", 0 overruns") != std::string::npos);
  x.set_link_up(true);
  if (when == moment::closing) {
    x.drive(20s);
    result.push_back(x.look().text());
    CAF_CHECK_EQUAL(x.client.saw.ended.size(), 1u);
    return result;
  }
  if (!x.drive_to_connected(60s))
    CAF_ERROR(to_string(wrap) << ", " << to_string(when) << ": " << x.story());
  x.drive(15s);
  if (!x.carries())
    CAF_ERROR(to_string(wrap) << ", " << to_string(when) << ": " << x.story());
  result.push_back(x.look().text());
  // Every byte that was sent, at the same time.
  result.push_back(std::to_string(x.digest.value));
  return result;
}

void check_flood(wrap_mode wrap) {
  for (auto when : all_moments) {
    auto calm = run(wrap, when, false);
    auto flooded = run(wrap, when, true);
    CAF_REQUIRE_EQUAL(calm.size(), flooded.size());
    for (size_t i = 0; i < calm.size(); ++i)
      if (calm[i] != flooded[i]) {
        CAF_ERROR(to_string(wrap)
                  << ", " << to_string(when) << ", step " << i << ": "
                  << calm[i] << "became " << flooded[i]);
        break;
      }
    CAF_CHECK(calm == flooded);
  }
}

/// Soft resets of the true sessions, which anybody on the way can make where
/// nothing is wrapped.
bytes own_soft_reset(const session_id& source, uint8_t key_id) {
  control_packet x;
  x.op = opcode::control_soft_reset_v1;
  x.key_id = key_id;
  x.source = source;
  return protocol::write_plain(x);
}

} // namespace

CAF_TEST(a flood changes nothing without wrapping) {
  check_flood(wrap_mode::none);
}

CAF_TEST(a flood changes nothing behind tls auth) {
  check_flood(wrap_mode::tls_auth);
}

CAF_TEST(a flood changes nothing behind tls crypt) {
  check_flood(wrap_mode::tls_crypt);
}

CAF_TEST(a flood changes nothing behind tls crypt v2) {
  check_flood(wrap_mode::tls_crypt_v2);
}

CAF_TEST(soft resets of the true session with a wrong key id change nothing) {
  for (auto when : {moment::connected, moment::renegotiating}) {
    seeded_run fixed{9};
    flooded_pair x{wrap_mode::none, when};
    x.drive(1s);
    auto before = x.look();
    auto keys = vpn_pair::new_keys(x.client);
    for (size_t n = 0; n < flood_size; n += chunk) {
      for (size_t i = 0; i < chunk; ++i) {
        auto key_id = static_cast<uint8_t>((keys + 2 + i % 6) % 8);
        x.inject(x.client, own_soft_reset(x.server_id, key_id));
        x.inject(x.server, own_soft_reset(x.client_id, key_id));
      }
      x.drive(1ms);
    }
    auto after = x.look();
    CAF_CHECK_EQUAL(after.actors, before.actors);
    CAF_CHECK_EQUAL(after.client_notices, before.client_notices);
    CAF_CHECK_EQUAL(after.server_notices, before.server_notices);
    x.drive(2s);
    // Those of a heartbeat among them.
    CAF_CHECK(x.look().timers <= before.timers + 20);
    CAF_CHECK(x.look().batches <= before.batches + 2);
    CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), keys);
    if (!x.carries() || !x.client.saw.ended.empty() || x.client.sockets != 1)
      CAF_ERROR(x.story());
  }
}

CAF_TEST(soft resets of the next key lead to one negotiation and no more) {
  seeded_run fixed{9};
  flooded_pair x{wrap_mode::none, moment::connected};
  x.drive(1s);
  auto before = x.look();
  for (size_t n = 0; n < flood_size; n += chunk) {
    for (size_t i = 0; i < chunk; ++i) {
      x.inject(x.client, own_soft_reset(x.server_id, 1));
      x.inject(x.server, own_soft_reset(x.client_id, 1));
    }
    x.drive(1ms);
  }
  // Three layers of one negotiation at each side, with their timers.
  CAF_CHECK(x.look().actors <= before.actors + 6);
  x.drive(2s);
  CAF_CHECK(x.look().timers <= before.timers + 20);
  CAF_CHECK(x.look().client_notices <= before.client_notices + 12);
  CAF_CHECK(x.look().server_notices <= before.server_notices + 12);
  if (!x.carries() || !x.client.saw.ended.empty() || x.client.sockets != 1)
    CAF_ERROR(x.story());
}
