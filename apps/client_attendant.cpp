#include "client_attendant.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <csignal>

#include "client_process.hpp"
#include "client_setup.hpp"
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace vpn::client {

namespace {

using namespace std::chrono_literals;

/// How long a shutdown may take: what SUPERVISOR allows itself and a moment to
/// hear of it, and what each script that belongs to it may add.
constexpr auto shutdown_limit = 5000ms;
constexpr auto shutdown_grace = 1000ms;
constexpr auto script_limit = 65000ms;
/// The same when somebody asks twice.
constexpr auto hurried_limit = 2000ms;
/// How long layers may take to tell about themselves.
constexpr std::chrono::milliseconds status_limit = 3000ms;

/// Commands of the user that run at the end.
size_t count_last_scripts(const protocol::profile_scripts& x) {
  return static_cast<size_t>(!x.route_pre_down.empty()) + !x.down.empty()
         + !x.dns_updown.empty();
}

} // namespace

actors::unique_fd block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2})
    sigaddset(&set, s);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return actors::unique_fd{signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

attendant::attendant(caf::actor_system& sys,
                     actors::supervisor_actor supervisor, session_config cfg,
                     configuration& settings, surroundings& around, int ended,
                     std::atomic<int>& code)
  : sys_(sys),
    supervisor_(std::move(supervisor)),
    cfg_(std::move(cfg)),
    settings_(settings),
    around_(around),
    ended_(ended),
    code_(code),
    watchdog_(watchdog_interval()) {
  auto now = steady::now();
  if (around_.status.is_open() && settings_.process().status_seconds > 0)
    next_status_ = now;
  if (watchdog_)
    next_watchdog_ = now;
}

void attendant::serve() {
  while (true) {
    pollfd ready[2] = {{around_.signals.get(), POLLIN, 0}, {ended_, POLLIN, 0}};
    poll(ready, 2, wait());
    if ((ready[1].revents & POLLIN) != 0)
      return;
    if (stops_ > 0 && steady::now() >= deadline_)
      _exit(code_); // a layer hangs; what it holds goes with the process
    if ((ready[0].revents & POLLIN) != 0)
      take_signal();
    do_rounds();
  }
}

void attendant::see_off() {
  supervisor_ = nullptr;
  cfg_ = nullptr;
  // All that is left to do is to end.
  deadline_ = steady::now() + hurried_limit;
  while (sys_.registry().running() > 0) {
    pollfd signals{around_.signals.get(), POLLIN, 0};
    signalfd_siginfo info{};
    auto hurried = poll(&signals, 1, 1) == 1
                   && read(around_.signals.get(), &info, sizeof(info)) > 0
                   && (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM);
    if (hurried || steady::now() >= deadline_)
      _exit(code_);
  }
}

int attendant::wait() const {
  auto due = steady::time_point::max();
  if (stops_ > 0)
    due = deadline_;
  for (const auto& x : {next_status_, next_watchdog_})
    if (x)
      due = std::min(due, *x);
  if (due == steady::time_point::max())
    return -1;
  auto left = std::chrono::ceil<milliseconds>(due - steady::now());
  return static_cast<int>(std::max(left, 0ms).count());
}

// -- signals --

void attendant::take_signal() {
  signalfd_siginfo info{};
  if (read(around_.signals.get(), &info, sizeof(info)) != sizeof(info))
    return;
  auto what = static_cast<int>(info.ssi_signo);
  auto remapped = what == SIGUSR1 ? settings_.process().remap_usr1 : 0;
  switch (remapped != 0 ? remapped : what) {
    case SIGINT:
      stop(reason::interrupted);
      break;
    case SIGTERM:
      stop(reason::terminated);
      break;
    case SIGHUP: {
      auto changes = reload();
      // Who asks for a new connection gets one, with whatever configuration.
      if (what == SIGUSR1 && !(changes && changes->concern_session()))
        caf::anon_send(supervisor_, atom::restart_v);
      break;
    }
    case SIGUSR1:
      caf::anon_send(supervisor_, atom::restart_v);
      break;
    default:
      say_status();
      break;
  }
}

/// Once, all is undone in order; twice, at once; three times, not at all: the
/// next start does it.
void attendant::stop(reason why) {
  ++stops_;
  if (stops_ > 2)
    _exit(code_);
  auto now = steady::now();
  if (stops_ == 1) {
    code_ = exit_code(why);
    deadline_ = now + shutdown_limit + shutdown_grace
                + count_last_scripts(cfg_->scripts) * script_limit;
  } else {
    log_notice("Told to stop once more: nothing is waited for");
    deadline_ = std::min(deadline_, now + hurried_limit);
  }
  caf::anon_send(supervisor_, atom::stop_v, why);
}

/// What changed; nothing when the new configuration cannot be used.
std::optional<protocol::profile_changes> attendant::reload() {
  if (stops_ > 0)
    return std::nullopt;
  notify_reloading();
  auto read = settings_.read_again();
  std::optional<protocol::profile_changes> result;
  if (read) {
    take_over(*read);
    result = std::move(read->changes);
  } else {
    for (const auto& problem : read.error())
      log_error(problem);
    log_error("SIGHUP[hard,] received: the configuration cannot be used, the "
              "session goes on as it is");
  }
  notify_reloaded();
  return result;
}

void attendant::take_over(configuration::news& x) {
  const auto& changes = x.changes;
  log_notice("SIGHUP[hard,] received: " + to_string(changes));
  for (const auto& text : x.warnings)
    log_warning(text);
  for (const auto& name : changes.start)
    log_warning("option '" + name
                + "' changed: it takes effect after a restart");
  for (const auto& name : changes.process)
    if (name == "verb")
      set_verbosity(settings_.verbosity());
    else if (name == "status")
      reopen_status();
    else
      set_log_form(settings_.process());
  if (!x.session)
    return;
  log_faults(settings_.faults());
  share_runtime(*x.session, *cfg_);
  cfg_ = std::move(x.session);
  caf::anon_send(supervisor_, atom::apply_v, cfg_);
}

void attendant::reopen_status() {
  const auto& how = settings_.process();
  // The same file may be out of reach by now.
  if (how.status_file != around_.status.path()) {
    status_file other;
    if (auto problem = other.open(how.status_file); !problem.empty()) {
      log_warning(problem + "; the one before is still written");
      return;
    }
    around_.status = std::move(other);
  }
  next_status_.reset();
  if (around_.status.is_open() && how.status_seconds > 0)
    next_status_ = steady::now();
}

// -- what comes again and again --

void attendant::do_rounds() {
  auto now = steady::now();
  auto due = [&](std::optional<steady::time_point>& x, milliseconds every) {
    if (!x || *x > now)
      return false;
    x = now + every;
    return true;
  };
  auto status = due(next_status_,
                    std::chrono::seconds{settings_.process().status_seconds});
  auto alive = watchdog_ && due(next_watchdog_, *watchdog_ / 2);
  if (!status && !alive)
    return;
  auto layers = ask_status();
  if (layers && status)
    around_.status.write(*layers);
  // The answer came through SUPERVISOR and every layer's loop.
  if (layers && alive)
    notify_service("WATCHDOG=1");
}

void attendant::say_status() {
  auto layers = ask_status();
  if (!layers)
    return;
  log_status(*layers);
  if (around_.status.is_open())
    around_.status.write(*layers);
}

std::optional<std::vector<actors::layer_status>> attendant::ask_status() {
  auto limit = status_limit;
  // Nobody who wants us to end waits for figures.
  if (stops_ > 0) {
    auto left
      = std::chrono::duration_cast<milliseconds>(deadline_ - steady::now());
    limit = std::clamp(left, 0ms, 200ms);
  }
  std::optional<std::vector<actors::layer_status>> result;
  caf::scoped_actor self{sys_};
  self->request(supervisor_, limit, atom::status_v)
    .receive(
      [&](std::vector<actors::layer_status>& layers) {
        result = std::move(layers);
      },
      [](const caf::error&) {});
  return result;
}

} // namespace vpn::client
