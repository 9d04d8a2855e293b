// Decisions of a fault actor: see the header.
#include "vpn/protocol/fault_model.hpp"

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/fault_values.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

constexpr uint32_t header_size = 32;
constexpr uint32_t max_extension = 64;
/// Phases of a link that are caught up with at once. After a longer silence the
/// phase that was reached begins with the next packet: a bound for the time
/// that a decision takes.
constexpr int max_phases = 100'000;

constexpr uint64_t rotated(uint64_t x, int n) noexcept {
  return (x << n) | (x >> (64 - n));
}

/// splitmix64 by Vigna: from any state to the next, all 64 bits mixed.
uint64_t split_mix(uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15;
  auto x = state;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// `x` times `fraction` / 2^32, without a float: these differ by machine.
duration share(duration x, uint64_t fraction) noexcept {
  auto n = static_cast<uint64_t>(x.count());
  auto result = (n >> 32) * fraction + (((n & UINT32_MAX) * fraction) >> 32);
  return duration{static_cast<duration::rep>(result)};
}

/// Maps an even draw to one of the distribution, as a fraction of 2^32.
uint64_t shaped(distribution shape, uint64_t draw) noexcept {
  switch (shape) {
    case distribution::uniform:
      break;
    case distribution::normal: {
      // The mean of three even draws: a bell whose deviation is a sixth of its
      // width, and that has no tails to cut off.
      constexpr uint64_t mask = (1U << 21) - 1;
      auto sum = (draw & mask) + ((draw >> 21) & mask) + ((draw >> 42) & mask);
      return (sum << 11) / 3;
    }
    case distribution::pareto: {
      // Bounded, with index 1 and a hundred to one between the bounds: half of
      // all below a hundredth of the width, one in a hundred above its half.
      auto x = draw >> 32;
      return (x << 32) / ((uint64_t{100} << 32) - 99 * x);
    }
  }
  return draw >> 32;
}

bool is_meant(fault_target target, packet_kind kind) noexcept {
  switch (target) {
    case fault_target::all:
      return true;
    case fault_target::data:
      return kind == packet_kind::data;
    case fault_target::control:
      return kind != packet_kind::data;
    case fault_target::ack:
      return kind == packet_kind::ack;
    case fault_target::hard_reset:
      return kind == packet_kind::hard_reset;
    case fault_target::soft_reset:
      return kind == packet_kind::soft_reset;
  }
  return false;
}

/// Knobs that were not parsed may hold anything; sums of these times fit.
void bound_times(fault_knobs& x) noexcept {
  for (auto time :
       {&x.delay, &x.jitter, &x.reorder_by, &x.replay_after, &x.up_min,
        &x.up_max, &x.down_min, &x.down_max, &x.from, &x.until})
    *time = std::clamp(*time, duration::zero(), longest_fault_time);
  x.up_max = std::max(x.up_min, x.up_max);
  x.down_max = std::max(x.down_min, x.down_max);
}

} // namespace

std::string fault_statistics::text() const {
  std::string result;
  auto append = [&](const char* name, uint64_t n) {
    if (n == 0)
      return;
    if (!result.empty())
      result += ", ";
    result += name;
    result += ' ' + std::to_string(n);
  };
  append("seen", seen);
  append("dropped", dropped);
  append("cut", cut);
  append("duplicated", duplicated);
  append("delayed", delayed);
  append("reordered", reordered);
  append("corrupted", corrupted);
  append("truncated", truncated);
  append("extended", extended);
  append("replayed", replayed);
  return result;
}

fault_model::generator::generator(uint64_t seed) noexcept {
  for (auto& x : state)
    x = split_mix(seed);
}

uint64_t fault_model::generator::draw() noexcept {
  auto x = state[0], y = state[1];
  auto result = rotated(x + y, 17) + x;
  y ^= x;
  state[0] = rotated(x, 49) ^ y ^ (y << 21);
  state[1] = rotated(y, 28);
  return result;
}

// The link has draws of its own: how often it changes between two packets is a
// matter of time, and not to change their fates.
fault_model::fault_model(const fault_knobs& knobs, uint64_t seed, instant now,
                         uint32_t stream)
  : packets_(seed + stream * uint64_t{0xd1342543de82ef95}),
    link_(~seed) {
  set_knobs(knobs, now);
}

void fault_model::set_knobs(const fault_knobs& knobs, instant now) {
  knobs_ = knobs;
  bound_times(knobs_);
  start_ = now.steady;
  losses_ = {};
  losses_.enter = losses_.stay = knobs_.drop;
  if (knobs_.burst > 1 && knobs_.drop < 1) {
    // Gilbert's chain: packets are lost in one of its two states. It loses
    // `drop` of all in the long run, and `burst` in a row on average.
    losses_.enter = knobs_.drop / (knobs_.burst * (1 - knobs_.drop));
    losses_.stay = 1 - 1 / knobs_.burst;
  }
  start_link();
}

packet_fate fault_model::decide(packet_kind kind, instant now) {
  packet_fate fate;
  fate.count = 1;
  if (paused_ || !is_meant(knobs_.target, kind))
    return fate;
  auto lost = loses();
  auto twice = happens(knobs_.duplicate);
  auto late = happens(knobs_.reorder);
  auto again = happens(knobs_.replay);
  auto first = draw_copy();
  auto second = draw_copy();
  if (!works(now))
    return fate;
  ++stats_.seen;
  if (!link_up(now)) {
    ++stats_.cut;
    fate.count = 0;
    return fate;
  }
  if (lost) {
    ++stats_.dropped;
    fate.count = 0;
    return fate;
  }
  count(first);
  if (late) {
    ++stats_.reordered;
    first.after += knobs_.reorder_by;
  }
  fate.copies[0] = first;
  if (twice) {
    ++stats_.duplicated;
    count(second);
    fate.copies[fate.count++] = second;
  }
  if (again) {
    ++stats_.replayed;
    // Later than the first copy: the first one to arrive is not replayed.
    fate.copies[fate.count++].after = first.after + knobs_.replay_after;
  }
  return fate;
}

bool fault_model::link_up(instant now) {
  if (paused_ || !works(now))
    return true;
  advance_link(now.steady - start_ - knobs_.from);
  return link_up_;
}

bool fault_model::works(instant now) const noexcept {
  auto passed = now.steady - start_;
  return passed >= knobs_.from
         && (knobs_.until == duration::zero() || passed < knobs_.until);
}

bool fault_model::happens(double rate) noexcept {
  // 53 bits are a double without rounding, so the comparison is exact.
  constexpr double scale = 1.0 / (uint64_t{1} << 53);
  return static_cast<double>(packets_.draw() >> 11) * scale < rate;
}

bool fault_model::loses() noexcept {
  losses_.in_run = happens(losses_.in_run ? losses_.stay : losses_.enter);
  return losses_.in_run;
}

duration fault_model::draw_delay() noexcept {
  return knobs_.delay
         + share(knobs_.jitter, shaped(knobs_.spread, packets_.draw()));
}

packet_copy fault_model::draw_copy() noexcept {
  packet_copy result;
  result.after = draw_delay();
  auto corrupts = happens(knobs_.corrupt);
  auto truncates = happens(knobs_.truncate);
  auto extends = happens(knobs_.extend);
  auto numbers = packets_.draw();
  auto& change = result.change;
  if (corrupts)
    change.what = knobs_.how == corruption::byte
                    ? packet_change::kind::flip_byte
                    : packet_change::kind::flip_bit;
  else if (truncates)
    change.what = packet_change::kind::truncate;
  else if (extends)
    change.what = packet_change::kind::extend;
  else
    return result;
  change.at = static_cast<uint32_t>(numbers);
  change.by = static_cast<uint32_t>(numbers >> 32);
  if (corrupts && knobs_.how == corruption::header)
    change.at %= header_size;
  return result;
}

void fault_model::count(const packet_copy& x) noexcept {
  if (x.after > duration::zero())
    ++stats_.delayed;
  switch (x.change.what) {
    case packet_change::kind::none:
      break;
    case packet_change::kind::flip_bit:
    case packet_change::kind::flip_byte:
      ++stats_.corrupted;
      break;
    case packet_change::kind::truncate:
      ++stats_.truncated;
      break;
    case packet_change::kind::extend:
      ++stats_.extended;
      break;
  }
}

void fault_model::start_link() noexcept {
  link_up_
    = knobs_.down_max == duration::zero() || knobs_.up_max != duration::zero();
  link_until_ = duration::max();
  if (knobs_.down_max != duration::zero())
    link_until_ = draw_phase();
}

duration fault_model::draw_phase() noexcept {
  auto min = link_up_ ? knobs_.up_min : knobs_.down_min;
  auto max = link_up_ ? knobs_.up_max : knobs_.down_max;
  // Both ends of the range are possible: the width counts one more.
  auto result = min + share(max - min + duration{1}, link_.draw() >> 32);
  return std::max(result, shortest_fault_period);
}

void fault_model::advance_link(duration passed) noexcept {
  for (int i = 0; passed >= link_until_; ++i) {
    link_up_ = !link_up_;
    if (knobs_.up_max == duration::zero()) {
      link_until_ = duration::max();
      return;
    }
    auto from = i < max_phases ? link_until_ : passed;
    link_until_ = from + draw_phase();
  }
}

packet_kind kind_of_datagram(byte_view datagram) noexcept {
  if (datagram.empty())
    return packet_kind::control;
  if (is_data(datagram[0]))
    return packet_kind::data;
  switch (opcode_bits(datagram[0])) {
    case static_cast<uint8_t>(opcode::control_soft_reset_v1):
      return packet_kind::soft_reset;
    case static_cast<uint8_t>(opcode::ack_v1):
      return packet_kind::ack;
    case static_cast<uint8_t>(opcode::control_hard_reset_client_v2):
    case static_cast<uint8_t>(opcode::control_hard_reset_server_v2):
    case static_cast<uint8_t>(opcode::control_hard_reset_client_v3):
      return packet_kind::hard_reset;
    default:
      return packet_kind::control;
  }
}

void apply_change(const packet_change& x, bytes& packet) {
  auto size = packet.size();
  switch (x.what) {
    case packet_change::kind::none:
      break;
    case packet_change::kind::flip_bit:
      if (size > 0)
        packet[x.at % size] ^= static_cast<uint8_t>(1U << (x.by % 8));
      break;
    case packet_change::kind::flip_byte:
      // Never by zero: the packet is to be another one.
      if (size > 0)
        packet[x.at % size] ^= static_cast<uint8_t>(1 + x.by % 255);
      break;
    case packet_change::kind::truncate:
      if (size > 1)
        packet.resize(1 + x.at % (size - 1));
      break;
    case packet_change::kind::extend: {
      uint64_t state = x.by;
      for (auto n = 1 + x.at % max_extension; n > 0; --n)
        packet.push_back(static_cast<uint8_t>(split_mix(state)));
      break;
    }
  }
}

} // namespace vpn::protocol
