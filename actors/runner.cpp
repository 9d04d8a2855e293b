#include "vpn/actors/runner.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/run_command.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace vpn::actors {

namespace {

struct runner_state {
  static inline const char* name = "runner";
  runner_state() = default;
};

runner_actor::behavior_type
runner(runner_actor::stateful_pointer<runner_state> self) {
  install_handlers(self);
  return {
    [](const run_request& x) {
      run_result result;
      auto status = run_command(x.words, x.environment,
                                std::chrono::seconds{x.limit_seconds});
      if (status)
        result.status = *status;
      else
        result.what = status.error();
      return result;
    },
  };
}

} // namespace

runner_actor spawn_runner(caf::actor_system& sys) {
  return sys.spawn<caf::detached>(runner);
}

} // namespace vpn::actors
