// Everything around one layer in a single dummy: it wears the interfaces of all
// neighbours and writes down what each of them is told.
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <string>
#include <vector>

namespace vpn::test {

using world_actor = caf::typed_actor<
  caf::reacts_to<atom::up, actors::batch_ptr>,
  caf::reacts_to<atom::down, actors::batch_ptr>,
  caf::reacts_to<actors::control_datagram>,
  caf::reacts_to<protocol::control_packet>,
  caf::reacts_to<protocol::control_message>,
  caf::reacts_to<actors::window_open>, caf::reacts_to<actors::tls_bytes>,
  caf::reacts_to<actors::reset_arrived>, caf::reacts_to<actors::payload_limit>,
  caf::reacts_to<atom::heard>,
  caf::replies_to<atom::install, actors::data_key_box>::with<uint8_t>,
  caf::replies_to<atom::install,
                  actors::control_key_box>::with<actors::control_key_installed>,
  caf::reacts_to<actors::transport_up>, caf::reacts_to<actors::layer_failed>,
  caf::reacts_to<actors::peer_known>, caf::reacts_to<actors::soft_reset_seen>,
  caf::reacts_to<actors::peer_answered>,
  caf::reacts_to<actors::negotiation_fact>,
  caf::reacts_to<actors::key_installed>,
  caf::reacts_to<actors::control_key_installed>,
  caf::reacts_to<actors::data_fact>>;

/// What the neighbours of a layer were told. Outlives the dummy.
struct world_record {
  std::vector<bytes> up, down;
  /// Batches that came down, whole, when `keep` is set.
  std::vector<actors::batch_ptr> batches;
  bool keep = false;
  std::vector<bytes> datagrams;
  std::vector<protocol::control_packet> packets;
  std::vector<protocol::control_message> messages;
  /// Slots granted, in sum.
  size_t slots = 0;
  bytes tls;
  size_t resets = 0;
  std::vector<uint32_t> limits;
  size_t heard = 0;
  std::vector<std::shared_ptr<const protocol::data_key_spec>> keys;
  std::vector<std::shared_ptr<const key_block>> control_keys;
  /// How often SUPERVISOR heard that MUXER has the key.
  size_t control_installed = 0;
  /// What `install` answers: the key id, an error, or nothing at all.
  enum class answer : uint8_t { yes, no, never };
  answer on_install = answer::yes;

  std::vector<actors::layer_failed> failures;
  std::vector<actors::peer_known> peers;
  std::vector<uint8_t> soft_resets, answered, installed;
  std::vector<protocol::negotiation_event> events;
  std::vector<protocol::data_event> data_events;
  /// The kinds of all of these in the order in which they came.
  std::vector<std::string> log;

  template <class T>
  size_t count() const {
    size_t result = 0;
    for (auto& x : events)
      result += std::holds_alternative<T>(x) ? 1 : 0;
    return result;
  }
  template <class T>
  size_t data_count() const {
    size_t result = 0;
    for (auto& x : data_events)
      result += std::holds_alternative<T>(x) ? 1 : 0;
    return result;
  }
  /// The only event of its kind, or null.
  template <class T>
  const T* only() const {
    const T* result = nullptr;
    for (auto& x : events)
      if (auto y = std::get_if<T>(&x)) {
        if (result != nullptr)
          return nullptr;
        result = y;
      }
    return result;
  }
};

inline world_actor::behavior_type world(world_actor::pointer self,
                                        world_record* r) {
  auto copy = [](std::vector<bytes>& to, const actors::packet_batch& from) {
    for (const auto& run : from)
      to.push_back(from.view(run).copy());
  };
  return {
    [=](atom::up, actors::batch_ptr& x) {
      r->log.push_back("up");
      copy(r->up, *x);
    },
    [=](atom::down, actors::batch_ptr& x) {
      r->log.push_back("down");
      copy(r->down, *x);
      if (r->keep)
        r->batches.push_back(std::move(x));
    },
    [=](actors::control_datagram& x) {
      r->log.push_back("datagram");
      r->datagrams.push_back(std::move(x.data));
    },
    [=](protocol::control_packet& x) {
      r->log.push_back("packet");
      r->packets.push_back(std::move(x));
    },
    [=](protocol::control_message& x) {
      r->log.push_back("message");
      r->messages.push_back(std::move(x));
    },
    [=](const actors::window_open& x) {
      r->log.push_back("window");
      r->slots += x.slots;
    },
    [=](const actors::tls_bytes& x) {
      r->log.push_back("tls");
      r->tls.insert(r->tls.end(), x.data.begin(), x.data.end());
    },
    [=](const actors::reset_arrived&) {
      r->log.push_back("reset");
      ++r->resets;
    },
    [=](const actors::payload_limit& x) {
      r->log.push_back("limit");
      r->limits.push_back(x.size);
    },
    [=](atom::heard) {
      r->log.push_back("heard");
      ++r->heard;
    },
    [=](atom::install, const actors::data_key_box& x) -> caf::result<uint8_t> {
      r->log.push_back("install");
      r->keys.push_back(x.spec);
      switch (r->on_install) {
        case world_record::answer::yes:
          return x.spec->key_id;
        case world_record::answer::no:
          return caf::make_error(caf::sec::runtime_error, "no");
        default:
          return self->make_response_promise<uint8_t>();
      }
    },
    [=](atom::install, const actors::control_key_box& x)
      -> caf::result<actors::control_key_installed> {
      r->log.push_back("install control");
      r->control_keys.push_back(x.exported);
      if (r->on_install == world_record::answer::never)
        return self->make_response_promise<actors::control_key_installed>();
      return actors::control_key_installed{r->on_install
                                           == world_record::answer::yes};
    },
    [=](const actors::transport_up&) {
      r->log.push_back("transport up");
    },
    [=](const actors::layer_failed& x) {
      r->log.push_back("failed");
      r->failures.push_back(x);
    },
    [=](const actors::peer_known& x) {
      r->log.push_back("peer known");
      r->peers.push_back(x);
    },
    [=](const actors::soft_reset_seen& x) {
      r->log.push_back("soft reset");
      r->soft_resets.push_back(x.key_id);
    },
    [=](const actors::peer_answered& x) {
      r->log.push_back("answered");
      r->answered.push_back(x.key_id);
    },
    [=](actors::negotiation_fact& x) {
      r->log.push_back("negotiation");
      r->events.push_back(std::move(x.event));
    },
    [=](const actors::key_installed& x) {
      r->log.push_back("installed");
      r->installed.push_back(x.key_id);
    },
    [=](const actors::control_key_installed& x) {
      r->log.push_back("control installed");
      r->control_installed += x.ok ? 1 : 0;
    },
    [=](const actors::data_fact& x) {
      r->log.push_back("data");
      r->data_events.push_back(x.event);
    },
  };
}

} // namespace vpn::test
