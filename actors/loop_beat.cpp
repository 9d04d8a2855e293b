#include "vpn/actors/loop_beat.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace vpn::actors {

namespace {

struct loop_beat_state {
  static inline const char* name = "loop_beat";
  loop_beat_state() = default;
};

class loop_beat final
  : public homed<loop_beat_actor::stateful_base<loop_beat_state>> {
public:
  loop_beat(caf::actor_config& cfg, io_loop* home) : homed(cfg, home) {}

  behavior_type make_behavior() override {
    install_handlers(this);
    return {
      [this](atom::beat) {
        return home()->rounds();
      },
    };
  }
};

} // namespace

loop_beat_actor spawn_loop_beat(caf::actor_system& sys, io_loop& home) {
  return sys.spawn<loop_beat>(&home);
}

} // namespace vpn::actors
