#include "vpn/actors/host_watch.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"
#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/sleep_detector.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cerrno>
#include <ctime>
#include <limits>

#include "host_changes.hpp"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

namespace vpn::actors {

namespace {

/// The kernel's largest answers; what is larger counts as lost.
constexpr size_t receive_buffer = 65536;
/// Datagrams of one turn: the packets of the session want theirs, too.
constexpr int datagrams_per_turn = 64;

int64_t read_clock(clockid_t id) {
  timespec x{};
  ::clock_gettime(id, &x);
  return int64_t{x.tv_sec} * 1'000'000'000 + x.tv_nsec;
}

struct host_watch_state {
  static inline const char* name = "host_watch";
  host_watch_state() = default;
  host_watch_config cfg;
  host_observer_actor observer;
  std::optional<host_changes> changes;
  protocol::sleep_detector sleep;
  unique_fd kernel;
  unique_fd clocks;
  /// Behind the descriptors, so that they end first.
  std::unique_ptr<io_loop::watch> kernel_watch;
  std::unique_ptr<io_loop::watch> clocks_watch;
  std::vector<uint8_t> buffer;
  /// A timeout is on its way.
  bool waiting = false;
  /// The report waits for the end of a survey.
  bool due = false;
};

class host_watch final
  : public homed<host_watch_actor::stateful_base<host_watch_state>> {
public:
  host_watch(caf::actor_config& cfg, io_loop* home, host_watch_config watch,
             host_observer_actor observer)
    : homed(cfg, home) {
    state.cfg = std::move(watch);
    state.observer = std::move(observer);
  }

  behavior_type make_behavior() override {
    install_handlers(this);
    if (!state.cfg.boottime)
      state.cfg.boottime = [] {
        return read_clock(CLOCK_BOOTTIME);
      };
    look_at_clocks();
    watch_clocks();
    watch_kernel();
    return {
      [this](atom::attach, std::string& device) {
        if (state.changes)
          state.changes->ignore(std::move(device));
      },
      [this](atom::timeout) {
        state.waiting = false;
        look_at_clocks();
        handle_settled();
      },
    };
  }

private:
  // -- sleep --

  void look_at_clocks() {
    auto boottime = state.cfg.boottime();
    if (auto slept = state.sleep.handle(boottime, read_clock(CLOCK_MONOTONIC)))
      send(state.observer, host_woke{*slept});
  }

  /// The kernel cancels a timer when the clock it goes by is set, and it sets
  /// that one when the machine resumes.
  void watch_clocks() {
    state.clocks
      = unique_fd{::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)};
    if (!state.clocks || !arm_clocks())
      return;
    state.clocks_watch = home()->watch_fd(
      state.clocks.get(), EPOLLIN,
      [this](uint32_t) {
        uint64_t count = 0;
        auto n = ::read(state.clocks.get(), &count, sizeof(count));
        if ((n >= 0 || errno != EAGAIN) && !arm_clocks())
          state.clocks_watch.reset();
        look_at_clocks();
      },
      address());
  }

  bool arm_clocks() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<time_t>::max();
    return ::timerfd_settime(state.clocks.get(),
                             TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
                             &never, nullptr)
           == 0;
  }

  // -- links, addresses, routes --

  void watch_kernel() {
    state.kernel = unique_fd{::socket(
      AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)};
    sockaddr_nl own{};
    own.nl_family = AF_NETLINK;
    own.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
                    | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    auto sa = reinterpret_cast<sockaddr*>(&own);
    socklen_t size = sizeof(own);
    if (!state.kernel || ::bind(state.kernel.get(), sa, size) != 0
        || ::getsockname(state.kernel.get(), sa, &size) != 0)
      return;
    state.buffer.resize(receive_buffer);
    state.changes.emplace(own.nl_pid, static_cast<uint32_t>(::getpid()));
    state.changes->ignore(state.cfg.ignored_device);
    state.kernel_watch = home()->watch_fd(
      state.kernel.get(), EPOLLIN,
      [this](uint32_t) {
        receive();
      },
      address());
    state.changes->survey();
    ask();
  }

  void receive() {
    for (int i = 0; i < datagrams_per_turn && receive_one(); ++i)
      ;
    if (!state.kernel_watch)
      return;
    ask();
    if (state.due && !state.changes->surveying())
      tell();
    // What was lost during a survey waits for its turn like all else.
    auto more = state.changes->changed() || state.changes->lossy();
    if (more && !state.waiting && !state.due)
      wait();
  }

  /// False when there is no more.
  bool receive_one() {
    sockaddr_nl from{};
    iovec part{state.buffer.data(), state.buffer.size()};
    msghdr h{};
    h.msg_name = &from;
    h.msg_namelen = sizeof(from);
    h.msg_iov = &part;
    h.msg_iovlen = 1;
    auto n = ::recvmsg(state.kernel.get(), &h, MSG_DONTWAIT);
    if (n >= 0) {
      // Others than the kernel may write to us.
      if (from.nl_pid != 0)
        return true;
      if ((h.msg_flags & MSG_TRUNC) != 0)
        state.changes->handle_loss();
      else
        state.changes->handle({state.buffer.data(), static_cast<size_t>(n)});
      return true;
    }
    switch (errno) {
      case EINTR:
        return true;
      case ENOBUFS:
        state.changes->handle_loss();
        return true;
      case EAGAIN:
        return false;
      default:
        // Nothing comes from this one any more, but the error.
        state.kernel_watch.reset();
        return false;
    }
  }

  void ask() {
    while (auto question = state.changes->poll_question())
      if (::send(state.kernel.get(), question->data(), question->size(),
                 MSG_DONTWAIT)
          < 0)
        state.changes->give_up();
  }

  void wait() {
    state.waiting = true;
    delayed_send(host_watch_actor{this}, state.cfg.settle, atom::timeout_v);
  }

  void handle_settled() {
    if (!state.changes)
      return;
    // Which addresses are gone is only known when nothing was missed.
    if (state.changes->lossy()) {
      state.changes->survey();
      ask();
    }
    if (state.changes->surveying())
      state.due = true;
    else
      tell();
  }

  void tell() {
    state.due = false;
    if (auto gone = state.changes->poll_changes())
      send(state.observer, addresses_changed{std::move(*gone)});
  }
};

} // namespace

host_watch_actor spawn_host_watch(caf::actor_system& sys, io_loop& home,
                                  host_watch_config cfg,
                                  host_observer_actor observer) {
  return sys.spawn<host_watch>(&home, std::move(cfg), std::move(observer));
}

} // namespace vpn::actors
