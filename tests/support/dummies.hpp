// Stand-ins for everything around a session that touches the world: HOST,
// RESOLVER, TUN and the listener. Each writes down what it was told.
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <vector>

namespace vpn::test {

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
  /// What HOST was to apply, and how often to undo.
  std::vector<protocol::tunnel_config> applied;
  size_t undone = 0;
  /// What HOST answers.
  failure host_answer{reason::none, {}};
  /// How often HOST was to add routes, and what it answers.
  size_t routed = 0;
  actors::routes_result routes_answer;
  /// How long HOST takes to apply.
  duration host_delay{};
  /// What RESOLVER answers.
  actors::resolve_result resolved;
  /// IP packets that reached the TUN, in order.
  std::vector<bytes> packets;
  /// How many devices TUN was given.
  size_t devices = 0;
  /// Takes packets on their way down: DATA CHANNEL of the newest tree.
  actors::batch_down_actor below_tun;

  bool noted(std::string_view part) const {
    for (auto& x : notices)
      if (x.text.find(part) != std::string::npos)
        return true;
    return false;
  }
  size_t count(protocol::phase what) const {
    size_t result = 0;
    for (auto x : phases)
      result += x == what ? 1 : 0;
    return result;
  }
};

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
      if (record->host_delay == duration::zero())
        return answer();
      auto& promise = self->state.promise;
      promise = self->make_response_promise<actors::tunnel_device>();
      self->delayed_send(self, record->host_delay, atom::timeout_v);
      return promise;
    },
    [record](atom::route) {
      ++record->routed;
      return record->routes_answer;
    },
    [record](atom::undo) {
      ++record->undone;
      return actors::layer_status{"host", "", {}};
    },
    [self, answer](atom::timeout) {
      self->state.promise.deliver(answer());
    },
  };
}

inline actors::resolver_actor::behavior_type
resolver_dummy(actors::resolver_actor::pointer, session_record* record) {
  return {[record](const actors::resolve_request&) {
    return record->resolved;
  }};
}

inline actors::prompter_actor::behavior_type
prompter_dummy(actors::prompter_actor::pointer, session_record* record) {
  return {[record](atom::ask, const protocol::question& x) {
    record->questions.push_back(x);
    protocol::answer result;
    if (!record->answers.empty()) {
      result = record->answers.front();
      record->answers.erase(record->answers.begin());
    }
    return result;
  }};
}

inline actors::tun_actor::behavior_type tun_dummy(actors::tun_actor::pointer,
                                                  session_record* record) {
  return {
    [record](atom::attach, const actors::tunnel_device&) {
      ++record->devices;
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
