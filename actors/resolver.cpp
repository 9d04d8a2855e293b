#include "vpn/actors/resolver.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/name_lookup.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace vpn::actors {

namespace {

struct resolver_state {
  static inline const char* name = "resolver";
  resolver_state() = default;
};

resolver_actor::behavior_type
resolver(resolver_actor::stateful_pointer<resolver_state> self) {
  install_handlers(self);
  return {
    [](const resolve_request& x) {
      resolve_result result;
      auto found = look_up(x.host, x.port, x.kind, x.tcp);
      if (found)
        result.endpoints = std::move(*found);
      else
        result.what = found.error();
      return result;
    },
  };
}

} // namespace

resolver_actor spawn_resolver(caf::actor_system& sys) {
  return sys.spawn<caf::detached>(resolver);
}

} // namespace vpn::actors
