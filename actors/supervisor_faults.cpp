// Faults of this session: set, changed and ended while it runs.
// spec: design 7
#include <algorithm>

#include "supervisor_state.hpp"

namespace vpn::actors {

namespace {

/// The two are about the same actor, or about the same packets.
bool same_place(const protocol::fault_spec& x, const protocol::fault_spec& y) {
  return x.at == y.at && x.up == y.up && x.down == y.down
         && x.knobs.actor.empty() == y.knobs.actor.empty();
}

} // namespace

caf::result<std::string> supervisor_state::set_fault(const std::string& text) {
  auto spec = protocol::parse_fault_spec(text);
  if (!spec)
    return caf::make_error(caf::sec::invalid_argument,
                           "at byte "
                             + std::to_string(spec.error().position + 1) + ": "
                             + spec.error().text);
  auto same = std::find_if(faults.begin(), faults.end(), [&](const auto& x) {
    return same_place(x, *spec);
  });
  if (same != faults.end())
    *same = *spec;
  else
    faults.push_back(*spec);
  auto understood = to_string(*spec);
  warn("FAULTS ARE ON: " + understood);
  fit_faults();
  return understood;
}

void supervisor_state::clear_faults() {
  faults.clear();
  note("All faults have ended");
  fit_faults();
}

/// What was to happen once to this layer has happened: the next negotiation or
/// session is spared.
void supervisor_state::spend_faults(protocol::layer what) {
  for (auto& x : faults) {
    if (x.at != what)
      continue;
    auto& all = x.knobs.actor;
    all.erase(std::remove_if(all.begin(), all.end(),
                             [](const protocol::actor_fault& y) {
                               return y.every == duration::zero();
                             }),
              all.end());
  }
}

void supervisor_state::fit_faults() {
  fault_surroundings around{&self->system(), cfg->clock, nullptr, &faults};
  auto fit = [&](auto& x, protocol::layer at) {
    if (!x.front)
      return;
    fit_gate(x, at, around);
    settle(x);
  };
  fit(host.at, protocol::layer::host);
  fit(resolver.at, protocol::layer::resolver);
  fit(runner.at, protocol::layer::runner);
  tree.fit_faults();
}

void supervisor_state::pause_faults(bool x) {
  auto tell = [&](const fault_control_actor& fault) {
    if (fault)
      self->send(fault, atom::pause_v, x);
  };
  tree.for_each_fault(tell);
  tell(host.at.gate_control);
  tell(resolver.at.gate_control);
  tell(runner.at.gate_control);
}

} // namespace vpn::actors
