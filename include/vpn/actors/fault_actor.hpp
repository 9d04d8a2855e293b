// Fault actors: each wears the interface of what it stands before, and drops,
// doubles, delays, reorders, corrupts or replays the packets that pass; or
// kills and stalls the actor behind it. `protocol::fault_model` decides.
//
//   auto before = spawn_fault(sys, cfg, muxer); // a muxer_actor like the other
//
// Use the answer wherever the actor behind it was used.
// spec: design 7
#pragma once

#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/protocol/fault_model.hpp"

#include <caf/actor_cast.hpp>

#include <atomic>

namespace vpn::actors {

class io_loop;

/// The other face of each fault actor: steers it while it runs.
using fault_control_actor = caf::typed_actor<
  // Works by this specification from now on. What is held back keeps its time;
  // a stall ends.
  caf::reacts_to<atom::fault, protocol::fault_spec>,
  // Lets everything pass, or works again. What would have happened to the actor
  // meanwhile does not happen; a stall ends.
  caf::reacts_to<atom::pause, bool>,
  // Passes on at once what it holds back, in the order in which it would have
  // gone, lets everything pass from then on, and soon ends by itself.
  caf::reacts_to<atom::fault, atom::clear>,
  // What it does, and what it has done.
  caf::replies_to<atom::fault, atom::status>::with<layer_status>,
  // INTERNAL: a packet held back, or the time of a kill or stall, is due.
  caf::reacts_to<atom::fault, atom::timeout>>;

struct fault_config {
  protocol::fault_spec spec;
  /// "network.up": what the status calls it.
  std::string name;
  /// False: `spec` means packets, and what it says about the actor is not for
  /// this one. True: the other way round: the actor behind is killed, and
  /// messages to it stall, all of them.
  bool gate = false;
  /// Which way control packets, control messages and TLS bytes go; batches and
  /// control datagrams say so themselves. What goes where `spec.up` or
  /// `spec.down` does not mean it passes.
  bool goes_up = true;
  /// Its times are those of CAF's clock, or timers come at the wrong time.
  const clock_source* clock = nullptr;
  /// The home of the actor behind it; null for CAF's scheduler.
  io_loop* home = nullptr;
};

/// Spawns a fault actor before `target`, an actor or a seat.
///
/// Packets are single datagrams, whatever batch they come in; in batches of
/// DATA CHANNEL and TUN (by `spec.at`) IP packets, which are data all of them.
/// A super-packet of TUN is one packet, and a packet whose checksum is not
/// filled in yet never changes: the checksum would cover the change. Of control
/// packets and messages only the payload changes.
///
/// It holds at most 4,096 messages or 4 MiB, and while it stalls 4 batches;
/// more are dropped and counted. It watches nobody, since a seat outlives who
/// sits there: it ends when it is told to. By an exit, what it holds is
/// dropped; by `(atom::fault, atom::clear)`, it is passed on, and the fault
/// stays for a moment, for those who do not know the way without it yet. The
/// order of one sender's messages holds on one way: what somebody sends past it
/// at that moment may come before what it was passing on.
/// Everything it does not know goes through: its `atom::status` is the
/// target's.
template <class Interface>
typename Interface::template extend_with<fault_control_actor>
spawn_fault(caf::actor_system& sys, fault_config cfg, const Interface& target);

/// The same for any actor: what the answer gets, `target` gets.
caf::strong_actor_ptr spawn_untyped_fault(caf::actor_system& sys,
                                          fault_config cfg,
                                          caf::strong_actor_ptr target);

template <class Interface>
typename Interface::template extend_with<fault_control_actor>
spawn_fault(caf::actor_system& sys, fault_config cfg, const Interface& target) {
  using result = typename Interface::template extend_with<fault_control_actor>;
  return caf::actor_cast<result>(spawn_untyped_fault(
    sys, std::move(cfg), caf::actor_cast<caf::strong_actor_ptr>(target)));
}

/// A clock whose date is wrong by an offset. `steady` is right: timers run on
/// CAF's clock, and one that is armed for a time of another would spin or come
/// late. Outlives every actor that holds it.
class skewed_clock final : public clock_source {
public:
  explicit skewed_clock(const clock_source& real) : real_(real) {}
  void skew(duration by) noexcept { by_ = by.count(); }
  instant now() const override;

private:
  const clock_source& real_;
  std::atomic<duration::rep> by_{0};
};

} // namespace vpn::actors
