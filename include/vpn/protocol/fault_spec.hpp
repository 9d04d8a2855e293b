// What a fault actor does to the packets that pass it and to the actor behind
// it, as a value and as the text of `--fault`.
//
//   LAYER[.up|.down]:KNOB=VALUE[,KNOB=VALUE...]
//   network.up:drop=0.05,reorder=0.1,seed=7
//
// `LAYER.up` is what the layer passes up, `LAYER.down` what is passed down to
// it; without a direction both. Times are numbers with ms, s, min or h; rates
// are numbers from 0 to 1. docs/faults.md has the grammar and all knobs.
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/layer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

/// Which packets a fault looks at; the others pass.
enum class fault_target : uint8_t {
  all,
  data,
  /// Every control packet, acks and resets among them.
  control,
  ack,
  hard_reset,
  soft_reset,
};

/// How a packet's bytes change when it is corrupted.
enum class corruption : uint8_t {
  /// One bit, anywhere.
  bit,
  /// One byte, anywhere.
  byte,
  /// One bit of the first 32 bytes: opcode, session id, peer id, packet id.
  header,
};

/// How delays are spread between `delay` and `delay + jitter`.
enum class distribution : uint8_t { uniform, normal, pareto };

/// Times of the actor itself, counted from when the fault begins to work.
struct actor_fault {
  enum class kind : uint8_t { kill, crash, stall };
  kind what = kind::kill;
  duration after{};
  /// Again and again after so long; zero: once.
  duration every{};
  /// Length of a stall.
  duration lasts{};
};

struct fault_knobs {
  fault_target target = fault_target::all;
  /// Rates from 0 to 1.
  double drop = 0;
  double duplicate = 0;
  double reorder = 0;
  double corrupt = 0;
  double truncate = 0;
  double extend = 0;
  double replay = 0;
  /// Mean length of a run of losses, in packets; 1: each loss on its own. At
  /// least drop / (1 - drop): shorter runs cannot make up that rate.
  double burst = 1;
  corruption how = corruption::bit;
  duration delay{};
  duration jitter{};
  distribution spread = distribution::uniform;
  /// How long a reordered packet is held back.
  duration reorder_by = std::chrono::milliseconds{20};
  /// When a replayed packet comes a second time.
  duration replay_after = std::chrono::seconds{1};
  /// The link is up for `up_min` to `up_max`, then down for `down_min` to
  /// `down_max`, and so on, from when the fault begins to work. Always up when
  /// `down_max` is zero; down at once, and only once, when `up_max` is.
  duration up_min{}, up_max{}, down_min{}, down_max{};
  /// The fault works from `from` until `until` after its start; `until` zero:
  /// for ever.
  duration from{}, until{};
  /// kill, crash, stall.
  std::vector<actor_fault> actor;
  /// Added to the clock of the actor.
  duration skew{};

  /// Something here concerns packets.
  bool changes_packets() const noexcept;
};

struct fault_spec {
  layer at = layer::network;
  bool up = true;
  bool down = true;
  fault_knobs knobs;
  uint64_t seed = 1;
};

/// Where a text went wrong.
struct fault_error {
  /// Offset of the first byte that does not fit.
  size_t position = 0;
  /// What is wrong and what exists: "unknown knob 'dorp' (drop?); knobs: ...".
  std::string text;
};

expected<fault_spec, fault_error> parse_fault_spec(std::string_view text);
/// The text with every knob that differs from its default; parses back to the
/// same value.
std::string to_string(const fault_spec& x);
/// All knobs with a line of help for each, for --help and error texts.
std::string describe_fault_knobs();

} // namespace vpn::protocol
