// A stable handle for whoever stands at one end of a link between layers. The
// neighbour holds the seat; SUPERVISOR decides who sits in it: the layer's
// present incarnation, or a fault actor before it.
// spec: design 6
#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/typed_actor.hpp>

#include <deque>
#include <mutex>

namespace vpn::actors {

/// Passes every message on, at once, on the sender's thread: no mailbox, no
/// turn of its own. Exits and requests go to who sits there as well, and the
/// answer comes from there. A message sent to a closed seat goes nowhere: so a
/// layer that was replaced and wakes up later talks to nobody. Thread-safe.
/// Not to be monitored in place of who sits there: it outlives them.
class seat_actor final : public caf::monitorable_actor {
public:
  /// Messages that wait for the next one to sit down. Packets do not wait, nor
  /// does an exit; what is too much is dropped, and answered if it is a
  /// request.
  static constexpr size_t max_waiting = 64;

  explicit seat_actor(caf::actor_config& cfg);
  void enqueue(caf::mailbox_element_ptr what,
               caf::execution_unit* host) override;
  const char* name() const override;

  /// Seats `who`, and hands over what has waited, in order, before anything
  /// that comes later. One thread at a time decides who sits here.
  void seat(caf::strong_actor_ptr who);
  /// Nobody sits here for the moment: messages wait.
  void vacate();
  /// From now on messages that pass come from this seat, so that who hears them
  /// can tell a closed seat's last words from news. Before anybody has the
  /// handle.
  void sign() noexcept { signs_ = true; }
  /// For good: what waits and what comes is dropped, requests are answered
  /// with an error.
  void close();

private:
  static bool may_wait(const caf::mailbox_element& x);
  static void bounce(const caf::mailbox_element& x);

  std::mutex mutex_;
  caf::strong_actor_ptr who_;
  bool closed_ = false;
  bool signs_ = false;
  std::deque<caf::mailbox_element_ptr> waiting_;
};

/// A seat for `Interface`. Movable; closed with its owner.
template <class Interface>
class seat {
public:
  seat() = default;
  explicit seat(caf::actor_system& sys) {
    caf::actor_config cfg;
    // Not registered as running: a seat has no life of its own.
    ptr_ = caf::make_actor<seat_actor, caf::strong_actor_ptr>(
      sys.next_actor_id(), sys.node(), &sys, cfg);
  }
  seat(seat&& x) noexcept : ptr_(std::move(x.ptr_)) { x.ptr_ = nullptr; }
  seat& operator=(seat&& x) noexcept {
    std::swap(ptr_, x.ptr_);
    return *this;
  }
  ~seat() { close(); }

  /// What neighbours hold.
  Interface handle() const { return caf::actor_cast<Interface>(ptr_); }
  /// Any handle that can do what `Interface` can.
  void put(const Interface& who) {
    get()->seat(caf::actor_cast<caf::strong_actor_ptr>(who));
  }
  void vacate() { get()->vacate(); }
  void sign() { get()->sign(); }
  bool is(const caf::strong_actor_ptr& x) const noexcept {
    return ptr_ != nullptr && x == ptr_;
  }
  void close() {
    if (ptr_)
      get()->close();
    ptr_ = nullptr;
  }
  explicit operator bool() const noexcept { return ptr_ != nullptr; }

private:
  seat_actor* get() const {
    return static_cast<seat_actor*>(
      caf::actor_cast<caf::abstract_actor*>(ptr_));
  }
  caf::strong_actor_ptr ptr_;
};

} // namespace vpn::actors
