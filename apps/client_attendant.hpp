// The main thread while a session runs: signals, the status file, the watchdog.
#pragma once

#include "vpn/actors/interfaces.hpp"
#include "vpn/actors/supervisor.hpp"
#include "vpn/actors/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

#include "client_configuration.hpp"
#include "client_log.hpp"

namespace vpn::client {

/// Signals as readable events, blocked in all threads that start later.
actors::unique_fd block_signals();

/// What the main thread looks at and looks after, for as long as the process
/// lives.
struct surroundings {
  actors::unique_fd signals;
  status_file status;
};

class attendant {
public:
  using session_config = std::shared_ptr<const actors::supervisor_config>;

  /// `ended` is readable when the session has ended with `code`.
  attendant(caf::actor_system& sys, actors::supervisor_actor supervisor,
            session_config cfg, configuration& settings, surroundings& around,
            int ended, std::atomic<int>& code);

  /// Until the session has ended.
  void serve();
  /// Until the last actor is done; one that hangs ends with the process.
  void see_off();

private:
  using steady = std::chrono::steady_clock;
  using milliseconds = std::chrono::milliseconds;

  int wait() const;
  void take_signal();
  void stop(reason why);
  std::optional<protocol::profile_changes> reload();
  void take_over(configuration::news& x);
  void reopen_status();
  void do_rounds();
  std::optional<std::vector<actors::layer_status>> ask_status();
  void say_status();

  caf::actor_system& sys_;
  actors::supervisor_actor supervisor_;
  session_config cfg_;
  configuration& settings_;
  surroundings& around_;
  int ended_;
  std::atomic<int>& code_;
  std::optional<milliseconds> watchdog_;
  std::optional<steady::time_point> next_status_, next_watchdog_;
  steady::time_point deadline_{};
  /// How often we were told to stop.
  int stops_ = 0;
};

} // namespace vpn::client
