// SUPERVISOR's state, shared by its three sources: one try after the other
// (supervisor.cpp), the session's actions (supervisor_session.cpp) and the end
// of a tree (supervisor_closing.cpp).
#pragma once

#include "vpn/protocol/connect_plan.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>

#include "session_tree.hpp"

namespace vpn::actors {

/// What SUPERVISOR is doing, around the session's own states.
enum class activity : uint8_t { idle, waiting, running, closing, done };

struct supervisor_state {
  static inline const char* name = "supervisor";
  supervisor_state() = default;
  supervisor_state(const supervisor_state&) = delete;
  supervisor_state& operator=(const supervisor_state&) = delete;
  /// An actor that dies of a bug comes here too: then it takes its layers with
  /// it, whose handles form rings, and tells the listener.
  ~supervisor_state();

  // -- one try after the other --
  void start();
  void next_try(duration at_least);
  void resolve(size_t remote);
  void resolved(size_t remote, const resolve_result& result);
  void connect(const endpoint& remote, bool tcp);
  void stop(reason why);
  void restart();

  // -- the session --
  void drain();
  void perform(protocol::open_negotiation& x);
  void perform(protocol::close_negotiation& x);
  void perform(protocol::derive_key& x);
  void perform(protocol::send_text& x);
  void perform(protocol::allow_soft_reset& x);
  void perform(protocol::configure_data& x);
  void perform(protocol::apply_tunnel& x);
  void perform(protocol::end_session& x);
  void tunnel_applied(tunnel_device& device);
  void remember_token();
  void use_token();
  void run_script(const std::vector<std::string>& words, const char* type,
                  std::function<void()> then);

  // -- the end --
  void close(std::function<void()> then);
  void close_next();
  void closed();
  void finish(failure what);
  void end_helpers();

  // -- small things --
  void note(std::string text, protocol::session_notice::level severity
                              = protocol::session_notice::level::info);
  void enter(protocol::phase what, std::string detail = {});
  void begin_generation();
  void go_on();
  void wake_at(time_point due);
  void monitor_layers();
  void child_down(const caf::down_msg& dm);
  supervisor_actor handle();
  caf::result<std::vector<layer_status>> collect_status();

  supervisor_actor::stateful_pointer<supervisor_state> self = nullptr;
  std::shared_ptr<const supervisor_config> cfg;
  std::optional<protocol::connect_plan> plan;
  activity doing = activity::idle;
  /// Counts tries; timeouts of an earlier one are ignored.
  uint64_t generation = 0;
  std::optional<time_point> armed;
  protocol::session_config session_cfg;
  std::optional<protocol::session> session;
  session_tree tree;
  host_actor host;
  resolver_actor resolver;
  runner_actor runner;
  secret auth_token;
  std::string auth_token_user;
  std::vector<std::string> script_words;
  std::vector<std::string> script_environment;
  bool script_ran = false;
  bool was_connected = false;
  /// Steps of closing that are left.
  std::deque<std::function<void()>> closing_steps;
  /// What comes when the wait or the closing is over.
  std::function<void()> next;
  reason last_reason = reason::none;
  reason stop_reason = reason::none;
  bool stopping = false;
  bool restarting = false;
};

/// A layer's time to finish or to answer, and everybody's together.
constexpr auto layer_limit = std::chrono::milliseconds{1500};
constexpr auto closing_limit = std::chrono::milliseconds{4500};

} // namespace vpn::actors
