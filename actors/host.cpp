#include "vpn/actors/host.hpp"

#include "vpn/actors/handlers.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

#include "tun_device.hpp"

namespace vpn::actors {

namespace {

struct host_state {
  static inline const char* name = "host";
  host_state() = default;
  std::unique_ptr<host_network> network;
};

tunnel_device apply(host_network& network, const protocol::tunnel_config& cfg) {
  tunnel_device result;
  if (cfg.device == "null")
    return result;
  auto opened = open_tun({cfg.device, true});
  if (!opened) {
    result.what = opened.error();
    return result;
  }
  auto warnings = network.apply(cfg, opened->name);
  if (!warnings) {
    result.what = warnings.error();
    return result;
  }
  result.warnings = std::move(*warnings);
  result.name = opened->name;
  result.vnet_header = opened->vnet_hdr;
  result.tso = opened->tso;
  result.uso = opened->uso;
  result.fd = std::make_shared<const unique_fd>(std::move(opened->fd));
  return result;
}

host_actor::behavior_type host(host_actor::stateful_pointer<host_state> self,
                               change_log log) {
  install_handlers(self);
  auto& st = self->state;
  st.network = std::make_unique<host_network>(std::move(log));
  return {
    [&st](atom::apply, const protocol::tunnel_config& cfg) {
      return apply(*st.network, cfg);
    },
    [&st](atom::undo) {
      st.network->undo();
      return layer_status{host_state::name,
                          "changes left "
                            + std::to_string(st.network->journal().size())};
    },
  };
}

} // namespace

host_actor spawn_host(caf::actor_system& sys, change_log log) {
  return sys.spawn<caf::detached>(host, std::move(log));
}

} // namespace vpn::actors
