// The data channel of one session: keys by key id, sealing and opening of whole
// batches, keepalive, MSS.
// spec: openvpn-wire 9, 10.1, 11, 12.2, 12.4, 13.3
#pragma once

#include "vpn/protocol/in_tunnel_message.hpp"
#include "vpn/protocol/keepalive.hpp"
#include "vpn/protocol/key_ring.hpp"
#include "vpn/protocol/no_route_answer.hpp"
#include "vpn/protocol/packet_shaper.hpp"
#include "vpn/protocol/train_splitter.hpp"

#include <array>
#include <optional>
#include <variant>
#include <vector>

namespace vpn::protocol {

struct data_channel_config {
  compression_framing framing = compression_framing::none;
  /// Compressed packets are opened (allow-compression asym and yes); otherwise
  /// dropped and counted. Nothing is ever compressed.
  bool decompress = false;
  /// Datagrams, as UDP payload, larger than this go in pieces; zero: no
  /// fragment header at all. spec: openvpn-wire 13.4
  uint32_t fragment_size = 0;
  /// Less than `inactive_bytes` of tunnel payload in so long:
  /// `tunnel_inactive`. Zero: never.
  duration inactive{};
  uint64_t inactive_bytes = 0;
  /// A key that has carried so much asks for another; zero: no limit.
  uint64_t reneg_bytes = 0;
  uint64_t reneg_packets = 0;
  /// IPv6 packets from TUN are answered instead of sent.
  bool block_ipv6 = false;
  std::vector<nat_rule> nat;
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
  /// Bytes of all that was authentic, whatever it held.
  uint64_t bytes_authenticated = 0;
  /// IPv6 packets that `block_ipv6` kept out of the tunnel.
  uint64_t ipv6_refused = 0;
  uint64_t pings_sent = 0;
  uint64_t pings_received = 0;
  error_counters drops;
};

/// `ping_restart` has passed without a valid packet. Told once.
struct peer_silent {};
/// A key runs out of packet ids, or has carried as much as it may. Told once
/// per key.
struct rekey_needed {
  uint8_t key_id = 0;
};
/// The first packet that a newly installed key opened.
struct key_confirmed {
  uint8_t key_id = 0;
};
/// `inactive` has passed with too little traffic. Told once.
struct tunnel_inactive {};
/// The peer said inside the tunnel that it leaves (OCC_EXIT). Told once.
struct peer_exit {};
/// An authentic packet came from another address than those before. Whoever
/// knows about addresses tells it; `data_channel` itself does not.
struct peer_floated {
  endpoint remote;
};
using data_event = std::variant<peer_silent, rekey_needed, key_confirmed,
                                tunnel_inactive, peer_exit, peer_floated>;

/// Movable, with all that it has begun; not copyable: a copy would use nonces
/// twice.
class data_channel {
public:
  /// `random` is asked once, for where the numbers of fragments begin.
  explicit data_channel(const data_channel_config& cfg = {},
                        const random_source& random = {});

  // -- commands --
  /// All keepalive timers start anew.
  void configure(const data_channel_config& cfg, instant now);
  /// Installs a key; another one of the same id is replaced. A key that is
  /// installed already stays as it is, and the answer is `done`: the request
  /// may be repeated. The same material for a key that differs in anything else
  /// is refused (`wrong_state`): no key is ever started twice. At most two keys
  /// live: the oldest of three goes.
  expected<done_t> install(const data_key_spec& spec, instant now);
  void retire(uint8_t key_id);
  /// A new owner takes over from one that has ended: what that one had begun to
  /// seal is gone with its slabs. Everything else goes on where it was.
  void resume();
  /// The same when the old owner may have gone on unseen, and this state be a
  /// little old. Every key skips `ids` packet ids for sending and accepts none
  /// up to the highest one received plus `ids`, so that no nonce is used twice
  /// and nothing is accepted twice. A key with fewer ids left is exhausted, and
  /// asks for another one. Keys with epochs do all this within their epoch, and
  /// begin each later one above `ids`; none has to be dropped.
  /// With `received`, only so many ids above the highest one are refused: zero
  /// when this state is known to be the latest, and only ids behind are.
  void resume_with_gap(uint32_t ids) { resume_with_gap(ids, ids); }
  void resume_with_gap(uint32_t ids, uint32_t received);

  /// Seals the packets of `in` from where the last call stopped, trains split
  /// on the way, and appends them to `out` as runs of equal datagrams. Returns
  /// true when all of `in` is done, false when `out` is full: send `out` and
  /// call again with a fresh one and the same `in`. Without a key everything is
  /// dropped and counted. Modifies `in`. A run of one datagram has no stride.
  bool seal(packet_slab& in, packet_slab& out, instant now);
  /// Queues a goodbye inside the tunnel (OCC_EXIT), which `poll_ping` then
  /// yields like a due ping. spec: openvpn-wire 11.2, 11.3
  void queue_exit();
  /// A ping that `poll_ping` yields whether or not it is time for one.
  void queue_ping() noexcept { ping_queued_ = true; }
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
  /// Answers to IPv6 packets that did not go through the tunnel, added to `up`,
  /// which is for the local host; false when there is none. To be called after
  /// `seal`; answers that are not fetched keep later ones from being written.
  bool poll_answer(packet_slab& up);
  std::optional<data_event> poll_event();
  std::optional<time_point> poll_timeout() const;

  // -- observers --
  bool has_key() const noexcept;
  bool has_key(uint8_t key_id) const noexcept { return keys_.has(key_id); }
  /// The id of the key installed last.
  std::optional<uint8_t> newest_key() const noexcept { return keys_.newest(); }
  const data_statistics& statistics() const noexcept { return stats_; }
  data_statistics& statistics() noexcept { return stats_; }

private:
  enum class outcome : uint8_t { sealed, dropped, full };

  void use(const data_channel_config& cfg);
  template <bool Shaped>
  bool seal_runs(installed_key& with, packet_slab& in, packet_slab& out);
  template <bool Shaped>
  bool seal_train(installed_key& with, packet_slab& out);
  template <bool Shaped>
  outcome seal_ip(installed_key& with, mutable_byte_view packet,
                  packet_slab& out);
  outcome seal_shaped(installed_key& with, mutable_byte_view packet,
                      packet_slab& out);
  outcome seal_one(installed_key& with, byte_view plain, packet_slab& out);
  bool refused(byte_view packet);
  template <bool Shaped>
  bool open_runs(packet_slab& batch, instant now);
  template <bool Shaped>
  bool open_one(mutable_byte_view packet, packet_slab& batch, uint32_t limit,
                slab_gap& free, instant now);
  void handle_message(byte_view plain);
  void check_rekey(installed_key& x);
  void tell(data_event x);
  void forget_rest() noexcept;

  data_channel_config cfg_;
  packet_shaper shaper_;
  /// Packets are not sealed just as they come.
  bool shaped_ = false;
  keepalive keepalive_;
  key_ring keys_;
  /// Where `seal` stopped: index of the run, and its splitter when begun, with
  /// the segment that found no room.
  uint32_t seal_index_ = 0;
  std::optional<train_splitter> splitter_;
  mutable_byte_view pending_segment_{};
  std::optional<no_route_answers> answers_;
  bool exit_queued_ = false;
  bool ping_queued_ = false;
  bool exit_told_ = false;
  /// Oldest first. Each kind is told once, so a few places are enough.
  std::array<std::optional<data_event>, 16> events_{};
  size_t events_size_ = 0;
  data_statistics stats_;
};

} // namespace vpn::protocol
