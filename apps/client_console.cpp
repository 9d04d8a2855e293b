#include "client_console.hpp"

#include "vpn/actors/handlers.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "client_process.hpp"
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

/// READY is said once; a reconnect is a matter of the status.
void tell_service(const protocol::phase_began& x) {
  if (x.what == phase::connected)
    notify_ready("Connected " + x.detail);
  else if (x.what == phase::exiting)
    notify_service("STOPPING=1");
  else
    notify_service("STATUS=" + to_string(x.what) + " " + x.detail);
}

void show(console_state& st, const protocol::phase_began& x) {
  tell_service(x);
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
    [&st](const protocol::url_offered& x) {
      spdlog::info("{}Open this address in a browser to log in: {}{}",
                   st.terminal ? "\x1b[1m" : "", x.url,
                   st.terminal ? "\x1b[0m" : "");
      notify_service("STATUS=Waiting for a login at " + x.url);
    },
    [self, &st](const actors::session_ended& x) {
      notify_service("STOPPING=1\nSTATUS=" + describe(x.why));
      show(x);
      st.on_end(x);
      self->quit();
    },
  };
}

} // namespace

actors::session_listener_actor
spawn_console(caf::actor_system& sys,
              std::function<void(const actors::session_ended&)> on_end) {
  return sys.spawn(console, std::move(on_end));
}

} // namespace vpn::client
