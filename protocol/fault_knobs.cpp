// The table of knobs: see the header.
#include "vpn/protocol/fault_knobs.hpp"

#include "vpn/protocol/fault_values.hpp"

#include <algorithm>
#include <charconv>
#include <type_traits>

namespace vpn::protocol {

namespace {

using namespace std::chrono_literals;

using words = std::vector<std::string_view>;
using outcome = std::optional<fault_error>;

/// A stall without an end outlasts every deadline of a session.
constexpr duration whole_stall = 1h;
constexpr double max_burst = 1'000'000;

// In the order of their enums.
const words targets{"all", "data",       "control",
                    "ack", "hard_reset", "soft_reset"};
const words corruptions{"bit", "byte", "header"};
const words distributions{"uniform", "normal", "pareto"};
const words actor_kinds{"kill", "crash", "stall"};

const words presets{"gremlin1", "gremlin2", "gremlin3", "noisy"};

// -- reading and writing one value --

template <class T, class Target>
outcome assign(const expected<T, fault_error>& x, Target& to) {
  if (!x)
    return x.error();
  to = *x;
  return {};
}

template <auto Field>
outcome read_rate(std::string_view text, fault_spec& to) {
  return assign(parse_fault_number(text, 0, 1), to.knobs.*Field);
}

outcome read_burst(std::string_view text, fault_spec& to) {
  return assign(parse_fault_number(text, 1, max_burst), to.knobs.burst);
}

template <auto Field>
std::string write_number(const fault_spec& x) {
  if (x.knobs.*Field == fault_knobs{}.*Field)
    return {};
  return write_fault_number(x.knobs.*Field);
}

template <auto Field>
outcome read_time(std::string_view text, fault_spec& to) {
  return assign(parse_fault_time(text), to.knobs.*Field);
}

template <auto Field>
std::string write_time(const fault_spec& x) {
  if (x.knobs.*Field == fault_knobs{}.*Field)
    return {};
  return write_fault_time(x.knobs.*Field);
}

template <auto Min, auto Max>
outcome read_phase(std::string_view text, fault_spec& to) {
  auto x = parse_fault_times(text);
  if (!x)
    return x.error();
  if (x->min < shortest_fault_period)
    return fault_error{0, "a link is up or down for at least 1ms"};
  to.knobs.*Min = x->min;
  to.knobs.*Max = x->max;
  return {};
}

template <auto Min, auto Max>
std::string write_phase(const fault_spec& x) {
  if (x.knobs.*Max == duration::zero())
    return {};
  return write_fault_times({x.knobs.*Min, x.knobs.*Max});
}

template <auto Field, const words& Words>
outcome read_word(std::string_view what, std::string_view text,
                  fault_spec& to) {
  auto x = parse_fault_word(text, what, Words);
  if (!x)
    return x.error();
  using type = std::decay_t<decltype(to.knobs.*Field)>;
  to.knobs.*Field = static_cast<type>(*x);
  return {};
}

template <auto Field, const words& Words>
std::string write_word(const fault_spec& x) {
  if (x.knobs.*Field == fault_knobs{}.*Field)
    return {};
  return std::string{Words[static_cast<size_t>(x.knobs.*Field)]};
}

outcome read_target(std::string_view text, fault_spec& to) {
  return read_word<&fault_knobs::target, targets>("opcode", text, to);
}

outcome read_corruption(std::string_view text, fault_spec& to) {
  return read_word<&fault_knobs::how, corruptions>("corruption", text, to);
}

outcome read_distribution(std::string_view text, fault_spec& to) {
  return read_word<&fault_knobs::spread, distributions>("spread", text, to);
}

outcome read_seed(std::string_view text, fault_spec& to) {
  auto last = text.data() + text.size();
  auto [end, code] = std::from_chars(text.data(), last, to.seed);
  if (code == std::errc{} && end == last)
    return {};
  // Too large a number is wrong from its beginning.
  auto position = code == std::errc{} ? end - text.data() : 0;
  return fault_error{static_cast<size_t>(position),
                     quoted_fault_text(text) + " is not a number from 0 to "
                       + std::to_string(UINT64_MAX)};
}

std::string write_seed(const fault_spec& x) {
  return x.seed == fault_spec{}.seed ? std::string{} : std::to_string(x.seed);
}

outcome read_skew(std::string_view text, fault_spec& to) {
  auto back = !text.empty() && text.front() == '-';
  auto x = parse_fault_time(text.substr(back ? 1 : 0));
  if (!x)
    return fault_error{x.error().position + (back ? 1 : 0), x.error().text};
  to.knobs.skew = back ? -*x : *x;
  return {};
}

template <actor_fault::kind What>
outcome read_actor(std::string_view text, fault_spec& to) {
  actor_fault result;
  result.what = What;
  auto slash = std::string_view::npos;
  if (What == actor_fault::kind::stall) {
    result.lasts = whole_stall;
    slash = text.find('/');
  }
  auto after = parse_fault_time(text.substr(0, slash));
  if (!after)
    return after.error();
  result.after = *after;
  if (slash != std::string_view::npos) {
    auto lasts = parse_fault_time(text.substr(slash + 1));
    if (!lasts)
      return fault_error{slash + 1 + lasts.error().position,
                         lasts.error().text};
    if (*lasts == duration::zero())
      return fault_error{slash + 1, "a stall is longer than nothing"};
    result.lasts = *lasts;
  }
  to.knobs.actor.push_back(result);
  return {};
}

outcome read_every(std::string_view text, fault_spec& to) {
  auto x = parse_fault_time(text);
  if (!x)
    return x.error();
  if (*x < shortest_fault_period)
    return fault_error{0, "nothing happens more often than every 1ms"};
  to.knobs.actor.back().every = *x;
  return {};
}

outcome read_preset(std::string_view text, fault_spec& to) {
  auto x = parse_fault_word(text, "preset", presets);
  if (!x)
    return x.error();
  auto link = [&](duration up_min, duration up_max, duration down_min,
                  duration down_max) {
    to.knobs.up_min = up_min;
    to.knobs.up_max = up_max;
    to.knobs.down_min = down_min;
    to.knobs.down_max = down_max;
  };
  // The ranges of OpenVPN's --gremlin, from rare outages to long ones.
  if (*x == 0)
    link(60s, 600s, 5s, 10s);
  else if (*x == 1)
    link(10s, 60s, 10s, 60s);
  else if (*x == 2)
    link(5s, 10s, 10s, 120s);
  if (*x < 3)
    return {};
  to.knobs.drop = 1.0 / 16;
  to.knobs.corrupt = 1.0 / 32;
  to.knobs.reorder = 1.0 / 8;
  return {};
}

using k = fault_knobs;
using on = knob_scope;

} // namespace

// -- the table --

const std::vector<fault_knob>& all_fault_knobs() {
  static const std::vector<fault_knob> result{
    {"preset", "NAME", "gremlin1, gremlin2, gremlin3 or noisy", on::packets,
     read_preset, nullptr},
    {"opcode", "KIND", "only data, control, ack, hard_reset or soft_reset",
     on::packets, read_target, write_word<&k::target, targets>},
    {"drop", "RATE", "lost", on::packets, read_rate<&k::drop>,
     write_number<&k::drop>},
    {"burst", "N", "mean length of a run of losses, in packets", on::packets,
     read_burst, write_number<&k::burst>},
    {"duplicate", "RATE", "passes twice", on::packets, read_rate<&k::duplicate>,
     write_number<&k::duplicate>},
    {"reorder", "RATE", "held back, so that others overtake it", on::packets,
     read_rate<&k::reorder>, write_number<&k::reorder>},
    {"reorder-by", "TIME", "for how long (20ms)", on::packets,
     read_time<&k::reorder_by>, write_time<&k::reorder_by>},
    {"corrupt", "RATE", "changed", on::packets, read_rate<&k::corrupt>,
     write_number<&k::corrupt>},
    {"corrupt-how", "HOW", "bit, byte or header", on::packets, read_corruption,
     write_word<&k::how, corruptions>},
    {"truncate", "RATE", "cut short", on::packets, read_rate<&k::truncate>,
     write_number<&k::truncate>},
    {"extend", "RATE", "up to 64 bytes longer", on::packets,
     read_rate<&k::extend>, write_number<&k::extend>},
    {"replay", "RATE", "comes again later, unchanged", on::packets,
     read_rate<&k::replay>, write_number<&k::replay>},
    {"replay-after", "TIME", "how much later (1s)", on::packets,
     read_time<&k::replay_after>, write_time<&k::replay_after>},
    {"delay", "TIME", "all take so long", on::packets, read_time<&k::delay>,
     write_time<&k::delay>},
    {"jitter", "TIME", "and up to so much longer", on::packets,
     read_time<&k::jitter>, write_time<&k::jitter>},
    {"spread", "HOW", "of the jitter: uniform, normal or pareto", on::packets,
     read_distribution, write_word<&k::spread, distributions>},
    {"up", "TIME[..TIME]", "the link is up so long, then down, and so on",
     on::packets, read_phase<&k::up_min, &k::up_max>,
     write_phase<&k::up_min, &k::up_max>},
    {"down", "TIME[..TIME]", "for so long; without up: at once, and once",
     on::packets, read_phase<&k::down_min, &k::down_max>,
     write_phase<&k::down_min, &k::down_max>},
    {"from", "TIME", "the fault begins to work so much later", on::fault,
     read_time<&k::from>, write_time<&k::from>},
    {"until", "TIME", "it ends; both count from its start", on::fault,
     read_time<&k::until>, write_time<&k::until>},
    {"kill", "TIME", "the actor ends so long after the beginning", on::actor,
     read_actor<actor_fault::kind::kill>, nullptr},
    {"crash", "TIME", "it ends with an error", on::actor,
     read_actor<actor_fault::kind::crash>, nullptr},
    {"stall", "TIME[/TIME]", "it does nothing, for so long (1h)", on::actor,
     read_actor<actor_fault::kind::stall>, nullptr},
    {"every", "TIME", "the kill, crash or stall before it again and again",
     on::last_actor, read_every, nullptr},
    {"skew", "[-]TIME", "the date of the actor is wrong by so much", on::clock,
     read_skew, write_time<&k::skew>},
    {"seed", "NUMBER", "same seed, same fates (1)", on::fault, read_seed,
     write_seed},
  };
  return result;
}

std::string write_actor_fault(const actor_fault& x) {
  auto result = std::string{actor_kinds[static_cast<size_t>(x.what)]} + '='
                + write_fault_time(x.after);
  if (x.what == actor_fault::kind::stall)
    result += '/' + write_fault_time(x.lasts);
  if (x.every != duration::zero())
    result += ",every=" + write_fault_time(x.every);
  return result;
}

std::string describe_fault_knobs() {
  constexpr size_t column = 22;
  std::string result;
  for (auto& x : all_fault_knobs()) {
    auto line = "  " + std::string{x.name} + '=' + std::string{x.value};
    line.resize(std::max(line.size() + 1, column), ' ');
    result += line + std::string{x.help} + '\n';
  }
  return result;
}

} // namespace vpn::protocol
