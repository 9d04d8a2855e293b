// The actors that touch the operating system, for sessions of this machine.
#include "vpn/actors/resolver.hpp"
#include "vpn/actors/runner.hpp"
#include "vpn/actors/supervisor.hpp"
#include "vpn/actors/tun.hpp"

namespace vpn::actors {

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
  result.spawn_loop_beat = [&sys, &loop] {
    return spawn_loop_beat(sys, loop);
  };
  result.spawn_host_watch = [&sys, &loop](host_observer_actor observer) {
    return spawn_host_watch(sys, loop, {}, std::move(observer));
  };
  return result;
}

} // namespace vpn::actors
