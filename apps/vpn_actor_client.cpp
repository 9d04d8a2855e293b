// vpn-actor-client: connects one profile, as `openvpn --client` would.
#include "vpn/actors/config.hpp"
#include "vpn/actors/io_loop.hpp"
#include "vpn/actors/unique_fd.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <cstdio>

#include "client_attendant.hpp"
#include "client_cleanup.hpp"
#include "client_commands.hpp"
#include "client_configuration.hpp"
#include "client_console.hpp"
#include "client_log.hpp"
#include "client_process.hpp"
#include "client_prompter.hpp"
#include "client_setup.hpp"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

using namespace vpn;

/// What could not be opened any more after privileges were given up.
struct kept_files {
  std::shared_ptr<const actors::unique_fd> resolv_conf;
  std::shared_ptr<sd_bus> bus;
  std::shared_ptr<actors::kept_tun> tun;
  /// Never null from `settle` on.
  std::shared_ptr<actors::host_journal> journal;
};

/// The loop's thread never comes back, so nothing can be ended in order. What
/// the host had before is in the journal, for the process that comes next.
bool is_beyond_help(const actors::session_ended& x) {
  return x.why == reason::internal && x.text.rfind("the I/O loop", 0) == 0;
}

actors::host_config host_settings(const kept_files& kept) {
  actors::host_config result;
  result.log = client::log_host_change;
  result.journal = kept.journal;
  result.dns.resolv_conf_file = kept.resolv_conf;
  result.dns.bus = kept.bus;
  result.kept = kept.tun;
  return result;
}

int run(client::configuration::session_config cfg, const kept_files& kept,
        client::surroundings& around, client::configuration& settings,
        const std::shared_ptr<client::person>& person) {
  // Pools and the loop live longer than the actor system that uses them.
  auto pools = actors::make_data_pools();
  actors::io_loop loop;
  actors::system_clock_source clock;
  actors::unique_fd ended{eventfd(0, EFD_CLOEXEC)};
  std::atomic<int> code{exit_code(reason::internal)};
  actors::config system_cfg;
  caf::actor_system sys{system_cfg};
  loop.start(sys);
  cfg->clock = &clock;
  cfg->loop = &loop;
  cfg->pools = pools;
  cfg->parts = system_parts(sys, loop, pools, host_settings(kept));
  cfg->parts.spawn_prompter = [&sys, person] {
    return client::spawn_prompter(sys, person->ask_on());
  };
  cfg->parts.call_off_prompter = [person] {
    person->call_off();
  };
  cfg->parts.set_verbosity = client::set_verbosity;
  cfg->listener
    = client::spawn_console(sys, [&](const actors::session_ended& x) {
        code = exit_code(x.why);
        if (is_beyond_help(x))
          _exit(code);
        eventfd_write(ended.get(), 1);
      });
  auto supervisor = spawn_supervisor(sys, cfg);
  caf::anon_send(supervisor, atom::start_v);
  client::attendant attendant{
    sys, std::move(supervisor), std::move(cfg), settings, around, ended.get(),
    code};
  attendant.serve();
  person->call_off();
  // The loop may be in the last breath of an actor that counts as done: its
  // thread ends before the system does.
  attendant.see_off();
  loop.stop();
  return code;
}

/// HOST may have died too often to be replaced. With the actor system gone it
/// is nobody's business any more but ours.
void take_back_the_rest(const kept_files& kept) {
  if (!actors::undo_without_host(host_settings(kept)))
    client::log_warning("something that was changed on this host cannot be "
                        "restored now: vpn-actor-client --cleanup tries again");
}

int complain(const std::string& text) {
  std::fprintf(stderr, "vpn-actor-client: %s\n", text.c_str());
  return exit_code(reason::bad_config);
}

/// What happens once, before the first session: after it there is no way back
/// to the terminal or to privileges. The text says what went wrong.
std::string settle(const client::configuration& settings,
                   client::surroundings& around, kept_files& kept,
                   client::person& person) {
  const auto& how = settings.process();
  if (auto done = client::prepare_process(how); !done)
    return done.error().text;
  if (auto problem = client::start_log(how, settings.verbosity());
      !problem.empty())
    return problem;
  if (auto problem = around.status.open(how.status_file); !problem.empty())
    return problem;
  if (auto done = client::go_to_background(how); !done)
    return done.error().text;
  // The shell has the terminal back: what is typed there is not for us.
  if (how.daemon)
    person.leave();
  if (auto done = client::lock_memory(how); !done)
    return done.error().text;
  if (auto done = client::write_pid(how.pid_file); !done)
    return done.error().text;
  // What another one could not take back is taken back with all rights.
  client::recover_at_start();
  kept.journal = client::open_journal();
  if (!how.user.empty() || !how.group.empty()) {
    actors::unique_fd file{open("/etc/resolv.conf", O_RDWR | O_CLOEXEC)};
    if (file)
      kept.resolv_conf
        = std::make_shared<const actors::unique_fd>(std::move(file));
    kept.bus = actors::open_system_bus();
    kept.tun = std::make_shared<actors::kept_tun>();
    kept.tun->file = actors::open_tun_file();
  }
  if (auto done = client::drop_privileges(how, settings.binds_low_port());
      !done)
    return done.error().text;
  return {};
}

int connect(const std::vector<std::string>& words) {
  kept_files kept;
  client::surroundings around;
  around.signals = client::block_signals();
  auto person = std::make_shared<client::person>();
  client::configuration settings{words, person, around.signals.get()};
  auto first = settings.read();
  if (!first) {
    for (const auto& problem : first.error())
      complain(problem);
    return exit_code(reason::bad_config);
  }
  if (auto problem = settle(settings, around, kept, *person); !problem.empty())
    return complain(problem);
  for (const auto& text : first->warnings)
    client::log_warning(text);
  client::log_faults(settings.faults());
  client::add_process_variables(*first->session, settings.process(),
                                settings.verbosity(), words);
  auto code = run(std::move(first->session), kept, around, settings, person);
  take_back_the_rest(kept);
  return code;
}

} // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words{argv + 1, argv + argc};
  if (auto code = client::run_command_line_tool(words))
    return *code;
  return connect(words);
}
