// The data channel of one session: keys by key id, sealing and opening of whole
// batches, keepalive, MSS.
// spec: openvpn-wire 9, 11.1, 12.4, 13.3
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/data_key.hpp"
#include "vpn/protocol/train_splitter.hpp"

#include <array>
#include <optional>
#include <variant>

namespace vpn::protocol {

/// The 16 bytes of a ping, as plaintext.
byte_view ping_magic() noexcept;

struct data_channel_config {
  /// Send a ping when nothing was sent for so long; zero: never.
  duration ping{};
  /// Nothing valid received for so long: `peer_silent`. Zero: never.
  duration ping_restart{};
  /// Largest TCP segment the tunnel lets through; zero: leave SYNs alone.
  uint16_t mss4 = 0;
  uint16_t mss6 = 0;
  /// Datagrams of one UDP_SEGMENT send, and their bytes together.
  uint32_t max_burst_packets = 44;
  uint32_t max_burst_bytes = 65000;
  /// Larger datagrams stay alone: UDP_SEGMENT refuses what exceeds the MTU, a
  /// plain send lets IP fragment it.
  uint32_t max_segment_size = 1472;
  /// The new key of a renegotiation starts sending so long after installation
  /// at the latest; at once when the peer was seen to use it.
  duration new_key_delay = std::chrono::seconds{60};
  /// An old key is forgotten so long after the next one was installed.
  duration transition_window = std::chrono::seconds{3600};
};

struct data_statistics {
  uint64_t packets_sealed = 0;
  uint64_t packets_opened = 0;
  /// Bytes of IP packets, without pings.
  uint64_t bytes_sealed = 0;
  uint64_t bytes_opened = 0;
  uint64_t pings_sent = 0;
  uint64_t pings_received = 0;
  error_counters drops;
};

/// `ping_restart` has passed without a valid packet. Told once.
struct peer_silent {};
/// The sending key runs out of packet ids. Told once per key.
struct rekey_needed {
  uint8_t key_id = 0;
};
/// The first packet that a newly installed key opened.
struct key_confirmed {
  uint8_t key_id = 0;
};
using data_event = std::variant<peer_silent, rekey_needed, key_confirmed>;

class data_channel {
public:
  explicit data_channel(data_channel_config cfg = {});

  // -- commands --
  /// Both keepalive timers start anew.
  void configure(const data_channel_config& cfg, instant now);
  /// Installs a key; another one of the same id is replaced only if it differs
  /// (`wrong_state` otherwise: a key is never started twice). At most two keys
  /// live: the oldest of three goes.
  expected<done_t> install(const data_key_spec& spec, instant now);
  void retire(uint8_t key_id);

  /// Seals the packets of `in` from where the last call stopped, trains split
  /// on the way, and appends them to `out` as runs of equal datagrams. Returns
  /// true when all of `in` is done, false when `out` is full: send `out` and
  /// call again with a fresh one and the same `in`. Without a key everything is
  /// dropped and counted. Modifies `in`. A run of one datagram has no stride.
  bool seal(packet_slab& in, packet_slab& out, instant now);
  /// Gives up what `seal` has not taken of `in`, and counts it.
  void drop_rest(packet_slab& in);

  // -- handlers --
  /// Opens the data packets of `batch` in place. Afterwards its runs are the IP
  /// packets for TUN; pings and whatever was refused are gone. A run with a
  /// stride is taken as that many datagrams.
  void open(packet_slab& batch, instant now);
  /// A valid control packet arrived: the peer lives.
  void handle_heard(instant now);
  void handle_timeout(instant now);

  // -- polls --
  /// A due ping, sealed into `out`; false when none is due. To be called when
  /// `poll_timeout` has passed, after `handle_timeout`.
  bool poll_ping(packet_slab& out, instant now);
  std::optional<data_event> poll_event();
  std::optional<time_point> poll_timeout() const;

  // -- observers --
  bool has_key() const noexcept;
  const data_statistics& statistics() const noexcept { return stats_; }
  data_statistics& statistics() noexcept { return stats_; }

private:
  struct slot {
    data_key key;
    /// Kept to refuse the same key a second time.
    key_block material;
    time_point installed;
    std::optional<time_point> retire_at;
    bool confirmed = false;
    bool rekey_told = false;
  };
  enum class outcome : uint8_t { sealed, dropped, full };

  slot* at_age(size_t age) noexcept;
  slot* sending(instant now) noexcept;
  outcome seal_one(slot& with, byte_view plain, packet_slab& out);
  outcome seal_ip(slot& with, byte_view plain, packet_slab& out);
  bool seal_train(slot& with, packet_slab& out);
  bool open_one(mutable_byte_view packet, packet_slab& batch, uint32_t limit);
  void heard(instant now) noexcept;
  void check_rekey(slot& x);
  void tell(data_event x);

  data_channel_config cfg_;
  std::array<std::optional<slot>, 8> slots_;
  /// Key ids in order of installation; the last one is the newest.
  std::array<uint8_t, 8> order_{};
  size_t order_size_ = 0;
  /// Where `seal` stopped: index of the run, and its splitter when begun, with
  /// the segment that found no room.
  uint32_t seal_index_ = 0;
  std::optional<train_splitter> splitter_;
  mutable_byte_view pending_segment_{};
  time_point last_sent_{};
  time_point last_heard_{};
  /// False until there is something to measure silence from.
  bool timers_started_ = false;
  bool silent_told_ = false;
  /// Oldest first. Each kind is told once, so a few places are enough.
  std::array<std::optional<data_event>, 16> events_{};
  size_t events_size_ = 0;
  data_statistics stats_;
};

} // namespace vpn::protocol
