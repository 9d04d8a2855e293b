// vpn-actor-client: connects one profile, as `openvpn --client` would.
#include "vpn/actors/config.hpp"
#include "vpn/actors/io_loop.hpp"
#include "vpn/actors/unique_fd.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <optional>

#include "client_commands.hpp"
#include "client_console.hpp"
#include "client_log.hpp"
#include "client_process.hpp"
#include "client_prompter.hpp"
#include "client_setup.hpp"
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace {

using namespace vpn;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How long a shutdown may take before the process ends without it, and what
/// each script that belongs to it may add.
constexpr auto shutdown_limit = 12000ms;
constexpr auto script_limit = 65000ms;
/// How long layers may take to tell about themselves.
constexpr auto status_limit = 3s;

/// What outlives a reload by SIGHUP.
struct surroundings {
  actors::unique_fd signals;
  client::status_file status;
  std::shared_ptr<client::person> person = std::make_shared<client::person>();
  /// What could not be opened any more after privileges were given up.
  std::shared_ptr<const actors::unique_fd> resolv_conf;
  std::shared_ptr<sd_bus> bus;
  std::shared_ptr<actors::kept_tun> tun;
};

/// Signals as readable events, blocked in all threads that start later.
actors::unique_fd block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2})
    sigaddset(&set, s);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return actors::unique_fd{signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

/// The main thread while a session runs: signals, the status file, the
/// watchdog.
class attendant {
public:
  attendant(caf::actor_system& sys, actors::supervisor_actor supervisor,
            const surroundings& around, const protocol::process_settings& how,
            size_t last_scripts, int ended, std::atomic<int>& code)
    : sys_(sys),
      supervisor_(std::move(supervisor)),
      around_(around),
      how_(how),
      ended_(ended),
      code_(code),
      limit_(shutdown_limit + last_scripts * script_limit),
      watchdog_(client::watchdog_interval()) {
    auto now = steady::now();
    if (around_.status.is_open() && how_.status_seconds > 0)
      next_status_ = now;
    if (watchdog_)
      next_watchdog_ = now;
  }

  /// Until the session has ended. True when a new one is to begin with the
  /// configuration read anew.
  bool serve() {
    while (true) {
      pollfd ready[2]
        = {{around_.signals.get(), POLLIN, 0}, {ended_, POLLIN, 0}};
      auto n = poll(ready, 2, wait());
      if (n == 0 && stopping_ && steady::now() >= deadline_)
        _exit(code_); // a layer hangs; what it holds goes with the process
      if ((ready[1].revents & POLLIN) != 0)
        return reload_;
      if ((ready[0].revents & POLLIN) != 0)
        take_signal();
      do_rounds();
    }
  }

private:
  int wait() const {
    auto due = steady::time_point::max();
    if (stopping_)
      due = deadline_;
    for (const auto& x : {next_status_, next_watchdog_})
      if (x)
        due = std::min(due, *x);
    if (due == steady::time_point::max())
      return -1;
    auto left = std::chrono::ceil<milliseconds>(due - steady::now());
    return static_cast<int>(std::max(left, 0ms).count());
  }

  void stop(reason why) {
    // Who asks twice must wait nevertheless: the host is not yet as it was. A
    // reload can still become the end.
    if (stopping_ && !reload_)
      return;
    reload_ = why == reason::none;
    code_ = exit_code(reload_ ? reason::internal : why);
    if (stopping_)
      return;
    stopping_ = true;
    deadline_ = steady::now() + limit_;
    caf::anon_send(supervisor_, atom::stop_v, why);
  }

  void take_signal() {
    signalfd_siginfo info{};
    if (read(around_.signals.get(), &info, sizeof(info)) != sizeof(info))
      return;
    auto what = static_cast<int>(info.ssi_signo);
    if (what == SIGUSR1 && how_.remap_usr1 != 0)
      what = how_.remap_usr1;
    switch (what) {
      case SIGINT:
        stop(reason::interrupted);
        break;
      case SIGTERM:
        stop(reason::terminated);
        break;
      case SIGHUP:
        client::notify_service("RELOADING=1");
        stop(reason::none);
        break;
      case SIGUSR1:
        caf::anon_send(supervisor_, atom::restart_v);
        break;
      default:
        if (auto layers = ask_status()) {
          client::log_status(*layers);
          if (around_.status.is_open())
            around_.status.write(*layers);
        }
        break;
    }
  }

  void do_rounds() {
    auto now = steady::now();
    auto due = [&](std::optional<steady::time_point>& x, milliseconds every) {
      if (!x || *x > now)
        return false;
      x = now + every;
      return true;
    };
    auto status = due(next_status_, std::chrono::seconds{how_.status_seconds});
    auto alive = watchdog_ && due(next_watchdog_, *watchdog_ / 2);
    if (!status && !alive)
      return;
    auto layers = ask_status();
    if (layers && status)
      around_.status.write(*layers);
    // The answer came through SUPERVISOR and every layer's loop.
    if (layers && alive)
      client::notify_service("WATCHDOG=1");
  }

  std::optional<std::vector<actors::layer_status>> ask_status() {
    std::optional<std::vector<actors::layer_status>> result;
    caf::scoped_actor self{sys_};
    self->request(supervisor_, status_limit, atom::status_v)
      .receive(
        [&](std::vector<actors::layer_status>& layers) {
          result = std::move(layers);
        },
        [](const caf::error&) {});
    return result;
  }

  caf::actor_system& sys_;
  actors::supervisor_actor supervisor_;
  const surroundings& around_;
  const protocol::process_settings& how_;
  int ended_;
  std::atomic<int>& code_;
  milliseconds limit_;
  std::optional<milliseconds> watchdog_;
  std::optional<steady::time_point> next_status_, next_watchdog_;
  steady::time_point deadline_{};
  bool stopping_ = false;
  bool reload_ = false;
};

struct ending {
  int code = 0;
  bool reload = false;
};

ending run(std::shared_ptr<actors::supervisor_config> cfg,
           const surroundings& around, const protocol::process_settings& how) {
  // Pools and the loop live longer than the actor system that uses them.
  auto pools = actors::make_data_pools();
  actors::io_loop loop;
  actors::system_clock_source clock;
  actors::unique_fd ended{eventfd(0, EFD_CLOEXEC)};
  std::atomic<int> code{exit_code(reason::internal)};
  auto reload = false;
  {
    actors::config system_cfg;
    caf::actor_system sys{system_cfg};
    loop.start(sys);
    cfg->clock = &clock;
    cfg->loop = &loop;
    cfg->pools = pools;
    actors::host_config host;
    host.log = client::log_host_change;
    host.dns.resolv_conf_file = around.resolv_conf;
    host.dns.bus = around.bus;
    host.kept = around.tun;
    cfg->parts = system_parts(sys, loop, pools, std::move(host));
    cfg->parts.spawn_prompter = [&sys, person = around.person] {
      return client::spawn_prompter(sys, person->ask_on());
    };
    cfg->parts.call_off_prompter = [person = around.person] {
      person->call_off();
    };
    cfg->parts.set_verbosity = client::set_verbosity;
    cfg->listener
      = client::spawn_console(sys, [&](const actors::session_ended& x) {
          code = exit_code(x.why);
          eventfd_write(ended.get(), 1);
        });
    const auto& scripts = cfg->scripts;
    auto last_scripts = static_cast<size_t>(!scripts.route_pre_down.empty())
                        + !scripts.down.empty() + !scripts.dns_updown.empty();
    auto supervisor = spawn_supervisor(sys, cfg);
    cfg.reset();
    caf::anon_send(supervisor, atom::start_v);
    reload
      = attendant{sys, supervisor, around, how, last_scripts, ended.get(), code}
          .serve();
    supervisor = nullptr;
    around.person->call_off();
    // The loop may be in the last breath of an actor that counts as done: its
    // thread ends before the system does.
    sys.await_all_actors_done();
    loop.stop();
  }
  return {code, reload};
}

int complain(const std::string& text) {
  std::fprintf(stderr, "vpn-actor-client: %s\n", text.c_str());
  return exit_code(reason::bad_config);
}

int complain_in_log(const std::string& text) {
  client::log_error(text);
  client::notify_service("STOPPING=1\nSTATUS=" + text);
  return exit_code(reason::bad_config);
}

/// The pass phrase of the private key, asked for while there is a terminal.
/// The text says what is missing.
std::string complete_key(protocol::profile& x, client::terminal& person,
                         int interrupt) {
  if (!x.tls.key_passphrase.empty()
      || !(x.asks_passphrase || protocol::key_needs_passphrase(x.tls)))
    return {};
  if (!person.usable())
    return "the private key is encrypted and there is no terminal to ask for "
           "its pass phrase: name a file with askpass";
  auto phrase = person.ask("Enter Private Key Password: ", false, interrupt);
  if (!phrase)
    return "no pass phrase for the private key";
  x.tls.key_passphrase = std::move(*phrase);
  return {};
}

/// What happens once, before the first session: after it there is no way back
/// to the terminal or to privileges. The text says what went wrong.
std::string settle(const protocol::profile& x, surroundings& around) {
  const auto& how = x.process;
  if (auto done = client::prepare_process(how); !done)
    return done.error().text;
  if (auto problem = client::start_log(how, x.verbosity); !problem.empty())
    return problem;
  if (auto problem = around.status.open(how.status_file); !problem.empty())
    return problem;
  if (auto done = client::go_to_background(how); !done)
    return done.error().text;
  // The shell has the terminal back: what is typed there is not for us.
  if (how.daemon)
    around.person->leave();
  if (auto done = client::lock_memory(how); !done)
    return done.error().text;
  if (auto done = client::write_pid(how.pid_file); !done)
    return done.error().text;
  if (!how.user.empty() || !how.group.empty()) {
    actors::unique_fd file{open("/etc/resolv.conf", O_RDWR | O_CLOEXEC)};
    if (file)
      around.resolv_conf
        = std::make_shared<const actors::unique_fd>(std::move(file));
    around.bus = actors::open_system_bus();
    around.tun = std::make_shared<actors::kept_tun>();
    around.tun->file = actors::open_tun_file();
  }
  if (auto done = client::drop_privileges(how, client::binds_low_port(x));
      !done)
    return done.error().text;
  return {};
}

/// One configuration after the other, until nobody wants it read again.
int connect(const std::vector<std::string>& words) {
  surroundings around;
  around.signals = block_signals();
  // What a person said before the terminal was given back serves reloads too.
  std::optional<protocol::credentials_config> said;
  for (auto first = true;; first = false) {
    auto parsed = protocol::parse_command_line(words, client::read_file);
    // Later the standard error may lead nowhere, and the log is open.
    auto say = first ? complain : complain_in_log;
    if (!parsed) {
      for (const auto& x : parsed.error())
        say(to_string(x));
      return exit_code(reason::bad_config);
    }
    auto& profile = *parsed;
    auto interrupt = around.signals.get();
    if (auto problem
        = complete_key(profile, *around.person->ask_on(), interrupt);
        !problem.empty())
      return say(problem);
    if (profile.process.daemon && first) {
      if (!client::complete_credentials(profile.credentials,
                                        *around.person->ask_on(), interrupt))
        return say("user name and password are needed and nobody could be "
                   "asked for them");
      said = profile.credentials;
    } else if (said) {
      profile.credentials = *said;
    }
    auto cfg = client::make_supervisor_config(profile);
    if (!cfg)
      return say(cfg.error().text);
    if (first)
      if (auto problem = settle(profile, around); !problem.empty())
        return complain(problem);
    for (const auto& text : profile.warnings)
      client::log_warning(text);
    client::add_process_variables(**cfg, profile, words);
    auto end = run(std::move(*cfg), around, profile.process);
    if (!end.reload)
      return end.code;
  }
}

} // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words{argv + 1, argv + argc};
  if (auto code = client::run_command_line_tool(words))
    return *code;
  return connect(words);
}
