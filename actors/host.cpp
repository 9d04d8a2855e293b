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
  /// The caller has the journal's turn.
  explicit tunnel_host(const host_config& cfg)
    : journal_(cfg.journal),
      network_(cfg.log, journal_),
      names_(cfg.dns, cfg.log, journal_),
      kept_(cfg.kept) {}

  tunnel_device apply(const tunnel_config& cfg);
  routes_result add_routes();
  routes_result exempt(const endpoint& server);
  layer_status undo();
  void undo_in_turn();

private:
  failure open(const tunnel_config& cfg);
  tunnel_device apply_in_turn(const tunnel_config& cfg);
  /// The device stays open until `undo`, so that another tunnel may take it
  /// over, and another HOST.
  standing_tunnel& standing() { return journal_->standing(); }

  std::shared_ptr<host_journal> journal_;
  host_network network_;
  host_dns names_;
  std::shared_ptr<kept_tun> kept_;
};

/// Keeps a device that will do, else opens one.
failure tunnel_host::open(const tunnel_config& cfg) {
  auto& device = standing().device;
  if (device.fd && cfg.device == standing().wanted.device)
    return {reason::none, {}};
  undo_in_turn();
  if (kept_ && kept_->device.fd && kept_->wanted == cfg.device) {
    device = kept_->device;
    return {reason::none, {}};
  }
  auto opened = open_tun({cfg.device, true, kept_ ? &kept_->file : nullptr});
  if (!opened)
    return opened.error();
  device.name = opened->name;
  device.vnet_header = opened->vnet_hdr;
  device.tso = opened->tso;
  device.uso = opened->uso;
  device.fd = std::make_shared<const unique_fd>(std::move(opened->fd));
  if (kept_) {
    kept_->wanted = cfg.device;
    kept_->device = device;
  }
  return {reason::none, {}};
}

tunnel_device tunnel_host::apply(const tunnel_config& cfg) {
  auto turn = journal_->turn();
  return apply_in_turn(cfg);
}

tunnel_device tunnel_host::apply_in_turn(const tunnel_config& cfg) {
  tunnel_device result;
  if (cfg.device == "null") {
    undo_in_turn();
    return result;
  }
  auto failed = open(cfg);
  if (failed.why == reason::none) {
    standing().wanted = cfg;
    auto warnings = network_.apply(cfg, standing().device.name);
    if (warnings) {
      result = standing().device;
      result.warnings = std::move(*warnings);
      result.net_gateway4 = network_.former_gateway(family::v4);
      result.net_gateway6 = network_.former_gateway(family::v6);
      return result;
    }
    failed = warnings.error();
  }
  undo_in_turn();
  result.what = std::move(failed);
  return result;
}

routes_result tunnel_host::add_routes() {
  auto turn = journal_->turn();
  routes_result result;
  if (!standing().device.fd)
    return result;
  // Whoever asks may not know that HOST is another one since the first step.
  if (!network_.applied()) {
    auto again = apply_in_turn(tunnel_config{standing().wanted});
    result.what = std::move(again.what);
    if (result.what.why != reason::none)
      return result;
  }
  auto warnings = network_.add_routes();
  if (!warnings) {
    undo_in_turn();
    result.what = warnings.error();
    return result;
  }
  result.warnings = std::move(*warnings);
  const auto& wanted = standing().wanted;
  const auto& device = standing().device.name;
  if (wanted.dns_noexec || wanted.dns.empty()) {
    names_.undo();
    return result;
  }
  // A tunnel without its names is better than none.
  auto named = names_.apply(wanted.dns, device, if_nametoindex(device.c_str()));
  if (!named)
    result.warnings.push_back("DNS is not set: " + named.error().text);
  else
    result.warnings.insert(result.warnings.end(), named->begin(), named->end());
  return result;
}

/// Nothing of the tunnel itself is touched: it may be another HOST's work.
routes_result tunnel_host::exempt(const endpoint& server) {
  auto turn = journal_->turn();
  routes_result result;
  const auto& now = standing();
  if (now.device.fd && server.address.defined())
    result.warnings
      = network_.exempt(now.wanted, now.device.name, server.address);
  return result;
}

layer_status tunnel_host::undo() {
  auto turn = journal_->turn();
  undo_in_turn();
  return {
    "host", "changes left " + std::to_string(network_.journal().size()), {}};
}

void tunnel_host::undo_in_turn() {
  names_.undo();
  network_.undo();
  standing() = {};
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
  {
    // One that was given up may still be at work, and what it does counts.
    auto turn = cfg.journal->turn();
    st.tunnel = std::make_unique<tunnel_host>(cfg);
  }
  self->set_exit_handler([self](caf::exit_msg& x) {
    if (!x.reason || x.reason == caf::exit_reason::user_shutdown)
      self->state.tunnel->undo();
    self->quit(std::move(x.reason));
  });
  return {
    [&st](atom::apply, const tunnel_config& x) {
      return st.tunnel->apply(x);
    },
    [&st](atom::route) {
      return st.tunnel->add_routes();
    },
    [&st](atom::exempt, const endpoint& x) {
      return st.tunnel->exempt(x);
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

bool undo_without_host(const host_config& cfg) {
  if (cfg.journal->empty())
    return true;
  auto turn = cfg.journal->turn();
  tunnel_host{cfg}.undo_in_turn();
  return cfg.journal->empty();
}

} // namespace vpn::actors
