// Both ends of a tunnel on a link that does everything a link can do, with a
// new key every minute, and the questions that are asked about them afterwards.
#pragma once

#include "tests/support/fixed_randomness.hpp"
#include "tests/support/light_stream.hpp"
#include "tests/support/test_pki.hpp"

namespace vpn::test {

using namespace std::chrono_literals;
using protocol::data_cipher;
using protocol::wrap_mode;

inline constexpr std::array<wrap_mode, 4> chaos_wraps{
  wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt,
  wrap_mode::tls_crypt_v2};
inline constexpr std::array<data_cipher, 5> chaos_ciphers{
  data_cipher::aes_256_gcm, data_cipher::chacha20_poly1305,
  data_cipher::aes_128_gcm, data_cipher::aes_256_cbc, data_cipher::aes_192_gcm};

inline link_faults bad_link() {
  link_faults result;
  result.lose = 200;
  result.reorder = 125;
  result.corrupt = 31;
  result.duplicate = 125;
  return result;
}

inline pair_config chaos_config(uint64_t seed) {
  pair_config cfg;
  cfg.seed = seed;
  cfg.wrap = chaos_wraps[seed % chaos_wraps.size()];
  cfg.client_direction = protocol::key_direction::inverse;
  cfg.cipher = chaos_ciphers[seed % chaos_ciphers.size()];
  cfg.epoch = seed % 3 != 0;
  cfg.dynamic_tls_crypt = seed % 7 < 4;
  cfg.shuffle = seed % 2 == 0;
  cfg.restart_server = true;
  cfg.faults = bad_link();
  return cfg;
}

struct chaos_pair : vpn_pair {
  explicit chaos_pair(uint64_t seed) : vpn_pair(chaos_config(seed)) {
    for (auto* x : {&client, &server})
      x->cfg->heartbeat = 10s;
    // Either side, or both at once.
    client.cfg->session.reneg_after = seed % 3 == 1 ? 0s : 60s;
    server.cfg->session.reneg_after = seed % 3 == 2 ? 0s : 60s;
    server.cfg->session.reneg_min = 50s;
    stream.after_step = [this] {
      let_go();
    };
  }

  /// A server lets go of a session whose client has come back with another, as
  /// a stock one does. Ours hears one session only.
  void let_go() {
    auto tries = client.saw.count(protocol::phase::wait);
    if (std::exchange(tries_, tries) != tries && connected(server) && tries > 1)
      stop(server, reason::server_stopped);
  }

  /// Batches that nobody gave back.
  size_t batches_out() const {
    auto& pools = client.cfg->pools;
    size_t result = 0;
    for (auto* pool : {&pools.received, &pools.tun, &pools.sealed})
      result += (*pool)->capacity() - (*pool)->available();
    return result;
  }

  /// Nothing has piled up: what runs, waits or is held belongs to one session
  /// of each side.
  std::string excess() {
    std::string result;
    auto check = [&](const char* what, size_t n, size_t limit) {
      if (n > limit)
        result += std::string{what} + ' ' + std::to_string(n) + "; ";
    };
    // SUPERVISOR and its helpers, four layers of the tree, and three for each
    // of the three keys that there may be; twice, for a session beside.
    check("actors", running() - running_before(), 40);
    check("timers", pending_timers(), 60);
    // Each DATA CHANNEL keeps one at hand.
    check("batches", batches_out(), 8);
    return result;
  }

  /// With one packet a second each way.
  light_stream stream{*this};

  /// The first moment of `limit` at which packets go through both ways.
  bool comes_back(duration limit) {
    for (auto end = elapsed() + limit; elapsed() < end;) {
      let_go();
      if (drive_to_connected(5s) && carries())
        return true;
      drive(1s);
    }
    return false;
  }

private:
  size_t tries_ = 0;
};

/// An hour; a quarter of it where a sanitizer makes everything ten times
/// slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#  define VPN_TEST_IS_SANITIZED
#elif defined(__has_feature)
#  if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#    define VPN_TEST_IS_SANITIZED
#  endif
#endif
#ifdef VPN_TEST_IS_SANITIZED
inline constexpr size_t chaos_minutes = 15;
#else
inline constexpr size_t chaos_minutes = 60;
#endif

/// What is asked of many seeds together.
struct chaos_totals {
  size_t sent = 0, arrived = 0, keys = 0, sessions = 0;
  duration longest{};

  void add(chaos_pair& x, duration back) {
    sent += 2 * x.stream.sent();
    arrived += x.stream.arrived_up() + x.stream.arrived_down();
    keys += vpn_pair::new_keys(x.client);
    sessions += x.client.saw.count(protocol::phase::connected);
    longest = std::max(longest, back);
  }
  std::string text() const {
    auto back = std::chrono::duration_cast<std::chrono::milliseconds>(longest);
    return std::to_string(arrived) + " of " + std::to_string(sent)
           + " packets, " + std::to_string(keys) + " new keys, "
           + std::to_string(sessions) + " sessions, back after at most "
           + std::to_string(back.count()) + " ms";
  }
};

/// The end of a run: the link is good again. Says what is wrong; empty: nothing
/// is.
inline std::string check_recovery(chaos_pair& x, chaos_totals& totals) {
  x.set_faults({});
  auto good = x.elapsed();
  auto back = x.comes_back(180s);
  totals.add(x, x.elapsed() - good);
  if (!back)
    return "does not come back: " + x.story();
  x.drive(1s);
  if (auto excess = x.excess(); !excess.empty())
    return "piles up: " + excess + x.story();
  if (x.stream.wrong() > 0)
    return "packets that nobody sent: " + x.story();
  if (!x.client.saw.ended.empty())
    return "the client ended: " + x.story();
  if (x.story().find("livelock") != std::string::npos)
    return x.story();
  return {};
}

/// For one seed: the certificates are the same whichever seed comes first.
class seeded_run {
public:
  explicit seeded_run(uint64_t seed) {
    {
      fixed_randomness fixed{0};
      pki();
    }
    fixed_.emplace(seed);
  }

private:
  std::optional<fixed_randomness> fixed_;
};

/// FNV-1a of everything that both sides send, and when.
struct run_digest {
  uint64_t value = 0xcbf29ce484222325;
  size_t datagrams = 0;

  void add(uint64_t x) { value = (value ^ x) * 0x100000001b3; }
  void add(bool is_client, duration at, byte_view datagram) {
    ++datagrams;
    add(is_client ? 1 : 2);
    add(static_cast<uint64_t>(at.count()));
    for (auto x : datagram)
      add(x);
  }
  /// From now on.
  void watch(vpn_pair& x) {
    x.tap = [this, &x](const vpn_pair::side& from, byte_view datagram) {
      add(&from == &x.client, x.elapsed(), datagram);
    };
  }
  friend bool operator==(const run_digest& x, const run_digest& y) {
    return x.value == y.value && x.datagrams == y.datagrams;
  }
};

/// An hour on the bad link; says what is wrong.
inline std::string hour_of_chaos(uint64_t seed, chaos_totals& totals) {
  seeded_run fixed{seed};
  chaos_pair x{seed};
  x.start();
  for (size_t minute = 0; minute < chaos_minutes; ++minute) {
    x.stream.run(60s);
    if (auto excess = x.excess(); !excess.empty())
      return "piles up: " + excess + x.story();
  }
  return check_recovery(x, totals);
}

/// Hours of many seeds; what is wrong with each of them, with its story.
inline std::vector<std::string> hours_of_chaos(uint64_t first, uint64_t last,
                                               chaos_totals& totals) {
  std::vector<std::string> result;
  for (auto seed = first; seed <= last; ++seed)
    if (auto what = hour_of_chaos(seed, totals); !what.empty())
      result.push_back("seed " + std::to_string(seed) + ": " + what);
  // What the link loses or damages is lost, and not much more.
  if (totals.arrived < totals.sent * 3 / 4)
    result.push_back("too little arrives: " + totals.text());
  if (totals.keys < (last - first + 1) * chaos_minutes * 3 / 4)
    result.push_back("too few keys: " + totals.text());
  return result;
}

} // namespace vpn::test
