#include "session_tree.hpp"

#include "vpn/actors/control.hpp"
#include "vpn/actors/data_channel.hpp"
#include "vpn/actors/host.hpp"
#include "vpn/actors/reliable.hpp"
#include "vpn/actors/resolver.hpp"
#include "vpn/actors/runner.hpp"
#include "vpn/actors/tls.hpp"
#include "vpn/actors/tun.hpp"

#include <caf/send.hpp>

namespace vpn::actors {

namespace {

template <class Handle>
void end(Handle& hdl) {
  if (hdl)
    caf::anon_send_exit(hdl, caf::exit_reason::user_shutdown);
  hdl = nullptr;
}

} // namespace

void session_tree::for_each(
  const std::function<void(const layer_actor&)>& f) const {
  for (const auto& kvp : negotiations) {
    f(kvp.second.tls);
    f(kvp.second.control);
    f(kvp.second.reliable);
  }
  if (data)
    f(data);
  if (tun)
    f(tun);
  if (muxer)
    f(muxer);
  if (network)
    f(network);
}

void session_tree::kill() {
  for (auto& kvp : negotiations) {
    end(kvp.second.tls);
    end(kvp.second.control);
    end(kvp.second.reliable);
  }
  negotiations.clear();
  end(tun);
  end(data);
  end(muxer);
  end(network);
}

session_tree spawn_tree(caf::actor_system& sys, const supervisor_config& cfg,
                        const protocol::connection_settings& settings,
                        const network_config& network,
                        const supervisor_actor& supervisor) {
  session_tree tree;
  tree.network = cfg.parts.spawn_network(network, supervisor);
  auto args = std::make_shared<muxer_arguments>();
  args->mux.self = cfg.session.self;
  args->mux.wrap = settings.wrap;
  args->mux.max_packet_size = settings.max_packet_size;
  args->mux.ip_overhead = network.remote.address.kind == family::v6 ? 48 : 28;
  args->random = cfg.random;
  tree.muxer
    = spawn_muxer(sys, cfg.loop, args, cfg.clock, tree.network, supervisor);
  tree.v3 = settings.wrap.mode == protocol::wrap_mode::tls_crypt_v2;
  tree.data = spawn_data_channel(sys, cfg.loop, cfg.pools.sealed, cfg.clock,
                                 tree.muxer, supervisor, cfg.random);
  tree.tun = cfg.parts.spawn_tun(tree.data, supervisor);
  // The way up. Handles form a ring; `kill` breaks it.
  caf::anon_send(tree.data, atom::attach_v, batch_up_actor{tree.tun});
  caf::anon_send(tree.muxer, atom::attach_v, data_upper_actor{tree.data});
  caf::anon_send(tree.network, atom::attach_v, batch_up_actor{tree.muxer});
  return tree;
}

void add_negotiation(caf::actor_system& sys, session_tree& tree,
                     const supervisor_config& cfg,
                     const protocol::session_config& session,
                     const protocol::open_negotiation& what,
                     const supervisor_actor& supervisor) {
  negotiation_layers layers;
  auto link = cfg.reliable;
  link.key_id = what.key_id;
  layers.reliable = sys.spawn(reliable, link, cfg.clock, tree.muxer);
  layers.control
    = sys.spawn(control, what.key_id, what.how, tree.v3 && what.key_id == 0,
                layers.reliable, supervisor);
  auto args = std::make_shared<tls_arguments>();
  args->negotiation.self = session.self;
  args->negotiation.key_id = what.key_id;
  args->negotiation.tls = cfg.tls;
  args->negotiation.options = session.options;
  args->negotiation.username = session.username;
  args->negotiation.password = session.password;
  args->negotiation.peer_info = session.peer_info;
  args->negotiation.hand_window = session.hand_window;
  args->negotiation.confirm_peer = session.asks_about_peer;
  args->random = cfg.random;
  layers.tls = sys.spawn(tls, args, cfg.clock, layers.control, tree.data,
                         tree.muxer, supervisor);
  // Top-down, so that nobody hears a packet before it knows where to pass it.
  caf::anon_send(layers.control, atom::attach_v, control_top_actor{layers.tls});
  caf::anon_send(layers.reliable, atom::attach_v,
                 control_upper_actor{layers.control});
  caf::anon_send(tree.muxer, atom::attach_v, what.key_id,
                 control_sink_actor{layers.reliable},
                 payload_limit_actor{layers.control});
  caf::anon_send(layers.control, atom::start_v);
  tree.negotiations[what.key_id] = std::move(layers);
}

void remove_negotiation(session_tree& tree, uint8_t key_id) {
  auto i = tree.negotiations.find(key_id);
  if (i == tree.negotiations.end())
    return;
  caf::anon_send(tree.muxer, atom::detach_v, key_id);
  end(i->second.tls);
  end(i->second.control);
  end(i->second.reliable);
  tree.negotiations.erase(i);
}

outer_parts system_parts(caf::actor_system& sys, io_loop& loop,
                         data_pools pools, host_config host) {
  outer_parts result;
  result.spawn_network = [&sys, &loop, pools](const network_config& cfg,
                                              transport_observer_actor hdl) {
    return spawn_network(sys, &loop, pools.received, cfg, std::move(hdl));
  };
  result.spawn_tun = [&sys, &loop, pools](batch_down_actor below,
                                          device_observer_actor observer) {
    return spawn_tun(sys, &loop, pools, std::move(below), std::move(observer));
  };
  result.spawn_host = [&sys, host] {
    return spawn_host(sys, host);
  };
  result.spawn_resolver = [&sys] {
    return spawn_resolver(sys);
  };
  result.spawn_runner = [&sys] {
    return spawn_runner(sys);
  };
  return result;
}

} // namespace vpn::actors
