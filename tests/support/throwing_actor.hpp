// An actor that nobody can send to: the sender gets an exception on the spot,
// as if it had a bug there. Include it after CAF_SUITE is defined.
#pragma once

#include "tests/support/channel.hpp"

#include "caf/all.hpp"
#include "caf/test/unit_test.hpp"
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>

#include <stdexcept>

namespace vpn::test {

class throwing_actor final : public caf::monitorable_actor {
public:
  explicit throwing_actor(caf::actor_config& cfg)
    : caf::monitorable_actor(cfg) {}
  void enqueue(caf::mailbox_element_ptr, caf::execution_unit*) override {
    throw std::runtime_error{"nobody may send this"};
  }
  const char* name() const override { return "throwing"; }
};

template <class Handle>
Handle make_throwing(caf::actor_system& sys) {
  caf::actor_config cfg;
  return caf::actor_cast<Handle>(
    caf::make_actor<throwing_actor, caf::strong_actor_ptr>(
      sys.next_actor_id(), sys.node(), &sys, cfg));
}

/// `who`, which `self` monitors, ends by that exception.
inline void expect_exception(caf::scoped_actor& self,
                             const caf::actor_addr& who) {
  self->receive(
    [&](const caf::down_msg& x) {
      CAF_CHECK(x.source == who);
      CAF_CHECK(x.reason == caf::sec::runtime_error);
    },
    caf::after(long_enough) >>
      [] {
        CAF_FAIL("it lives on");
      });
}

} // namespace vpn::test
