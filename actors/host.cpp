// HOST: the device, and what hangs on it. Detached, since netlink and D-Bus
// block.
#include "vpn/actors/host.hpp"

#include "vpn/actors/handlers.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

#include "tun_device.hpp"
#include <net/if.h>

namespace vpn::actors {

namespace {

using protocol::tunnel_config;

class tunnel_host {
public:
  explicit tunnel_host(const host_config& cfg)
    : network_(cfg.log, cfg.journal),
      names_(cfg.dns, cfg.log),
      kept_(cfg.kept) {}

  tunnel_device apply(const tunnel_config& cfg);
  routes_result add_routes();
  layer_status undo();

private:
  failure open(const tunnel_config& cfg);

  host_network network_;
  host_dns names_;
  tunnel_config wanted_;
  /// Stays open until `undo`, so that another tunnel may take it over.
  tunnel_device device_;
  std::shared_ptr<kept_tun> kept_;
};

/// Keeps a device that will do, else opens one.
failure tunnel_host::open(const tunnel_config& cfg) {
  if (device_.fd && cfg.device == wanted_.device)
    return {reason::none, {}};
  undo();
  if (kept_ && kept_->device.fd && kept_->wanted == cfg.device) {
    device_ = kept_->device;
    return {reason::none, {}};
  }
  auto opened = open_tun({cfg.device, true, kept_ ? &kept_->file : nullptr});
  if (!opened)
    return opened.error();
  device_.name = opened->name;
  device_.vnet_header = opened->vnet_hdr;
  device_.tso = opened->tso;
  device_.uso = opened->uso;
  device_.fd = std::make_shared<const unique_fd>(std::move(opened->fd));
  if (kept_) {
    kept_->wanted = cfg.device;
    kept_->device = device_;
  }
  return {reason::none, {}};
}

tunnel_device tunnel_host::apply(const tunnel_config& cfg) {
  tunnel_device result;
  if (cfg.device == "null") {
    undo();
    return result;
  }
  auto failed = open(cfg);
  if (failed.why == reason::none) {
    wanted_ = cfg;
    auto warnings = network_.apply(cfg, device_.name);
    if (warnings) {
      result = device_;
      result.warnings = std::move(*warnings);
      result.net_gateway4 = network_.former_gateway(family::v4);
      result.net_gateway6 = network_.former_gateway(family::v6);
      return result;
    }
    failed = warnings.error();
  }
  undo();
  result.what = std::move(failed);
  return result;
}

routes_result tunnel_host::add_routes() {
  routes_result result;
  if (!device_.fd)
    return result;
  auto warnings = network_.add_routes();
  if (!warnings) {
    undo();
    result.what = warnings.error();
    return result;
  }
  result.warnings = std::move(*warnings);
  names_.undo();
  if (wanted_.dns_noexec || wanted_.dns.empty())
    return result;
  // A tunnel without its names is better than none.
  auto named = names_.apply(wanted_.dns, device_.name,
                            if_nametoindex(device_.name.c_str()));
  if (!named)
    result.warnings.push_back("DNS is not set: " + named.error().text);
  else
    result.warnings.insert(result.warnings.end(), named->begin(), named->end());
  return result;
}

layer_status tunnel_host::undo() {
  names_.undo();
  network_.undo();
  device_ = {};
  return {
    "host", "changes left " + std::to_string(network_.journal().size()), {}};
}

struct host_state {
  static inline const char* name = "host";
  host_state() = default;
  std::unique_ptr<tunnel_host> tunnel;
};

host_actor::behavior_type host(host_actor::stateful_pointer<host_state> self,
                               const host_config& cfg) {
  install_handlers(self);
  auto& st = self->state;
  st.tunnel = std::make_unique<tunnel_host>(cfg);
  return {
    [&st](atom::apply, const tunnel_config& x) {
      return st.tunnel->apply(x);
    },
    [&st](atom::route) {
      return st.tunnel->add_routes();
    },
    [&st](atom::undo) {
      return st.tunnel->undo();
    },
  };
}

} // namespace

host_actor spawn_host(caf::actor_system& sys, host_config cfg) {
  return sys.spawn<caf::detached>(host, std::move(cfg));
}

} // namespace vpn::actors
