#include "vpn/actors/network.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "transport.hpp"
#include <sys/epoll.h>

namespace vpn::actors {

namespace {

using outcome = transport::outcome;

struct network_state {
  static inline const char* name = "network";
  network_state() = default;
  network_config cfg;
  pool_ptr received;
  /// Used when all batches are out: control must pass.
  pool_ptr reserve;
  transport_observer_actor observer;
  batch_up_actor above;
  std::unique_ptr<transport> socket;
  std::unique_ptr<io_loop::watch> watch;
  std::unique_ptr<io_loop::hook> at_end_of_round;
  bool connecting = false;
  bool blocked = false;
};

class network final
  : public homed<network_actor::stateful_base<network_state>> {
public:
  network(caf::actor_config& cfg, io_loop* home, pool_ptr received,
          network_config net, transport_observer_actor observer)
    : homed(cfg, home) {
    state.cfg = std::move(net);
    state.received = std::move(received);
    // A description for each of the smallest packets that fit.
    state.reserve = caf::make_counted<batch_pool>(pool_config{1, 65536, 4096});
    state.observer = std::move(observer);
  }

  behavior_type make_behavior() override {
    install_handlers(this);
    return {
      [this](atom::attach, const batch_up_actor& above) {
        state.above = above;
      },
      [this](atom::start) {
        open();
      },
      [this](atom::timeout) {
        if (state.connecting)
          fail({reason::no_answer, "connecting to "
                                     + to_string(state.cfg.remote)
                                     + " took too long"});
      },
      // path: outbound 4/4
      [this](atom::down, batch_ptr& batch) {
        if (state.watch) // a dead socket keeps nobody's batches
          state.socket->queue(std::move(batch));
      },
      [this](control_datagram& x) {
        if (state.watch)
          state.socket->queue(std::move(x.data));
      },
      [this](atom::shutdown) {
        flush();
        return status();
      },
      [this](atom::status) {
        return status();
      },
    };
  }

private:
  void open() {
    if (state.socket)
      return;
    state.socket = state.cfg.tcp ? make_tcp_transport(state.cfg)
                                 : make_udp_transport(state.cfg);
    auto how = state.socket->open();
    if (how == outcome::dead) {
      fail(state.socket->error());
      return;
    }
    state.watch
      = home()->watch_fd(state.socket->fd(), EPOLLIN, [this](uint32_t events) {
          handle(events);
        });
    state.at_end_of_round = home()->at_end_of_round(flush_stage::edges, [this] {
      flush();
    });
    if (how == outcome::blocked) {
      state.connecting = true;
      state.watch->set_events(EPOLLOUT);
      delayed_send(network_actor{this}, state.cfg.connect_timeout,
                   atom::timeout_v);
    } else {
      connected();
    }
  }

  void connected() {
    state.connecting = false;
    state.watch->set_events(EPOLLIN);
    send(state.observer, transport_up{state.socket->local(), state.cfg.remote});
  }

  void handle(uint32_t events) {
    if (!state.watch)
      return;
    if (state.connecting) {
      switch (state.socket->handle_connect()) {
        case outcome::done:
          connected();
          break;
        case outcome::dead:
          fail(state.socket->error());
          break;
        default:
          break;
      }
      return;
    }
    if (events & EPOLLOUT)
      state.blocked = false; // the end of this round writes
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
      receive();
  }

  // path: inbound 1/4
  void receive() {
    auto batch = state.received->get();
    auto how = outcome::done;
    if (batch) {
      how = state.socket->receive(*batch);
    } else if ((batch = state.reserve->get())) {
      how = state.socket->receive_control_only(*batch);
    } else {
      return; // even the reserve is out: the kernel's buffer holds the rest
    }
    if (batch->count > 0 && state.above)
      send(state.above, atom::up_v, std::move(batch));
    if (how == outcome::dead)
      fail(state.socket->error());
  }

  void flush() {
    if (!state.watch || state.connecting || state.blocked)
      return;
    switch (state.socket->flush()) {
      case outcome::blocked:
        state.blocked = true;
        state.watch->set_events(EPOLLIN | EPOLLOUT);
        break;
      case outcome::dead:
        fail(state.socket->error());
        break;
      default:
        state.watch->set_events(EPOLLIN);
        break;
    }
  }

  void fail(failure what) {
    state.connecting = false;
    state.watch.reset();
    send(state.observer, layer_failed{network_state::name, std::move(what)});
  }

  layer_status status() const {
    return {network_state::name,
            state.socket ? state.socket->statistics() : "closed"};
  }
};

} // namespace

network_actor spawn_network(caf::actor_system& sys, io_loop* home,
                            pool_ptr received, network_config cfg,
                            transport_observer_actor observer) {
  return sys.spawn<network>(home, std::move(received), std::move(cfg),
                            std::move(observer));
}

} // namespace vpn::actors
