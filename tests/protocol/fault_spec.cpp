// The text of a fault: what it means, what is wrong with it and where.
#define CAF_SUITE protocol.fault_spec

#include "vpn/protocol/fault_spec.hpp"

#include "vpn/protocol/readable_text.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <cmath>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

fault_spec parsed(std::string_view text) {
  auto x = parse_fault_spec(text);
  if (!x)
    CAF_FAIL(std::string{text} + ": " + x.error().text);
  return *x;
}

/// "8: unknown knob ...", or "fine".
std::string error_of(std::string_view text) {
  auto x = parse_fault_spec(text);
  if (x)
    return "fine";
  return std::to_string(x.error().position) + ": " + x.error().text;
}

/// Where the text is wrong, or -1.
int bad_at(std::string_view text) {
  auto x = parse_fault_spec(text);
  return x ? -1 : static_cast<int>(x.error().position);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string round_trip(std::string_view text) {
  return to_string(parsed(text));
}

bool same(const actor_fault& x, const actor_fault& y) {
  return x.what == y.what && x.after == y.after && x.every == y.every
         && x.lasts == y.lasts;
}

bool same(const fault_knobs& x, const fault_knobs& y) {
  return x.target == y.target && x.drop == y.drop && x.duplicate == y.duplicate
         && x.reorder == y.reorder && x.corrupt == y.corrupt
         && x.truncate == y.truncate && x.extend == y.extend
         && x.replay == y.replay && x.burst == y.burst && x.how == y.how
         && x.delay == y.delay && x.jitter == y.jitter && x.spread == y.spread
         && x.reorder_by == y.reorder_by && x.replay_after == y.replay_after
         && x.up_min == y.up_min && x.up_max == y.up_max
         && x.down_min == y.down_min && x.down_max == y.down_max
         && x.from == y.from && x.until == y.until && x.skew == y.skew
         && std::equal(x.actor.begin(), x.actor.end(), y.actor.begin(),
                       y.actor.end(), [](auto& a, auto& b) {
                         return same(a, b);
                       });
}

bool same(const fault_spec& x, const fault_spec& y) {
  return x.at == y.at && x.up == y.up && x.down == y.down && x.seed == y.seed
         && same(x.knobs, y.knobs);
}

constexpr auto long_text
  = "network.down:opcode=control,drop=0.25,burst=3.5,duplicate=0.1,"
    "reorder=0.125,reorder-by=50ms,corrupt=0.03125,corrupt-how=header,"
    "truncate=0.01,extend=0.02,replay=0.03,replay-after=5s,delay=40ms,"
    "jitter=10.5ms,spread=pareto,up=1min..10min,down=5s..10s,from=2s,until=1h,"
    "kill=30s,every=1min,crash=31s,stall=32s/5s,every=2min,seed=7";

} // namespace

// -- what a text means --

CAF_TEST(the example of the manual) {
  auto x = parsed("network.up:drop=0.05,reorder=0.1,seed=7");
  CAF_CHECK(x.at == layer::network);
  CAF_CHECK(x.up && !x.down);
  CAF_CHECK_EQUAL(x.knobs.drop, 0.05);
  CAF_CHECK_EQUAL(x.knobs.reorder, 0.1);
  CAF_CHECK_EQUAL(x.seed, 7u);
  fault_spec wanted;
  wanted.down = false;
  wanted.knobs.drop = 0.05;
  wanted.knobs.reorder = 0.1;
  wanted.seed = 7;
  CAF_CHECK(same(x, wanted));
}

CAF_TEST(a long text sets every knob) {
  auto x = parsed(long_text);
  CAF_CHECK(!x.up && x.down);
  auto& k = x.knobs;
  CAF_CHECK(k.target == fault_target::control);
  CAF_CHECK_EQUAL(k.drop, 0.25);
  CAF_CHECK_EQUAL(k.burst, 3.5);
  CAF_CHECK_EQUAL(k.duplicate, 0.1);
  CAF_CHECK_EQUAL(k.reorder, 0.125);
  CAF_CHECK(k.reorder_by == 50ms);
  CAF_CHECK_EQUAL(k.corrupt, 0.03125);
  CAF_CHECK(k.how == corruption::header);
  CAF_CHECK_EQUAL(k.truncate, 0.01);
  CAF_CHECK_EQUAL(k.extend, 0.02);
  CAF_CHECK_EQUAL(k.replay, 0.03);
  CAF_CHECK(k.replay_after == 5s);
  CAF_CHECK(k.delay == 40ms);
  CAF_CHECK(k.jitter == 10500us);
  CAF_CHECK(k.spread == distribution::pareto);
  CAF_CHECK(k.up_min == 1min && k.up_max == 10min);
  CAF_CHECK(k.down_min == 5s && k.down_max == 10s);
  CAF_CHECK(k.from == 2s && k.until == 1h);
  CAF_REQUIRE_EQUAL(k.actor.size(), 3u);
  CAF_CHECK(same(k.actor[0], {actor_fault::kind::kill, 30s, 1min, 0s}));
  CAF_CHECK(same(k.actor[1], {actor_fault::kind::crash, 31s, 0s, 0s}));
  CAF_CHECK(same(k.actor[2], {actor_fault::kind::stall, 32s, 2min, 5s}));
  CAF_CHECK_EQUAL(x.seed, 7u);
  auto again = to_string(x);
  CAF_CHECK(same(parsed(again), x));
}

CAF_TEST(without a direction both are meant) {
  for (auto text : {"muxer:drop=1", "reliable:drop=1", "control:drop=1",
                    "data_channel:drop=1", "network:drop=1"}) {
    auto x = parsed(text);
    CAF_CHECK(x.up && x.down);
  }
}

CAF_TEST(the words for opcodes and ways) {
  auto target = [](const std::string& x) {
    return parsed("network:opcode=" + x).knobs.target;
  };
  CAF_CHECK(target("all") == fault_target::all);
  CAF_CHECK(target("data") == fault_target::data);
  CAF_CHECK(target("control") == fault_target::control);
  CAF_CHECK(target("ack") == fault_target::ack);
  CAF_CHECK(target("hard_reset") == fault_target::hard_reset);
  CAF_CHECK(target("soft_reset") == fault_target::soft_reset);
  auto how = [](const std::string& x) {
    return parsed("network:corrupt-how=" + x).knobs.how;
  };
  CAF_CHECK(how("bit") == corruption::bit);
  CAF_CHECK(how("byte") == corruption::byte);
  CAF_CHECK(how("header") == corruption::header);
  auto spread = [](const std::string& x) {
    return parsed("network:spread=" + x).knobs.spread;
  };
  CAF_CHECK(spread("uniform") == distribution::uniform);
  CAF_CHECK(spread("normal") == distribution::normal);
  CAF_CHECK(spread("pareto") == distribution::pareto);
}

CAF_TEST(down alone is one outage and a single time is a range) {
  auto x = parsed("network:down=10s").knobs;
  CAF_CHECK(x.up_max == 0s);
  CAF_CHECK(x.down_min == 10s && x.down_max == 10s);
  x = parsed("network:up=1min,down=1s..2s").knobs;
  CAF_CHECK(x.up_min == 1min && x.up_max == 1min);
  CAF_CHECK(x.down_min == 1s && x.down_max == 2s);
}

CAF_TEST(a stall without an end is an hour) {
  auto x = parsed("tls:stall=5s").knobs.actor.at(0);
  CAF_CHECK(x.after == 5s && x.lasts == 1h);
  x = parsed("tls:stall=0s/1ms").knobs.actor.at(0);
  CAF_CHECK(x.after == 0s && x.lasts == 1ms);
}

CAF_TEST(every belongs to what stands before it) {
  auto x = parsed("host:kill=1s,crash=2s,every=3s").knobs.actor;
  CAF_REQUIRE_EQUAL(x.size(), 2u);
  CAF_CHECK(x[0].every == 0s);
  CAF_CHECK(x[1].every == 3s);
  // Knobs of another kind may stand between.
  x = parsed("network:kill=1s,drop=1,every=3s,kill=2s,every=4s").knobs.actor;
  CAF_REQUIRE_EQUAL(x.size(), 2u);
  CAF_CHECK(x[0].every == 3s);
  CAF_CHECK(x[1].every == 4s);
}

CAF_TEST(a clock is wrong in both directions) {
  CAF_CHECK(parsed("network:skew=90s").knobs.skew == 90s);
  CAF_CHECK(parsed("tls:skew=-90s").knobs.skew == -90s);
  CAF_CHECK(parsed("tls:skew=-0s").knobs.skew == 0s);
}

CAF_TEST(the presets of gremlin are schedules of the link) {
  auto link = [](const std::string& preset, duration up_min, duration up_max,
                 duration down_min, duration down_max) {
    fault_knobs wanted;
    wanted.up_min = up_min;
    wanted.up_max = up_max;
    wanted.down_min = down_min;
    wanted.down_max = down_max;
    CAF_CHECK(same(parsed("network:preset=" + preset).knobs, wanted));
  };
  link("gremlin1", 60s, 600s, 5s, 10s);
  link("gremlin2", 10s, 60s, 10s, 60s);
  link("gremlin3", 5s, 10s, 10s, 120s);
  fault_knobs wanted;
  wanted.drop = 1.0 / 16;
  wanted.corrupt = 1.0 / 32;
  wanted.reorder = 1.0 / 8;
  CAF_CHECK(same(parsed("network:preset=noisy").knobs, wanted));
}

CAF_TEST(a knob by name counts more than a preset wherever it stands) {
  for (auto text : {"network.up:drop=0.5,preset=noisy,kill=1s,seed=9",
                    "network.up:preset=noisy,kill=1s,drop=0.5,seed=9"}) {
    auto x = parsed(text);
    CAF_CHECK(x.up && !x.down);
    CAF_CHECK_EQUAL(x.seed, 9u);
    CAF_CHECK_EQUAL(x.knobs.drop, 0.5);
    CAF_CHECK_EQUAL(x.knobs.corrupt, 1.0 / 32);
    CAF_CHECK_EQUAL(x.knobs.actor.size(), 1u);
  }
  // Also one that says the default.
  CAF_CHECK(parsed("network:drop=0,preset=noisy").knobs.drop == 0);
}

CAF_TEST(what changes packets is told from what does not ) {
  for (auto text :
       {"network:drop=1", "network:duplicate=1", "network:reorder=1",
        "network:corrupt=1", "network:truncate=1", "network:extend=1",
        "network:replay=1", "network:delay=1ms", "network:jitter=1ms",
        "network:down=1s", "network:preset=gremlin1"})
    CAF_CHECK(parsed(text).knobs.changes_packets());
  for (auto text : {"network:seed=1", "network:drop=0", "network:kill=1s",
                    "network:opcode=data", "network:burst=5",
                    "network:reorder-by=1s", "network:skew=1s",
                    "network:from=1s,until=2s", "network:replay-after=1s"})
    CAF_CHECK(!parsed(text).knobs.changes_packets());
}

// -- what is wrong --

CAF_TEST(an unknown knob is answered with the nearest and all) {
  auto text = error_of("network:dorp=1");
  CAF_CHECK(has(text, "8: unknown knob 'dorp' (drop?); knobs: preset, opcode, "
                      "drop, burst,"));
  CAF_CHECK(has(text, "skew"));
  text = error_of("network:drop=1,bursts=2");
  CAF_CHECK(has(text, "15: unknown knob 'bursts' (burst?); knobs: "));
  text = error_of("network:xyzzy=1");
  CAF_CHECK(has(text, "8: unknown knob 'xyzzy'; knobs: "));
}

CAF_TEST(an unknown layer direction or word is answered with all) {
  auto text = error_of("netwrok:drop=1");
  CAF_CHECK_EQUAL(text, "0: unknown layer 'netwrok' (network?); layers: "
                        "network, muxer, reliable, control, tls, "
                        "data_channel, tun, host, resolver, runner");
  text = error_of("network.upp:drop=1");
  CAF_CHECK_EQUAL(text,
                  "8: unknown direction 'upp' (up?); directions: up, down");
  text = error_of("network:opcode=dta");
  CAF_CHECK_EQUAL(text, "15: opcode=KIND: unknown opcode 'dta' (data?); "
                        "opcodes: all, data, control, ack, hard_reset, "
                        "soft_reset");
  text = error_of("network:preset=gremlin");
  CAF_CHECK(has(text, "15: preset=NAME: unknown preset 'gremlin' (gremlin1?); "
                      "presets: gremlin1, gremlin2, gremlin3, noisy"));
  text = error_of("network:corrupt-how=byt");
  CAF_CHECK(has(text, "corruptions: bit, byte, header"));
  text = error_of("network:spread=noraml");
  CAF_CHECK(has(text, "'noraml' (normal?)"));
}

CAF_TEST(what is missing is named at its place) {
  CAF_CHECK_EQUAL(bad_at(""), 0);
  CAF_CHECK_EQUAL(bad_at(":"), 0);
  CAF_CHECK_EQUAL(bad_at("network"), 7);
  CAF_CHECK_EQUAL(bad_at("network."), 8);
  CAF_CHECK_EQUAL(bad_at("network.:drop=1"), 8);
  CAF_CHECK_EQUAL(bad_at("network.up"), 10);
  CAF_CHECK_EQUAL(bad_at("network:"), 8);
  CAF_CHECK_EQUAL(bad_at("network:drop"), 12);
  CAF_CHECK_EQUAL(bad_at("network:drop,seed=1"), 12);
  CAF_CHECK_EQUAL(bad_at("network:drop="), 13);
  CAF_CHECK_EQUAL(bad_at("network:drop=,seed=1"), 13);
  CAF_CHECK_EQUAL(bad_at("network:=1"), 8);
  CAF_CHECK_EQUAL(bad_at("network:,drop=1"), 8);
  CAF_CHECK_EQUAL(bad_at("network:drop=1,"), 15);
  CAF_CHECK_EQUAL(bad_at("network:drop=1,,seed=1"), 15);
  auto text = error_of("network");
  CAF_CHECK_EQUAL(text, "7: expected .up, .down or ':' and a knob");
  text = error_of("network.up");
  CAF_CHECK_EQUAL(text, "10: expected ':' and a knob");
  text = error_of("network:");
  CAF_CHECK(has(text, "8: expected a knob; knobs: preset, "));
  text = error_of("network:drop");
  CAF_CHECK_EQUAL(text, "12: expected drop=RATE");
  text = error_of("network:drop=");
  CAF_CHECK_EQUAL(text, "13: drop=RATE: expected a number from 0 to 1");
}

CAF_TEST(blanks and capitals are no part of the grammar) {
  for (auto text : {" network:drop=1", "network :drop=1", "network: drop=1",
                    "network:drop =1", "network:drop= 1", "network:drop=1 ",
                    "network:drop=1, seed=2", "Network:drop=1",
                    "network:Drop=1", "network.Up:drop=1", "network:drop:1",
                    "network/drop=1", "network:drop=1;seed=2"})
    CAF_CHECK(bad_at(text) >= 0);
}

CAF_TEST(rates outside of zero to one are refused) {
  for (auto name : {"drop", "duplicate", "reorder", "corrupt", "truncate",
                    "extend", "replay"})
    for (auto value :
         {"1.01", "-0.5", "nan", "inf", "2", "1/2", "1e-3", "50%"}) {
      auto begin = std::string{"network:"} + name + '=';
      auto text = begin + value;
      CAF_CHECK(bad_at(text) >= static_cast<int>(begin.size()));
    }
  auto text = error_of("network:drop=1.5");
  CAF_CHECK_EQUAL(text, "13: drop=RATE: '1.5' is not a number from 0 to 1");
}

CAF_TEST(times that are negative too long or without a unit are refused) {
  for (auto name : {"reorder-by", "replay-after", "delay", "jitter", "from",
                    "until", "kill", "crash", "stall"}) {
    auto begin = std::string{"network:"} + name + '=';
    auto at = static_cast<int>(begin.size());
    CAF_CHECK_EQUAL(bad_at(begin + "-5s"), at);
    CAF_CHECK_EQUAL(bad_at(begin + "nans"), at);
    CAF_CHECK_EQUAL(bad_at(begin + "8761h"), at);
    CAF_CHECK_EQUAL(bad_at(begin + "5"), at + 1);
    CAF_CHECK_EQUAL(bad_at(begin), at);
    CAF_CHECK_EQUAL(bad_at(begin + "8760h"), -1);
  }
  CAF_CHECK_EQUAL(bad_at("network:skew=--5s"), 14);
  CAF_CHECK_EQUAL(bad_at("network:skew=-8761h"), 14);
  CAF_CHECK_EQUAL(bad_at("network:skew=-"), 14);
  auto text = error_of("network:delay=-5s");
  CAF_CHECK_EQUAL(text, "14: delay=TIME: a time is not negative");
}

CAF_TEST(bounds of the other knobs) {
  CAF_CHECK_EQUAL(bad_at("network:burst=0.5"), 14);
  CAF_CHECK_EQUAL(bad_at("network:burst=1000001"), 14);
  CAF_CHECK_EQUAL(bad_at("network:burst=1000000"), -1);
  CAF_CHECK_EQUAL(bad_at("network:up=0s,down=1s"), 11);
  CAF_CHECK_EQUAL(bad_at("network:up=0.5ms..1s,down=1s"), 11);
  CAF_CHECK_EQUAL(bad_at("network:down=0s"), 13);
  CAF_CHECK_EQUAL(bad_at("network:down=2s..1s"), 17);
  CAF_CHECK_EQUAL(bad_at("network:stall=1s/0s"), 17);
  CAF_CHECK_EQUAL(bad_at("network:stall=1s/"), 17);
  CAF_CHECK_EQUAL(bad_at("network:stall=/1s"), 14);
  CAF_CHECK_EQUAL(bad_at("network:kill=1s/1s"), 14);
  CAF_CHECK_EQUAL(bad_at("network:kill=1s,every=0s"), 22);
  CAF_CHECK_EQUAL(bad_at("network:seed=18446744073709551616"), 13);
  CAF_CHECK_EQUAL(bad_at("network:seed=-1"), 13);
  CAF_CHECK_EQUAL(bad_at("network:seed=+1"), 13);
  CAF_CHECK_EQUAL(bad_at("network:seed=0x1"), 14);
  CAF_CHECK_EQUAL(bad_at("network:seed=1.5"), 14);
  CAF_CHECK_EQUAL(bad_at("network:seed=18446744073709551615"), -1);
}

CAF_TEST(knobs are given once) {
  auto text = error_of("network:drop=1,seed=2,drop=1");
  CAF_CHECK_EQUAL(text, "22: 'drop' is there twice");
  CAF_CHECK_EQUAL(bad_at("network:seed=2,seed=2"), 15);
  CAF_CHECK_EQUAL(bad_at("network:preset=noisy,preset=gremlin1"), 21);
  CAF_CHECK_EQUAL(bad_at("network:skew=1s,skew=1s"), 16);
  CAF_CHECK_EQUAL(bad_at("network:kill=1s,every=1s,every=1s"), 25);
  // These are separate events.
  CAF_CHECK_EQUAL(bad_at("network:kill=1s,kill=1s,stall=1s,stall=2s"), -1);
}

CAF_TEST(there is a limit for events) {
  std::string text = "network:kill=1s";
  for (int i = 1; i < 64; ++i)
    text += ",kill=1s";
  CAF_CHECK_EQUAL(bad_at(text), -1);
  CAF_CHECK_EQUAL(bad_at(text + ",kill=1s"), static_cast<int>(text.size() + 1));
}

CAF_TEST(every needs something before it) {
  auto text = error_of("network:every=1s,kill=1s");
  CAF_CHECK_EQUAL(text, "8: 'every' comes behind kill, crash or stall");
}

CAF_TEST(knobs that contradict each other are refused) {
  auto text = error_of("network:drop=0.1,up=5s");
  CAF_CHECK(has(text, "17: 'up' needs 'down'"));
  CAF_CHECK_EQUAL(bad_at("network:from=5s,until=5s"), 22);
  CAF_CHECK_EQUAL(bad_at("network:until=4s,from=5s"), 14);
  CAF_CHECK_EQUAL(bad_at("network:until=0s"), 14);
  CAF_CHECK_EQUAL(bad_at("network:until=6s,from=5s"), -1);
  // Runs of two with single packets between them lose two of three.
  CAF_CHECK_EQUAL(bad_at("network:burst=2,drop=0.7"), 14);
  CAF_CHECK_EQUAL(bad_at("network:burst=2,drop=0.66"), -1);
  CAF_CHECK_EQUAL(bad_at("network:burst=1.5,drop=1"), 14);
  CAF_CHECK_EQUAL(bad_at("network:burst=1,drop=1"), -1);
}

CAF_TEST(knobs for packets are refused where none pass) {
  for (std::string name : {"tls", "tun", "host", "resolver", "runner"}) {
    auto at = static_cast<int>(name.size() + 1);
    for (auto knob :
         {"drop=1", "opcode=data", "burst=2", "duplicate=1", "reorder=1",
          "reorder-by=1s", "corrupt=1", "corrupt-how=bit", "truncate=1",
          "extend=1", "replay=1", "replay-after=1s", "delay=1s", "jitter=1s",
          "spread=normal", "up=1s", "down=1s", "preset=noisy"}) {
      CAF_CHECK_EQUAL(bad_at(name + ':' + knob), at);
      CAF_CHECK_EQUAL(bad_at(name + ":seed=1," + knob), at + 7);
    }
    CAF_CHECK_EQUAL(bad_at(name + ".up:kill=1s"), at);
    CAF_CHECK_EQUAL(bad_at(name + ".down:kill=1s"), at);
    CAF_CHECK_EQUAL(bad_at(name
                           + ":kill=1s,every=1s,crash=1s,stall=1s,"
                             "skew=1s,from=1s,until=2s,seed=1"),
                    -1);
  }
  auto text = error_of("tls:drop=1");
  CAF_CHECK_EQUAL(text, "4: 'drop' is for packets; no packets pass tls; "
                        "knobs: from, until, kill, crash, stall, every, skew, "
                        "seed");
  text = error_of("tls:dorp=1");
  CAF_CHECK_EQUAL(text, "4: unknown knob 'dorp'; knobs: from, until, kill, "
                        "crash, stall, every, skew, seed");
}

CAF_TEST(the link of the device is named) {
  for (auto spec : {"tun.up:drop=1", "tun.down:drop=1", "tun:drop=1"}) {
    auto text = error_of(spec);
    CAF_CHECK(has(text, "4: "));
    CAF_CHECK(has(text, "data_channel.up"));
  }
}

CAF_TEST(a clock has no direction) {
  auto text = error_of("network.up:skew=1s");
  CAF_CHECK(has(text, "11: 'skew' has no direction; knobs: preset, "));
  CAF_CHECK(!has(text, ", skew,"));
  CAF_CHECK_EQUAL(bad_at("network.down:skew=1s"), 13);
  // The others do what they do to the actor, whatever direction is meant.
  CAF_CHECK_EQUAL(bad_at("network.up:kill=1s,crash=1s,stall=1s"), -1);
}

// -- hostile texts --

CAF_TEST(every beginning of a long text is right or wrong in its last knob) {
  std::string_view text = long_text;
  for (size_t n = 0; n < text.size(); ++n) {
    auto x = parse_fault_spec(text.substr(0, n));
    if (x)
      continue;
    CAF_CHECK(!x.error().text.empty());
    CAF_CHECK(x.error().position <= n);
    auto border = text.substr(0, n).find_last_of(",:");
    if (border != std::string_view::npos)
      CAF_CHECK(x.error().position > border);
  }
}

CAF_TEST(a byte changed in a long text never makes a position outside) {
  std::string text = long_text;
  test::seeded random{11};
  for (size_t i = 0; i < text.size(); ++i)
    for (auto c : {'\0', ',', '=', ':', '.', '-', '9', 'x', '\xff',
                   static_cast<char>(random.byte())}) {
      auto changed = text;
      changed[i] = c;
      auto x = parse_fault_spec(changed);
      if (!x)
        CAF_CHECK(x.error().position <= changed.size());
      else
        CAF_CHECK(same(parsed(to_string(*x)), *x));
    }
}

CAF_TEST(random bytes are refused with a position inside) {
  test::seeded random{12};
  // Pieces of the grammar reach further than bytes alone.
  constexpr const char* pieces[]
    = {"network", "tun",  ".up",   ".down", ":",      "drop",  "=",    "0.5",
       ",",       "kill", "every", "stall", "/",      "..",    "5s",   "10ms",
       "skew",    "-",    "burst", "up",    "preset", "noisy", "seed", "\xc3"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    if (i % 2 == 0)
      text = byte_view{random.some_bytes(80)}.text();
    else
      for (auto n = random.below(14); n > 0; --n)
        text += pieces[random.below(std::size(pieces))];
    auto x = parse_fault_spec(text);
    if (x) {
      CAF_CHECK(same(parsed(to_string(*x)), *x));
      continue;
    }
    auto& error = x.error();
    CAF_REQUIRE(error.position <= text.size() && !error.text.empty()
                && error.text.size() < 1'000 && is_readable(error.text));
  }
}

CAF_TEST(a very long text is refused in time) {
  CAF_CHECK(bad_at(std::string(1 << 20, 'x')) == 0);
  CAF_CHECK(bad_at("network:" + std::string(1 << 20, 'x')) == 8);
  // Rounds to one.
  CAF_CHECK(bad_at("network:drop=0." + std::string(1 << 20, '9')) == -1);
  CAF_CHECK(bad_at("network:delay=" + std::string(1 << 20, '9') + "s") == 14);
}

// -- writing --

CAF_TEST(only what differs from its default is written) {
  auto text = round_trip("network.up:seed=7,drop=0.05,reorder=0.1,burst=1");
  CAF_CHECK_EQUAL(text, "network.up:drop=0.05,reorder=0.1,seed=7");
  text = round_trip("network:drop=0");
  CAF_CHECK_EQUAL(text, "network:seed=1");
  text = round_trip("network:preset=gremlin1");
  CAF_CHECK_EQUAL(text, "network:up=1min..10min,down=5s..10s");
  text = round_trip("data_channel.down:stall=5s,kill=90s,every=1h");
  CAF_CHECK_EQUAL(text, "data_channel.down:stall=5s/1h,kill=90s,every=1h");
  text = to_string(fault_spec{});
  CAF_CHECK_EQUAL(text, "network:seed=1");
}

CAF_TEST(what is written parses to the same value) {
  test::seeded random{13};
  auto rate = [&]() -> double {
    if (random.one_in(2))
      return 0;
    return std::ldexp(random.below(UINT32_MAX),
                      -32 - static_cast<int>(random.below(40)));
  };
  auto time = [&]() -> duration {
    switch (random.below(5)) {
      case 0:
        return 0s;
      case 1:
        return std::chrono::hours{random.below(8'760)};
      case 2:
        return std::chrono::seconds{random.below(100'000)};
      case 3:
        return std::chrono::milliseconds{random.below(100'000)};
      default:
        return duration{(int64_t{random.below(UINT32_MAX)} << 20)
                        + random.below(1U << 20)};
    }
  };
  constexpr layer passing[] = {layer::network, layer::muxer, layer::reliable,
                               layer::control, layer::data_channel};
  for (int i = 0; i < 5'000; ++i) {
    fault_spec x;
    auto has_packets = random.below(3) > 0;
    x.at
      = has_packets ? passing[random.below(5)] : all_layers[random.below(10)];
    auto& k = x.knobs;
    if (has_packets) {
      auto direction = random.below(3);
      x.up = direction != 1;
      x.down = direction != 2;
      k.target = static_cast<fault_target>(random.below(6));
      for (auto field : {&k.drop, &k.duplicate, &k.reorder, &k.corrupt,
                         &k.truncate, &k.extend, &k.replay})
        *field = rate();
      if (random.one_in(2))
        k.burst = k.drop / (1 - k.drop) + 1 + random.below(1'000) / 8.0;
      k.how = static_cast<corruption>(random.below(3));
      k.spread = static_cast<distribution>(random.below(3));
      for (auto field : {&k.delay, &k.jitter, &k.reorder_by, &k.replay_after})
        *field = time();
      auto link = random.below(3);
      if (link > 0) {
        k.down_min = time() / 2 + 1ms;
        k.down_max = k.down_min + time() / 2;
      }
      if (link > 1) {
        k.up_min = time() / 2 + 1ms;
        k.up_max = k.up_min + time() / 2;
      }
    }
    k.from = time() / 2;
    if (random.one_in(2))
      k.until = k.from + 1ns + time() / 3;
    for (auto n = random.below(4); n > 0; --n) {
      actor_fault event;
      event.what = static_cast<actor_fault::kind>(random.below(3));
      event.after = time();
      if (event.what == actor_fault::kind::stall)
        event.lasts = time() / 2 + 1ns;
      if (random.one_in(2))
        event.every = time() / 2 + 1ms;
      k.actor.push_back(event);
    }
    if (x.up && x.down)
      k.skew = random.one_in(2) ? time() : -time();
    x.seed = random.one_in(4)
               ? 1
               : (uint64_t{random.below(UINT32_MAX)} << 32) + random.byte();
    auto text = to_string(x);
    auto back = parse_fault_spec(text);
    if (!back)
      CAF_FAIL(text + ": " + back.error().text);
    CAF_CHECK(same(*back, x));
    CAF_CHECK(to_string(*back) == text);
  }
}
