#include "vpn/actors/network.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "socket_options.hpp"
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
  /// Behind `socket`, so that it ends first: a duplicate keeps the open file
  /// alive, and the loop would go on to hear of a descriptor that is closed.
  std::unique_ptr<io_loop::watch> watch;
  /// The descriptor of `watch`.
  int watched = -1;
  std::unique_ptr<io_loop::watch> lifeline;
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
      [this](const protocol::configure_socket& x) {
        if (!state.watch || state.connecting)
          return;
        if (x.remote)
          state.socket->set_remote(*x.remote);
        apply(x, state.watched, state.cfg.tcp);
      },
      [this](atom::timeout) {
        if (state.connecting)
          fail({reason::no_answer, what_takes_long() + " took too long"});
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
    state.socket = make_transport(state.cfg);
    // Not ours to keep: a socket that is no use must not hold its port.
    state.cfg.kept = nullptr;
    state.at_end_of_round = home()->at_end_of_round(
      flush_stage::edges,
      [this] {
        flush();
      },
      address());
    if (connect())
      delayed_send(network_actor{this}, state.cfg.connect_timeout,
                   atom::timeout_v);
  }

  /// True when it takes a while.
  bool connect() {
    switch (state.socket->open()) {
      case outcome::dead:
        fail(state.socket->error());
        return false;
      case outcome::done:
        connected();
        return false;
      default:
        state.connecting = true;
        watch();
        state.watch->set_events(state.socket->connect_events());
        return true;
    }
  }

  std::string what_takes_long() const {
    auto peer = state.socket->peer();
    // Whether the proxy or the server is silent cannot be told.
    if (state.cfg.proxy && state.cfg.proxy->kind != protocol::proxy_kind::none)
      return "connecting through " + peer;
    return "connecting to " + peer;
  }

  /// Watches the socket, which may be another one than before.
  void watch() {
    if (state.watch && state.watched == state.socket->fd())
      return;
    state.watch.reset();
    state.watched = state.socket->fd();
    state.watch = home()->watch_fd(
      state.watched, EPOLLIN,
      [this](uint32_t events) {
        handle(events);
      },
      address());
  }

  void connected() {
    state.connecting = false;
    watch();
    state.watch->set_events(EPOLLIN);
    if (auto fd = state.socket->lifeline(); fd >= 0)
      state.lifeline = home()->watch_fd(
        fd, EPOLLIN,
        [this](uint32_t) {
          if (state.lifeline && state.socket->check_lifeline() == outcome::dead)
            fail(state.socket->error());
        },
        address());
    send(state.observer, transport_up{state.socket->local(), state.cfg.remote,
                                      state.socket->take_kept()});
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
        case outcome::reopen:
          // Before its descriptor is closed.
          state.watch.reset();
          connect();
          break;
        default:
          state.watch->set_events(state.socket->connect_events());
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
    state.lifeline.reset();
    send(state.observer, layer_failed{network_state::name, std::move(what)});
  }

  layer_status status() const {
    if (!state.socket)
      return {network_state::name, "closed", {}};
    return {network_state::name, state.socket->statistics(),
            state.socket->counters()};
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
