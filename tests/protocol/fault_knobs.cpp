// The table of knobs: complete, and each row reads what it writes.
#define CAF_SUITE protocol.fault_knobs

#include "vpn/protocol/fault_knobs.hpp"

#include "caf/test/unit_test.hpp"

#include <map>
#include <set>
#include <sstream>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

/// A value that is not the default, for each knob.
const std::map<std::string_view, std::string>& examples() {
  static const std::map<std::string_view, std::string> result{
    {"preset", "noisy"},       {"opcode", "hard_reset"},
    {"drop", "0.05"},          {"burst", "4"},
    {"duplicate", "0.1"},      {"reorder", "0.125"},
    {"reorder-by", "50ms"},    {"corrupt", "0.01"},
    {"corrupt-how", "header"}, {"truncate", "1"},
    {"extend", "0.5"},         {"replay", "0.25"},
    {"replay-after", "5s"},    {"delay", "40ms"},
    {"jitter", "1500ms"},      {"spread", "pareto"},
    {"up", "1min..10min"},     {"down", "5s"},
    {"from", "2min"},          {"until", "1h"},
    {"kill", "30s"},           {"crash", "31s"},
    {"stall", "32s/5s"},       {"every", "33s"},
    {"skew", "-2h"},           {"seed", "18446744073709551615"}};
  return result;
}

} // namespace

CAF_TEST(each knob has a name of its own and help) {
  std::set<std::string_view> names;
  for (auto& x : all_fault_knobs()) {
    CAF_CHECK(names.insert(x.name).second);
    CAF_CHECK(!x.value.empty());
    CAF_CHECK(!x.help.empty());
    CAF_CHECK(x.read != nullptr);
    CAF_CHECK_EQUAL(examples().count(x.name), 1u);
  }
  CAF_CHECK_EQUAL(names.size(), examples().size());
}

CAF_TEST(each knob writes what it has read) {
  for (auto& x : all_fault_knobs()) {
    auto& value = examples().at(x.name);
    fault_spec spec;
    // Something has to be there that happens every so often.
    if (x.scope == knob_scope::last_actor)
      spec.knobs.actor.push_back({});
    CAF_CHECK(!x.read(value, spec));
    if (x.write != nullptr) {
      auto written = x.write(spec);
      CAF_CHECK_EQUAL(written, value);
      auto silent = x.write(fault_spec{});
      CAF_CHECK_EQUAL(silent, "");
    }
  }
}

CAF_TEST(each knob refuses what is no value) {
  for (auto& x : all_fault_knobs())
    for (std::string_view bad :
         {"", "?", " ", "-", "=", "nan", "-1", "1e999"}) {
      fault_spec spec;
      spec.knobs.actor.push_back({});
      auto wrong = x.read(bad, spec);
      CAF_REQUIRE(wrong);
      CAF_CHECK(wrong->position <= bad.size());
      CAF_CHECK(!wrong->text.empty());
    }
}

CAF_TEST(times of an actor are written in the order of the text) {
  actor_fault x;
  x.after = 5s;
  auto text = write_actor_fault(x);
  CAF_CHECK_EQUAL(text, "kill=5s");
  x.what = actor_fault::kind::crash;
  x.every = 1min;
  text = write_actor_fault(x);
  CAF_CHECK_EQUAL(text, "crash=5s,every=1min");
  x.what = actor_fault::kind::stall;
  x.lasts = 250ms;
  text = write_actor_fault(x);
  CAF_CHECK_EQUAL(text, "stall=5s/250ms,every=1min");
}

CAF_TEST(the help has a line for each knob that fits a terminal) {
  std::istringstream lines{describe_fault_knobs()};
  std::string line;
  for (auto& x : all_fault_knobs()) {
    CAF_REQUIRE(std::getline(lines, line));
    CAF_CHECK_LESS(line.size(), 80u);
    auto begin = "  " + std::string{x.name} + '=';
    CAF_CHECK_EQUAL(line.substr(0, begin.size()), begin);
    CAF_CHECK(line.find(x.help) != std::string::npos);
  }
  CAF_CHECK(!std::getline(lines, line));
}
