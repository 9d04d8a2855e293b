#include "client_console.hpp"

#include "vpn/actors/handlers.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace vpn::client {

namespace {

using protocol::phase;
using protocol::session_notice;

struct console_state {
  static inline const char* name = "console";
  console_state() = default;
  time_point began;
  bool terminal = false;
  std::function<void(const actors::session_ended&)> on_end;
};

/// Seconds since this try began, with milliseconds.
double elapsed(const console_state& st) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now()
                                       - st.began)
    .count();
}

bool opens_a_try(phase x) {
  return x == phase::resolve || x == phase::reconnecting;
}

void show(console_state& st, const protocol::phase_began& x) {
  if (opens_a_try(x.what))
    st.began = std::chrono::steady_clock::now();
  if (st.terminal)
    spdlog::info("\x1b[36m{:>8.3f} s  {:<13}\x1b[0m {}", elapsed(st),
                 to_string(x.what), x.detail);
  else
    spdlog::info("PHASE {:.3f} s {} {}", elapsed(st), to_string(x.what),
                 x.detail);
}

void show(const actors::session_ended& x) {
  switch (x.why) {
    case reason::none:
      spdlog::info("process exiting");
      break;
    case reason::interrupted:
    case reason::terminated:
      spdlog::info("{}[hard,] received, process exiting",
                   x.why == reason::terminated ? "SIGTERM" : "SIGINT");
      break;
    default:
      spdlog::error("Exiting: {}{}{}", describe(x.why),
                    x.text.empty() ? "" : ": ", x.text);
      if (auto text = advice(x.why); !text.empty())
        spdlog::error("Try: {}", text);
      break;
  }
}

actors::session_listener_actor::behavior_type
console(actors::session_listener_actor::stateful_pointer<console_state> self,
        std::function<void(const actors::session_ended&)> on_end) {
  actors::install_handlers(self);
  auto& st = self->state;
  st.began = std::chrono::steady_clock::now();
  st.terminal = isatty(STDOUT_FILENO) != 0;
  st.on_end = std::move(on_end);
  return {
    [](const session_notice& x) {
      if (x.severity == session_notice::level::warning)
        spdlog::warn("WARNING: {}", x.text);
      else
        spdlog::info("{}", x.text);
    },
    [&st](const protocol::phase_began& x) {
      show(st, x);
    },
    [self, &st](const actors::session_ended& x) {
      show(x);
      st.on_end(x);
      self->quit();
    },
  };
}

} // namespace

void start_log(int verbosity) {
  auto log = std::make_shared<spdlog::logger>(
    "vpn", std::make_shared<spdlog::sinks::stdout_sink_mt>());
  log->set_pattern("%Y-%m-%d %H:%M:%S %v");
  log->set_level(verbosity <= 0  ? spdlog::level::warn
                 : verbosity < 3 ? spdlog::level::info
                                 : spdlog::level::debug);
  log->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(log);
}

actors::session_listener_actor
spawn_console(caf::actor_system& sys,
              std::function<void(const actors::session_ended&)> on_end) {
  return sys.spawn(console, std::move(on_end));
}

void log_warning(const std::string& text) {
  spdlog::warn("WARNING: {}", text);
}

void log_host_change(const std::string& command) {
  spdlog::debug("[#] {}", command);
}

void log_status(const std::vector<actors::layer_status>& layers) {
  spdlog::info("OpenVPN STATISTICS");
  for (const auto& x : layers)
    spdlog::info("{}: {}", x.layer, x.text);
  spdlog::info("END");
}

} // namespace vpn::client
