// Gives an actor its home: with an `io_loop` it runs there and nowhere else,
// without one it is an ordinary scheduled actor.
#pragma once

#include "vpn/actors/io_loop.hpp"

#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>

namespace vpn::actors {

/// `Base` is `interface::stateful_base<state>`. CAF's brokers do the same with
/// the middleman's multiplexer.
template <class Base>
class homed : public Base {
public:
  explicit homed(caf::actor_config& cfg, io_loop* home)
    : Base(cfg),
      home_(home) {}

  void enqueue(caf::mailbox_element_ptr what,
               caf::execution_unit* host) override {
    Base::enqueue(std::move(what), home_ != nullptr ? home_ : host);
  }
  void enqueue(caf::strong_actor_ptr from, caf::message_id id,
               caf::message content, caf::execution_unit* host) override {
    enqueue(
      caf::make_mailbox_element(std::move(from), id, {}, std::move(content)),
      host);
  }
  void launch(caf::execution_unit* host, bool lazy, bool hide) override {
    Base::launch(home_ != nullptr ? home_ : host, lazy, hide);
  }
  caf::resumable::subtype_t subtype() const override {
    return home_ != nullptr ? caf::resumable::io_actor : Base::subtype();
  }

protected:
  io_loop* home() const noexcept { return home_; }

private:
  io_loop* home_;
};

} // namespace vpn::actors
