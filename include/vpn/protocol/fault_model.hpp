// Decides, by seed, what becomes of each packet that passes a fault actor.
// Sans-I/O: it sends and keeps nothing; the same seed and the same packets give
// the same decisions, on every machine.
//
// Each packet takes the same number of draws, whatever becomes of it: one more
// knob does not change what the others do to the packets that follow. Packets
// that `fault_knobs::target` does not mean take none, so acks and pings that
// depend on time do not change the fates of data packets.
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/fault_spec.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace vpn::protocol {

/// How one copy of a packet differs from the original.
struct packet_change {
  enum class kind : uint8_t { none, flip_bit, flip_byte, truncate, extend };
  kind what = kind::none;
  /// Drawn numbers; `apply_change` takes them modulo the packet's size.
  uint32_t at = 0;
  uint32_t by = 0;
};

/// One copy of a packet and how long it is held back.
struct packet_copy {
  duration after{};
  packet_change change;
};

/// What becomes of one packet: nothing, or up to three copies: the first, the
/// duplicate and the replay, as far as there are. A copy changes in one way at
/// most: `corrupt` goes before `truncate`, that before `extend`; a replay is as
/// the original was.
struct packet_fate {
  std::array<packet_copy, 3> copies;
  uint8_t count = 0;
  /// Exactly one copy, at once and as it was.
  bool passes() const noexcept {
    return count == 1 && copies[0].after == duration::zero()
           && copies[0].change.what == packet_change::kind::none;
  }
};

/// Packets, except for `delayed`, `corrupted`, `truncated`, `extended`: copies.
/// Held back by `reorder` or `replay` alone is not delayed.
struct fault_statistics {
  /// `seen`: what `target` means, while the fault works.
  uint64_t seen = 0, dropped = 0, duplicated = 0, delayed = 0, reordered = 0;
  uint64_t corrupted = 0, truncated = 0, extended = 0, replayed = 0;
  /// Lost while the link was down.
  uint64_t cut = 0;
  /// "seen 10, dropped 2"; only what is not zero.
  std::string text() const;
};

/// What kind of packet it is, for `fault_knobs::target`.
enum class packet_kind : uint8_t { data, ack, hard_reset, soft_reset, control };

class fault_model {
public:
  /// `from` and `until` count from `now`, the schedule of the link from when
  /// the fault begins to work. Models of one link with the same seed have the
  /// same schedule, and other fates in each `stream`: one for each direction.
  fault_model(const fault_knobs& knobs, uint64_t seed, instant now,
              uint32_t stream = 0);

  // -- commands --
  /// Other knobs; the schedule starts anew, the sequence of draws goes on.
  void set_knobs(const fault_knobs& knobs, instant now);
  /// While paused every packet passes; no draw is made.
  void pause(bool x) noexcept { paused_ = x; }
  packet_fate decide(packet_kind kind, instant now);

  // -- observers --
  bool paused() const noexcept { return paused_; }
  /// What the schedule says; up when the fault does not work now.
  bool link_up(instant now);
  /// As they were set, with times from zero to a year.
  const fault_knobs& knobs() const noexcept { return knobs_; }
  const fault_statistics& statistics() const noexcept { return stats_; }

private:
  /// xoroshiro128++ seeded by splitmix64: small, fast and the same everywhere.
  /// Nothing that it draws is a secret.
  struct generator {
    explicit generator(uint64_t seed) noexcept;
    uint64_t draw() noexcept;
    uint64_t state[2];
  };
  struct loss_chain {
    /// Chance that a packet is lost after one that was not, or that was.
    double enter = 0, stay = 0;
    bool in_run = false;
  };

  bool works(instant now) const noexcept;
  bool happens(double rate) noexcept;
  bool loses() noexcept;
  duration draw_delay() noexcept;
  packet_copy draw_copy() noexcept;
  void count(const packet_copy& x) noexcept;
  duration draw_phase() noexcept;
  void start_link() noexcept;
  void advance_link(duration passed) noexcept;

  fault_knobs knobs_;
  generator packets_, link_;
  loss_chain losses_;
  bool paused_ = false;
  time_point start_{};
  bool link_up_ = true;
  /// When the link changes, counted from when the fault began to work.
  duration link_until_{};
  fault_statistics stats_;
};

/// The kind of an OpenVPN datagram by its first byte.
packet_kind kind_of_datagram(byte_view datagram) noexcept;
/// Changes `packet`. Truncation leaves at least one byte; extension adds at
/// most 64.
void apply_change(const packet_change& x, bytes& packet);

} // namespace vpn::protocol
