// Stand-ins for everything around a session that touches the world: HOST,
// RESOLVER, RUNNER, PROMPTER, TUN and the listener. Each writes down what it
// was told.
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <functional>
#include <map>
#include <vector>

namespace vpn::test {

/// What PROMPTER does when it has no answer left.
enum class prompter_mood : uint8_t {
  /// Says that nobody is there.
  absent,
  /// Thinks for ever.
  silent,
  /// Dies.
  dying,
};

/// What the dummies of one session saw. Outlives them.
struct session_record {
  std::vector<protocol::session_notice> notices;
  std::vector<protocol::phase> phases;
  std::vector<actors::session_ended> ended;
  /// Where a browser was sent.
  std::vector<std::string> urls;
  /// What a person was asked, and what it answers next; nobody is there when
  /// there is no answer.
  std::vector<protocol::question> questions;
  std::vector<protocol::answer> answers;
  prompter_mood mood = prompter_mood::absent;
  /// What HOST was to apply, and how often to undo.
  std::vector<protocol::tunnel_config> applied;
  size_t undone = 0;
  /// What HOST answers.
  failure host_answer{reason::none, {}};
  /// How often HOST was to add routes, and what it answers.
  size_t routed = 0;
  actors::routes_result routes_answer;
  /// Servers that were to be reached around the tunnel.
  std::vector<endpoint> exempted;
  /// How long HOST takes to apply.
  duration host_delay{};
  /// What RESOLVER was asked, and what it answers, to some names in special.
  std::vector<actors::resolve_request> lookups;
  actors::resolve_result resolved;
  std::map<std::string, actors::resolve_result> resolved_names;
  /// Scripts that were to run, and what RUNNER answers, by `script_type`; after
  /// `run_delay` of the type in `slow_script`.
  std::vector<actors::run_request> runs;
  std::function<actors::run_result(const std::string& type)> run_answer;
  std::string slow_script;
  duration run_delay{};
  /// HOST's changes and scripts in one list: "apply", "up", "route", "undo".
  std::vector<std::string> order;
  /// IP packets that reached the TUN, in order.
  std::vector<bytes> packets;
  /// How many devices TUN was given.
  size_t devices = 0;
  /// Takes packets on their way down: DATA CHANNEL of the tree whose TUN has
  /// the device.
  actors::batch_down_actor below_tun;

  bool noted(std::string_view part) const {
    for (auto& x : notices)
      if (x.text.find(part) != std::string::npos)
        return true;
    return false;
  }
  /// How often.
  size_t times(std::string_view part) const {
    size_t result = 0;
    for (auto& x : notices)
      result += x.text.find(part) != std::string::npos ? 1 : 0;
    return result;
  }
  /// The words of the first script of this type; empty when it did not run.
  std::vector<std::string> words_of(const std::string& type) const;
  /// A variable of the newest script of this type; "?" when it is not there.
  std::string variable(const std::string& type, const std::string& name) const;
  /// "apply up route route-up".
  std::string joined_order() const {
    std::string result;
    for (auto& x : order)
      result += (result.empty() ? "" : " ") + x;
    return result;
  }
  size_t count(protocol::phase what) const {
    size_t result = 0;
    for (auto x : phases)
      result += x == what ? 1 : 0;
    return result;
  }
};

/// The value of `name` among NAME=VALUE strings; "?" when it is not there.
inline std::string variable_of(const std::vector<std::string>& environment,
                               const std::string& name) {
  for (auto& x : environment)
    if (x.compare(0, name.size() + 1, name + '=') == 0)
      return x.substr(name.size() + 1);
  return "?";
}

inline std::vector<std::string>
session_record::words_of(const std::string& type) const {
  for (auto& x : runs)
    if (variable_of(x.environment, "script_type") == type)
      return x.words;
  return {};
}

inline std::string session_record::variable(const std::string& type,
                                            const std::string& name) const {
  for (auto i = runs.rbegin(); i != runs.rend(); ++i)
    if (variable_of(i->environment, "script_type") == type)
      return variable_of(i->environment, name);
  return "?";
}

using host_dummy_actor
  = actors::host_actor::extend<caf::reacts_to<atom::timeout>>;

struct host_dummy_state {
  static inline const char* name = "host_dummy";
  host_dummy_state() = default;
  caf::typed_response_promise<actors::tunnel_device> promise;
};

inline host_dummy_actor::behavior_type
host_dummy(host_dummy_actor::stateful_pointer<host_dummy_state> self,
           session_record* record) {
  auto answer = [record] {
    actors::tunnel_device result;
    result.name = "tun0";
    result.what = record->host_answer;
    return result;
  };
  return {
    [self, record, answer](atom::apply, const protocol::tunnel_config& x)
      -> caf::result<actors::tunnel_device> {
      record->applied.push_back(x);
      record->order.emplace_back("apply");
      if (record->host_delay == duration::zero())
        return answer();
      auto& promise = self->state.promise;
      promise = self->make_response_promise<actors::tunnel_device>();
      self->delayed_send(self, record->host_delay, atom::timeout_v);
      return promise;
    },
    [record](atom::route) {
      ++record->routed;
      record->order.emplace_back("route");
      return record->routes_answer;
    },
    [record](atom::exempt, const endpoint& x) {
      record->exempted.push_back(x);
      return actors::routes_result{};
    },
    [record](atom::undo) {
      ++record->undone;
      record->order.emplace_back("undo");
      return actors::layer_status{"host", "", {}};
    },
    [self, answer](atom::timeout) {
      self->state.promise.deliver(answer());
    },
  };
}

inline actors::resolver_actor::behavior_type
resolver_dummy(actors::resolver_actor::pointer, session_record* record) {
  return {[record](const actors::resolve_request& x) {
    record->lookups.push_back(x);
    auto i = record->resolved_names.find(x.host);
    return i != record->resolved_names.end() ? i->second : record->resolved;
  }};
}

using runner_dummy_actor = actors::runner_actor::extend<
  caf::reacts_to<atom::timeout, actors::run_result>>;

struct runner_dummy_state {
  static inline const char* name = "runner_dummy";
  runner_dummy_state() = default;
  caf::typed_response_promise<actors::run_result> promise;
};

inline runner_dummy_actor::behavior_type
runner_dummy(runner_dummy_actor::stateful_pointer<runner_dummy_state> self,
             session_record* record) {
  return {
    [self, record](const actors::run_request& x) //
    -> caf::result<actors::run_result> {
      auto type = variable_of(x.environment, "script_type");
      record->runs.push_back(x);
      record->order.push_back(type);
      actors::run_result result;
      if (record->run_answer)
        result = record->run_answer(type);
      if (type != record->slow_script)
        return result;
      auto& promise = self->state.promise;
      promise = self->make_response_promise<actors::run_result>();
      self->delayed_send(self, record->run_delay, atom::timeout_v, result);
      return promise;
    },
    [self](atom::timeout, const actors::run_result& x) {
      self->state.promise.deliver(x);
    },
  };
}

inline actors::prompter_actor::behavior_type
prompter_dummy(actors::prompter_actor::pointer self, session_record* record) {
  return {[self, record](atom::ask, const protocol::question& x) //
          -> caf::result<protocol::answer> {
    record->questions.push_back(x);
    if (!record->answers.empty()) {
      auto result = record->answers.front();
      record->answers.erase(record->answers.begin());
      return result;
    }
    if (record->mood == prompter_mood::absent)
      return protocol::answer{};
    auto promise = self->make_response_promise<protocol::answer>();
    if (record->mood == prompter_mood::dying)
      self->quit(caf::exit_reason::kill);
    return promise;
  }};
}

/// What a person types.
inline protocol::answer typed(std::string_view password,
                              std::string_view response = {},
                              std::string username = {}) {
  protocol::answer result;
  result.given = true;
  result.username = std::move(username);
  result.password = secret{password};
  result.response = secret{response};
  return result;
}

/// With a device, packets from it go to `below`.
inline actors::tun_actor::behavior_type
tun_dummy(actors::tun_actor::pointer, session_record* record,
          actors::batch_down_actor below) {
  if (!record->below_tun)
    record->below_tun = below;
  return {
    [record, below](atom::attach, const actors::tunnel_device&) {
      ++record->devices;
      record->below_tun = below;
    },
    [record](atom::up, actors::batch_ptr& batch) {
      for (auto& run : *batch)
        record->packets.push_back(batch->view(run).copy());
    },
    [](atom::shutdown) {
      return actors::layer_status{"tun", "", {}};
    },
    [](atom::status) {
      return actors::layer_status{"tun", "", {}};
    },
  };
}

inline actors::session_listener_actor::behavior_type
listener_dummy(actors::session_listener_actor::pointer,
               session_record* record) {
  return {
    [record](const protocol::session_notice& x) {
      record->notices.push_back(x);
    },
    [record](const protocol::phase_began& x) {
      record->phases.push_back(x.what);
    },
    [record](const protocol::url_offered& x) {
      record->urls.push_back(x.url);
    },
    [record](const actors::session_ended& x) {
      record->ended.push_back(x);
    },
  };
}

} // namespace vpn::test
