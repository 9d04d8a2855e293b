// SUPERVISOR's state, shared by its sources: one try after the other
// (supervisor.cpp, supervisor_try.cpp), the session's actions
// (supervisor_session.cpp), the tunnel on this host and the user's scripts
// (supervisor_tunnel.cpp), layers that die or hang (supervisor_layers.cpp),
// faults (supervisor_faults.cpp), and the end of a tree
// (supervisor_closing.cpp).
#pragma once

#include "vpn/protocol/connect_plan.hpp"
#include "vpn/protocol/restart_intensity.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <set>

#include "script_environment.hpp"
#include "session_tree.hpp"

namespace vpn::actors {

/// What SUPERVISOR is doing, around the session's own states.
enum class activity : uint8_t { idle, waiting, running, closing, done };

/// HOST, RESOLVER or RUNNER: asked one thing at a time, and replaced when it
/// dies.
template <class Interface>
struct helper {
  place<Interface> at;
  /// What is to be done when the answer to a question will never come.
  std::map<uint64_t, std::function<void()>> unanswered;
};

/// A session whose control channel is gone: its keys carry data until the next
/// session is there. Another tree with buffers of its own.
struct session_beside {
  session_tree tree;
  uint64_t number = 0;
  /// The peer is told inside the tunnel when everything ends.
  bool owes_goodbye = false;
};

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
  void next_try(duration at_least, bool at_once = false);
  void begin_try(const protocol::connect_plan::step& step);
  /// Asks a person for what is missing, then goes on; nobody there ends it all.
  void with_credentials(std::function<void()> then);
  void ask(const protocol::question& what,
           std::function<void(protocol::answer)> then);
  void answered(uint64_t id, protocol::answer x);
  void resolve(size_t remote);
  void resolve_proxy(size_t remote, const endpoint& target);
  void ask_resolver(resolve_request what,
                    std::function<void(const resolve_result&)> then);
  void resolved(size_t remote, const resolve_result& result,
                const endpoint& target);
  void resolve_failed(const failure& what);
  void connect(const endpoint& remote, const protocol::remote_entry* entry
                                       = nullptr);
  void stop(reason why);
  void restart();
  void reconfigure(config_ptr x);
  void take_configuration();

  // -- layers that die or hang --
  void follow_layers();
  void child_down(const caf::down_msg& dm);
  void layer_lost(const layer_seat& which, succession how,
                  const std::string& text);
  void replace(const layer_seat& which, succession how);
  bool may_restart(const std::string& what);
  void beat();
  void beat_layers();
  void loop_silent();
  void addresses_gone(const std::vector<ip_address>& gone);
  void woke(uint64_t slept);
  void ping();
  void go_beside(time_point until);
  void end_beside();
  template <class Interface>
  void spawn_helper(helper<Interface>& x, protocol::layer what, Interface hdl);
  template <class Interface>
  bool helper_down(helper<Interface>& x, protocol::layer what,
                   const caf::down_msg& dm,
                   const std::function<Interface()>& spawn);
  /// Asks a helper; `failed` is told whether it died over the question.
  template <class Result, class Interface, class Then, class Failed,
            class... Ts>
  void ask_helper(helper<Interface>& x, duration limit, Then then,
                  Failed failed, Ts&&... what);
  void replace_resolver();
  void respawn_host();
  void keep_way_to_server(std::function<void()> then);
  void spawn_helpers();
  void need_runner();

  // -- faults --
  caf::result<std::string> set_fault(const std::string& text);
  void clear_faults();
  void spend_faults(protocol::layer what);
  void fit_faults();
  void pause_faults(bool x);

  // -- the session --
  void drain();
  void tell();
  void perform(protocol::open_negotiation& x);
  void perform(protocol::close_negotiation& x);
  void perform(protocol::derive_key& x);
  void perform(protocol::derive_control_key& x);
  void perform(protocol::judge_peer& x);
  void perform(protocol::accept_peer& x);
  void perform(protocol::ask_person& x);
  void perform(protocol::send_text& x);
  void perform(protocol::send_data_exit& x);
  void perform(protocol::allow_soft_reset& x);
  void perform(protocol::configure_socket& x);
  void perform(protocol::configure_data& x);
  void perform(protocol::apply_tunnel& x);
  void perform(protocol::end_session& x);
  void hear(const protocol::phase_began& x);
  void remember_token();
  void remember_peer(const protocol::negotiation_event& x);
  void use_credentials();
  void judge(std::vector<protocol::peer_certificate> rest);
  void session_failed(failure what);
  /// Wraps a continuation: it does nothing when this try is over.
  template <class... Ts, class F>
  std::function<void(Ts...)> while_running(F f) {
    return [this, f, g = generation](Ts... xs) {
      if (g == generation && doing == activity::running)
        f(std::forward<Ts>(xs)...);
    };
  }

  // -- the tunnel on this host --
  void reopen_device();
  void ask_for_tunnel();
  void host_returned();
  void tunnel_applied(tunnel_device& device);
  void add_routes();
  void ask_for_routes();
  void routes_added(const routes_result& result);
  void tunnel_ready();
  void run_script(const char* type, std::vector<std::string> words,
                  const script_facts& about, std::function<void(bool ok)> then);
  std::vector<std::string>
  with_arguments(std::vector<std::string> words,
                 const std::vector<std::string>& more) const;

  // -- the end --
  void close(std::function<void()> then);
  void close_keeping_device();
  void add_undo_steps();
  void undo_tunnel(const std::function<void()>& done);
  std::string signal_word() const;
  void add_closing_step(std::function<void(const std::function<void()>&)> step);
  void add_script_step(const char* type, const std::vector<std::string>& words,
                       std::vector<std::string> more);
  void close_next();
  void closed();
  void closing_timed_out();
  void give_up_layers();
  void finish(failure what);
  void call_off_questions();
  void end_helpers();

  // -- small things --
  void note(std::string text, protocol::session_notice::level severity
                              = protocol::session_notice::level::info);
  void warn(std::string text) {
    note(std::move(text), protocol::session_notice::level::warning);
  }
  void enter(protocol::phase what, std::string detail = {});
  void begin_generation();
  void go_on();
  void wake_at(time_point due);
  supervisor_actor handle();
  caf::result<std::vector<layer_status>> collect_status();

  supervisor_actor::stateful_pointer<supervisor_state> self = nullptr;
  std::shared_ptr<const supervisor_config> cfg;
  std::optional<protocol::connect_plan> plan;
  protocol::credentials creds;
  activity doing = activity::idle;
  /// Counts tries; timeouts of an earlier one are ignored.
  uint64_t generation = 0;
  /// Wake-ups of this generation that are under way, the earliest last.
  std::vector<time_point> armed;
  /// The server's address, for datagrams through a SOCKS proxy.
  endpoint proxy_target;
  /// Since when names have not resolved.
  std::optional<time_point> unresolved_since;
  protocol::session_config session_cfg;
  std::optional<protocol::session> session;
  session_tree tree;
  std::unique_ptr<session_beside> beside;
  uint64_t sessions_beside = 0;
  bool port_is_fixed = false;
  /// Where the socket leads: the server, or a proxy.
  endpoint outer_remote;
  /// The server has asked for this wait.
  bool wait_is_ordered = false;
  time_point may_hurry_at{};
  /// What the layers of this tree were told last: one that is replaced may not
  /// have heard it.
  struct {
    std::optional<uint8_t> allowed_key;
    std::optional<protocol::data_channel_config> data;
    std::optional<protocol::configure_socket> socket;
  } told;
  /// Layers whose end is told to us.
  std::set<caf::actor_addr> followed;
  protocol::restart_intensity intensity;
  std::vector<protocol::fault_spec> faults;
  config_ptr next_cfg;
  helper<host_actor> host;
  helper<resolver_actor> resolver;
  helper<runner_actor> runner;
  uint64_t questions_to_helpers = 0;
  loop_beat_actor loop_beat;
  host_watch_actor host_watch;
  prompter_actor prompter;
  /// What PROMPTER has not answered yet.
  std::map<uint64_t, std::function<void(protocol::answer)>> open_questions;
  uint64_t questions_asked = 0;
  /// The tunnel that HOST holds: its device, what it was made of, and whether
  /// `up` and the routes are done.
  std::string device;
  /// Its descriptor, for a TUN that comes later.
  tunnel_device opened;
  std::string tunnel_digest;
  /// What scripts are told about this try, and about the tunnel that stands.
  script_facts facts;
  script_facts standing;
  bool tunnel_stands = false;
  /// HOST is at work on one, and another is wanted after it.
  bool tunnel_under_way = false;
  /// HOST has died and finds its way again: no script hears of it.
  bool restoring = false;
  bool tunnel_wanted_again = false;
  bool up_ran = false;
  bool routes_stand = false;
  bool was_connected = false;
  /// Steps of closing that are left.
  std::deque<std::function<void()>> closing_steps;
  /// Number of the step under way, and how many of layers are not done yet, the
  /// one under way included.
  size_t closing_step = 0;
  size_t layers_to_close = 0;
  /// When closing ends, whatever is left.
  time_point closing_until{};
  /// How OpenVPN calls the end of the last session.
  std::string ending;
  /// What comes when the wait or the closing is over.
  std::function<void()> next;
  reason last_reason = reason::none;
  /// OpenVPN's word for why the next try follows.
  std::string restart_note;
  reason stop_reason = reason::none;
  bool stopping = false;
  bool restarting = false;
  /// Another try follows the closing.
  bool comes_back = false;
};

/// "[AF_INET]" and "[AF_INET]192.0.2.1:1194", as logs and scripts have it.
std::string socket_family(const endpoint& x);
std::string socket_name(const endpoint& x);

template <class Result, class Interface, class Then, class Failed, class... Ts>
void supervisor_state::ask_helper(helper<Interface>& x, duration limit,
                                  Then then, Failed failed, Ts&&... what) {
  auto id = ++questions_to_helpers;
  x.unanswered[id] = [failed] {
    failed(true);
  };
  self->request(x.at.front.handle(), limit, std::forward<Ts>(what)...)
    .then(
      [&x, id, then](Result& result) {
        if (x.unanswered.erase(id) > 0)
          then(result);
      },
      [&x, id, failed](const caf::error& err) {
        // Its end is told in a message of its own.
        if (err != caf::sec::request_receiver_down
            && x.unanswered.erase(id) > 0)
          failed(false);
      });
}

/// A layer's time to finish or to answer, and everybody's together.
constexpr auto layer_limit = std::chrono::milliseconds{1500};
constexpr auto closing_limit = std::chrono::milliseconds{4500};
/// A change of the host.
constexpr auto host_limit = std::chrono::seconds{30};
/// A script, which RUNNER ends a little earlier.
constexpr auto script_limit = std::chrono::seconds{65};

} // namespace vpn::actors
