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

#include "client_console.hpp"
#include "client_credentials.hpp"
#include "client_setup.hpp"
#include "client_version.hpp"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace {

using namespace vpn;
using namespace std::chrono_literals;

constexpr const char* usage = R"(vpn-actor-client: an OpenVPN client

  vpn-actor-client FILE                      connect with this profile
  vpn-actor-client --config FILE --OPTION WORD... --OPTION WORD...

Options are OpenVPN's, in the file or, with two dashes, on the command line.
Often used:
  --remote HOST [PORT] [udp|tcp]   the server
  --auth-user-pass [FILE]          user name and password, asked for without FILE
  --verb N                         0 warnings only, 1 default, 3 host changes too
  --dev null                       no device: connect and carry no traffic
  --connect-retry-max N            give up after N tries of each server
  --help, --version

Signals: SIGINT and SIGTERM disconnect, SIGUSR1 connects anew, SIGUSR2 prints
counters.
Exit code: 0 ended as asked, 1 internal error, 2 configuration, 3 name
resolution, 4 no connection or answer, 5 TLS or certificate, 6 authentication,
7 a person is needed, 8 pushed configuration refused, 9 device or routes,
10 the server ended the session, 12 gave up restarting, 130 and 143 signals.
)";

/// How long a shutdown may take before the process ends without it.
constexpr int shutdown_limit_ms = 5000;

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

void print_status(caf::actor_system& sys,
                  const actors::supervisor_actor& supervisor) {
  caf::scoped_actor self{sys};
  self->request(supervisor, 3s, atom::status_v)
    .receive(
      [](const std::vector<actors::layer_status>& layers) {
        client::log_status(layers);
      },
      [](const caf::error&) {});
}

/// Runs until the session has ended.
void serve(caf::actor_system& sys, const actors::supervisor_actor& supervisor,
           int signals, int ended, std::atomic<int>& code) {
  bool stopping = false;
  while (true) {
    pollfd ready[2] = {{signals, POLLIN, 0}, {ended, POLLIN, 0}};
    auto n = poll(ready, 2, stopping ? shutdown_limit_ms : -1);
    if (n == 0)
      _exit(code); // a layer hangs; what it holds goes with the process
    if (ready[1].revents & POLLIN)
      return;
    signalfd_siginfo info{};
    if (read(signals, &info, sizeof(info)) != sizeof(info))
      continue;
    switch (info.ssi_signo) {
      case SIGINT:
      case SIGTERM: {
        if (stopping)
          _exit(code);
        stopping = true;
        auto why
          = info.ssi_signo == SIGINT ? reason::interrupted : reason::terminated;
        code = exit_code(why);
        caf::anon_send(supervisor, atom::stop_v, why);
        break;
      }
      case SIGUSR2:
        print_status(sys, supervisor);
        break;
      case SIGUSR1:
        caf::anon_send(supervisor, atom::restart_v);
        break;
      default:
        client::log_warning("SIGHUP is not supported yet: nothing was read "
                            "again");
        break;
    }
  }
}

int run(std::shared_ptr<actors::supervisor_config> cfg, int signals) {
  // Pools and the loop live longer than the actor system that uses them.
  auto pools = actors::make_data_pools();
  actors::io_loop loop;
  actors::system_clock_source clock;
  actors::unique_fd ended{eventfd(0, EFD_CLOEXEC)};
  std::atomic<int> code{exit_code(reason::internal)};
  {
    actors::config system_cfg;
    caf::actor_system sys{system_cfg};
    loop.start(sys);
    cfg->clock = &clock;
    cfg->loop = &loop;
    cfg->pools = pools;
    cfg->parts = system_parts(sys, loop, pools, client::log_host_change);
    cfg->listener
      = client::spawn_console(sys, [&](const actors::session_ended& x) {
          code = exit_code(x.why);
          eventfd_write(ended.get(), 1);
        });
    auto supervisor = spawn_supervisor(sys, cfg);
    cfg.reset();
    caf::anon_send(supervisor, atom::start_v);
    serve(sys, supervisor, signals, ended.get(), code);
    supervisor = nullptr;
    // The loop may be in the last breath of an actor that counts as done: its
    // thread ends before the system does.
    sys.await_all_actors_done();
    loop.stop();
  }
  return code;
}

int complain(const std::string& text) {
  std::fprintf(stderr, "vpn-actor-client: %s\n", text.c_str());
  return exit_code(reason::bad_config);
}

} // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words{argv + 1, argv + argc};
  if (words.empty() || words[0] == "--help" || words[0] == "-h") {
    std::fputs(usage, words.empty() ? stderr : stdout);
    return words.empty() ? exit_code(reason::bad_config) : 0;
  }
  if (words[0] == "--version") {
    std::printf("%s\n", client::version);
    return 0;
  }
  auto parsed = protocol::parse_command_line(words, client::read_file);
  if (!parsed) {
    for (const auto& x : parsed.error())
      complain(to_string(x));
    return exit_code(reason::bad_config);
  }
  auto& profile = *parsed;
  if (!client::complete_credentials(profile))
    return complain("the profile asks for a password and there is no terminal: "
                    "name a file with auth-user-pass");
  auto cfg = client::make_supervisor_config(profile);
  if (!cfg)
    return complain(cfg.error().text);
  client::start_log(profile.verbosity);
  for (const auto& text : profile.warnings)
    client::log_warning(text);
  auto signals = block_signals();
  return run(std::move(*cfg), signals.get());
}
