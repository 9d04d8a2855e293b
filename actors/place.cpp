#include "place.hpp"

namespace vpn::actors {

using protocol::fault_spec;

namespace {

template <class Predicate>
const fault_spec* last_that(const fault_surroundings& around, Predicate f) {
  const fault_spec* result = nullptr;
  if (around.list != nullptr)
    for (const auto& x : *around.list)
      if (f(x))
        result = &x;
  return result;
}

} // namespace

const fault_spec* find_gate_fault(const fault_surroundings& around,
                                  protocol::layer at) {
  return last_that(around, [at](const fault_spec& x) {
    return x.at == at && !x.knobs.actor.empty();
  });
}

const fault_spec* find_fault(const fault_surroundings& around,
                             protocol::layer at, direction way) {
  return last_that(around, [at, way](const fault_spec& x) {
    return x.at == at && x.knobs.changes_packets()
           && (way == direction::up ? x.up : x.down);
  });
}

namespace {

fault_config make_config(const fault_spec& spec,
                         const fault_surroundings& around) {
  fault_config result;
  result.spec = spec;
  result.name = to_string(spec.at);
  result.clock = around.clock;
  result.home = around.home;
  return result;
}

} // namespace

fault_config make_gate_config(const fault_spec& spec,
                              const fault_surroundings& around) {
  auto result = make_config(spec, around);
  result.gate = true;
  return result;
}

fault_config make_link_config(const fault_spec& spec,
                              const fault_surroundings& around, direction way) {
  auto result = make_config(spec, around);
  result.goes_up = way == direction::up;
  result.name += result.goes_up ? ".up" : ".down";
  return result;
}

} // namespace vpn::actors
