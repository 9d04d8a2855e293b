// What stands around the layers of one client session, as dummies: NETWORK,
// TUN, HOST, RESOLVER, RUNNER and the listener. Include it last.
#pragma once

#include "vpn/actors/supervisor.hpp"

#include "tests/support/dummies.hpp"
#include "tests/support/layer_fixture.hpp"
#include "tests/support/seeded.hpp"

namespace vpn::test {

/// What the NETWORKs of a session were told.
struct outer_record {
  std::vector<actors::network_config> networks;
  size_t started = 0;
  std::vector<bytes> datagrams;
  std::vector<protocol::configure_socket> sockets;
  /// Shutdowns asked of NETWORK, and whether it answers them.
  size_t shutdowns = 0;
  bool answers = true;
  /// The newest NETWORK and who observes it.
  actors::network_actor network;
  actors::transport_observer_actor observer;
  actors::batch_up_actor above;
};

inline actors::network_actor::behavior_type
network_dummy(actors::network_actor::pointer self, outer_record* record) {
  return {
    [=](atom::attach, const actors::batch_up_actor& above) {
      record->above = above;
    },
    [=](atom::start) {
      ++record->started;
    },
    [=](const protocol::configure_socket& x) {
      record->sockets.push_back(x);
    },
    [](atom::timeout) {},
    [](atom::down, const actors::batch_ptr&) {},
    [=](actors::control_datagram& x) {
      record->datagrams.push_back(std::move(x.data));
    },
    [=](atom::shutdown) -> caf::result<actors::layer_status> {
      ++record->shutdowns;
      if (!record->answers)
        return self->make_response_promise<actors::layer_status>();
      return actors::layer_status{"network", "dummy", {}};
    },
    [=](atom::status) -> caf::result<actors::layer_status> {
      if (!record->answers)
        return self->make_response_promise<actors::layer_status>();
      return actors::layer_status{"network", "dummy", {}};
    },
  };
}

struct session_fixture : layer_fixture {
  session_record saw;
  outer_record outer;
  std::shared_ptr<actors::supervisor_config> cfg
    = std::make_shared<actors::supervisor_config>();

  session_fixture() {
    auto pool = [](size_t n) {
      return caf::make_counted<actors::batch_pool>(
        actors::pool_config{n, 1 << 16, 64});
    };
    cfg->clock = &clock;
    cfg->pools = {pool(4), pool(4), pool(8)};
    cfg->random = seeded{1}.source();
    cfg->tls = make_tls(client_tls_config());
    cfg->session.self = protocol::role::client;
    protocol::remote_entry remote;
    remote.host = "vpn.test";
    cfg->plan.remotes = {remote};
    saw.resolved.endpoints = {server(1)};
    cfg->listener = own(sys.spawn(listener_dummy, &saw));
    auto& parts = cfg->parts;
    parts.spawn_network = [this](const actors::network_config& net,
                                 actors::transport_observer_actor observer) {
      outer.networks.push_back(net);
      outer.observer = std::move(observer);
      outer.network = sys.spawn(network_dummy, &outer);
      return outer.network;
    };
    parts.spawn_tun
      = [this](actors::batch_down_actor, actors::device_observer_actor) {
          return actors::tun_actor{
            sys.spawn(tun_dummy, &saw, actors::batch_down_actor{})};
        };
    parts.spawn_host = [this] {
      return actors::host_actor{sys.spawn(host_dummy, &saw)};
    };
    parts.spawn_resolver = [this] {
      return actors::resolver_actor{sys.spawn(resolver_dummy, &saw)};
    };
    parts.spawn_prompter = [this] {
      return actors::prompter_actor{sys.spawn(prompter_dummy, &saw)};
    };
    parts.spawn_runner = [this] {
      return actors::runner_actor{sys.spawn(runner_dummy, &saw)};
    };
  }

  ~session_fixture() override {
    // These hold each other; what is held outlives nobody.
    outer.network = nullptr;
    outer.observer = nullptr;
    outer.above = nullptr;
    saw.below_tun = nullptr;
  }

  static endpoint server(uint8_t n) {
    return {*parse_ip("192.0.2." + std::to_string(n)), 1194, 0};
  }
};

} // namespace vpn::test
