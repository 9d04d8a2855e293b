// The data keys of one session by key id: which one sends, and how long each of
// them lives.
// spec: openvpn-wire 12.2, 12.4, 12.5
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/data_key.hpp"

#include <array>
#include <optional>

namespace vpn::protocol {

struct key_ring_config {
  /// A new key starts sending so long after installation at the latest.
  duration new_key_delay = std::chrono::seconds{60};
  /// An old key is forgotten so long after the next one was installed.
  duration transition_window = std::chrono::seconds{3600};
  /// A key that has carried so much asks for another; zero: no limit.
  uint64_t reneg_bytes = 0;
  uint64_t reneg_packets = 0;
};

/// One key and what it has done.
struct installed_key {
  data_key key;
  /// Kept to know the same key when it comes a second time.
  data_key_spec made_of;
  time_point installed;
  std::optional<time_point> retire_at;
  /// It has opened a packet.
  bool confirmed = false;
  bool rekey_told = false;
  /// Both directions: bytes of plaintext, and data packets.
  uint64_t bytes = 0;
  uint64_t packets = 0;

  void count(size_t plaintext) noexcept {
    ++packets;
    bytes += plaintext;
  }
};

class key_ring {
public:
  void configure(const key_ring_config& cfg) noexcept { cfg_ = cfg; }
  /// See `data_channel::install`.
  expected<done_t> install(const data_key_spec& spec, instant now);
  void retire(uint8_t key_id);
  /// See `data_channel::resume_with_gap`.
  void skip_ids(uint32_t n, uint32_t received) noexcept;
  /// Retires keys whose time has come.
  void handle_timeout(instant now);
  std::optional<time_point> poll_timeout() const noexcept;

  bool empty() const noexcept { return order_size_ == 0; }
  bool has(uint8_t key_id) const noexcept {
    return keys_[key_id & 7U].has_value();
  }
  /// The id of the key installed last.
  std::optional<uint8_t> newest() const noexcept {
    if (empty())
      return std::nullopt;
    return order_[order_size_ - 1];
  }
  /// The key with an id below eight, or null.
  installed_key* find(uint8_t key_id) noexcept {
    auto& result = keys_[key_id];
    return result ? &*result : nullptr;
  }
  /// Calls `f` with each key.
  template <class F>
  void for_each(F f) {
    for (size_t i = 0; i < order_size_; ++i)
      f(*keys_[order_[i]]);
  }
  /// The key to send with, or null.
  installed_key* sending(instant now) noexcept;
  /// True once for each key, when it has done enough.
  bool poll_rekey(installed_key& x) const noexcept {
    if (x.rekey_told || !is_worn(x))
      return false;
    x.rekey_told = true;
    return true;
  }

private:
  bool is_worn(const installed_key& x) const noexcept {
    return x.key.wants_rekey()
           || (cfg_.reneg_bytes != 0 && x.bytes >= cfg_.reneg_bytes)
           || (cfg_.reneg_packets != 0 && x.packets >= cfg_.reneg_packets);
  }
  installed_key* at_age(size_t age) noexcept;

  key_ring_config cfg_;
  std::array<std::optional<installed_key>, 8> keys_;
  /// Key ids in order of installation; the last one is the newest.
  std::array<uint8_t, 8> order_{};
  size_t order_size_ = 0;
};

} // namespace vpn::protocol
