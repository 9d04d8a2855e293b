// Where an actor sits that can be replaced, the ways that lead there, and the
// fault actors before it and on the way.
// spec: design 6, 7
#pragma once

#include "vpn/actors/fault_actor.hpp"
#include "vpn/actors/seat.hpp"

#include <caf/send.hpp>

#include <string>
#include <vector>

namespace vpn::actors {

/// Where a layer sits.
template <class Interface>
struct place {
  /// The incarnation at work; null between two of them.
  Interface actor;
  /// A fault actor before it that can kill and stall it.
  Interface gate;
  fault_control_actor gate_control;
  std::string gate_spec;
  /// What stays the same over all incarnations: for SUPERVISOR and faults.
  seat<Interface> front;
  /// Behind the gate.
  seat<Interface> behind_gate;
  /// What this incarnation tells SUPERVISOR; the next one gets another, so that
  /// a replaced one is not heard any more.
  seat<supervisor_actor> facts;

  Interface entrance() const { return gate ? gate : actor; }
};

/// What one layer holds of another: this incarnation's way there.
template <class Interface>
struct link {
  seat<Interface> at;
  /// A fault actor on the way.
  Interface fault;
  fault_control_actor control;
  std::string spec;
};

enum class direction : uint8_t { up, down };

/// What fault actors need to begin.
struct fault_surroundings {
  caf::actor_system* sys = nullptr;
  const clock_source* clock = nullptr;
  /// Where the actor behind it lives; null for CAF's scheduler.
  io_loop* home = nullptr;
  /// The faults that are on; may be null.
  const std::vector<protocol::fault_spec>* list = nullptr;
};

// -- ends --

template <class... Sigs>
void end(caf::typed_actor<Sigs...>& hdl) {
  if (hdl)
    caf::anon_send_exit(hdl, caf::exit_reason::user_shutdown);
  hdl = nullptr;
}

template <class Interface>
void end(link<Interface>& x) {
  end(x.control);
  x.fault = nullptr;
  x.spec.clear();
  x.at.close();
}

/// The gate first: what it holds back is not to be sent on.
template <class Interface>
void end(place<Interface>& x) {
  end(x.gate_control);
  x.gate = nullptr;
  x.gate_spec.clear();
  end(x.actor);
  x.front.close();
  x.behind_gate.close();
  x.facts.close();
}

// -- ways --

template <class Interface, class Handle>
void put(seat<Interface>& x, const Handle& who) {
  if (!x)
    return;
  if (who)
    x.put(who);
  else
    x.vacate();
}

/// Whoever asks for the place reaches who is at work there now.
template <class Interface>
void settle(place<Interface>& x) {
  put(x.front, x.entrance());
  put(x.behind_gate, x.actor);
}

/// The way leads to the place, past the fault on it.
template <class Interface, class Layer>
void join(link<Interface>& x, const place<Layer>& to) {
  if (x.fault)
    put(x.at, x.fault);
  else
    put(x.at, to.entrance());
}

// -- faults --

/// The latest word about this layer's actor, or about its packets that go this
/// way; null when there is none.
const protocol::fault_spec* find_gate_fault(const fault_surroundings& around,
                                            protocol::layer at);
const protocol::fault_spec* find_fault(const fault_surroundings& around,
                                       protocol::layer at, direction way);

fault_config make_gate_config(const protocol::fault_spec& spec,
                              const fault_surroundings& around);
fault_config make_link_config(const protocol::fault_spec& spec,
                              const fault_surroundings& around, direction way);

/// Begins, changes or ends the gate before a layer as the list says. A gate is
/// before the layer for everybody, SUPERVISOR's heartbeat included.
template <class Interface>
void fit_gate(place<Interface>& x, protocol::layer at,
              const fault_surroundings& around) {
  const auto* wanted = find_gate_fault(around, at);
  auto text = wanted ? to_string(*wanted) : std::string{};
  // A gate that has nothing left to do goes.
  if (text == x.gate_spec && (wanted || !x.gate))
    return;
  x.gate_spec = text;
  if (!wanted) {
    // The layer goes on: what was kept from it is not to be lost.
    caf::anon_send(x.gate_control, atom::fault_v, atom::clear_v);
    x.gate_control = nullptr;
    x.gate = nullptr;
  } else if (x.gate) {
    caf::anon_send(x.gate_control, atom::fault_v, *wanted);
  } else {
    if (!x.behind_gate)
      x.behind_gate = seat<Interface>{*around.sys};
    auto gate = spawn_fault(*around.sys, make_gate_config(*wanted, around),
                            x.behind_gate.handle());
    x.gate = gate;
    x.gate_control = gate;
  }
}

/// The same for the packets of a link; `to` is who the packets are for.
template <class Interface>
void fit_link(link<Interface>& x, protocol::layer at, direction way,
              const fault_surroundings& around, const Interface& to) {
  const auto* wanted = find_fault(around, at, way);
  auto text = wanted ? to_string(*wanted) : std::string{};
  if (text == x.spec)
    return;
  x.spec = text;
  if (!wanted) {
    caf::anon_send(x.control, atom::fault_v, atom::clear_v);
    x.control = nullptr;
    x.fault = nullptr;
  } else if (x.fault) {
    caf::anon_send(x.control, atom::fault_v, *wanted);
  } else {
    auto fault
      = spawn_fault(*around.sys, make_link_config(*wanted, around, way), to);
    x.fault = fault;
    x.control = fault;
  }
}

} // namespace vpn::actors
