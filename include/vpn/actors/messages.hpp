// Everything that crosses a mailbox. Commands are imperative, facts are in the
// past tense. Batches, descriptors and secrets stay inside the process: they
// cannot be serialised, nor printed.
#pragma once

#include "vpn/actors/packet_batch.hpp"
#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/fault_spec.hpp"
#include "vpn/protocol/session.hpp"

#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>

#include <memory>
#include <string>
#include <vector>

namespace vpn::actors {

// -- between the layers --

/// One wrapped control packet, ready for the wire.
struct control_datagram {
  bytes data;
};
/// TLS bytes, in order, cut anywhere.
struct tls_bytes {
  bytes data;
};
/// RELIABLE takes so many more messages.
struct window_open {
  uint32_t slots = 0;
};
/// Payload bytes that fit one control packet.
struct payload_limit {
  uint32_t size = 0;
};
/// The peer's reset has arrived: TLS may begin.
struct reset_arrived {
  uint16_t early_negotiation_flags = 0;
};
/// Send this text over the control channel.
struct text_command {
  std::string text;
};

// -- facts for SUPERVISOR --

/// The transport is connected, or for UDP bound; addresses as the kernel says.
struct transport_up {
  endpoint local, remote;
  /// A duplicate of the UDP socket, for the NETWORK that comes after this one.
  std::shared_ptr<const unique_fd> socket;
};
/// Addresses of this host are gone, or a way to the peer has changed.
struct addresses_changed {
  std::vector<ip_address> gone;
};
/// The machine slept for so many seconds.
struct host_woke {
  uint64_t slept = 0;
};
struct peer_known {
  protocol::session_id local, remote;
};
struct peer_answered {
  uint8_t key_id = 0;
};
struct soft_reset_seen {
  uint8_t key_id = 0;
};
struct key_installed {
  uint8_t key_id = 0;
};
/// A layer cannot go on, and why.
struct layer_failed {
  std::string layer;
  failure what;
};

// -- asking and answering --

/// One number of a layer: "tun_read_bytes".
struct layer_counter {
  std::string name;
  uint64_t value = 0;
};
/// What a layer tells about itself: a text for people, numbers for scripts.
struct layer_status {
  std::string layer;
  std::string text;
  std::vector<layer_counter> counters;
};
struct resolve_request {
  std::string host, port;
  family kind = family::unspecified;
  bool tcp = false;
};
/// Endpoints, or a failure other than `reason::none`.
struct resolve_result {
  std::vector<endpoint> endpoints;
  failure what{reason::none, {}};
};
struct run_request {
  std::vector<std::string> words;
  std::vector<std::string> environment;
  uint32_t limit_seconds = 60;
};
struct run_result {
  int status = 0;
  failure what{reason::none, {}};
};

/// What users of a session hear. `phase_began` and `session_notice` come from
/// the protocol library.
struct session_ended {
  reason why = reason::none;
  std::string text;
};

// -- only inside this process --

/// What HOST made of the routes and names of the tunnel.
struct routes_result {
  std::vector<std::string> warnings;
  failure what{reason::none, {}};
};
/// A control channel key on its way from TLS to MUXER.
struct control_key_box {
  std::shared_ptr<const key_block> exported;
};
/// MUXER has the key of dynamic tls-crypt, or could not take it.
struct control_key_installed {
  bool ok = true;
};
/// The device HOST has opened, and what it can do.
struct tunnel_device {
  std::shared_ptr<const unique_fd> fd;
  std::string name;
  bool vnet_header = false;
  bool tso = false;
  bool uso = false;
  /// The default gateways the host had before, for scripts.
  ip_address net_gateway4, net_gateway6;
  std::vector<std::string> warnings;
  failure what{reason::none, {}};
};
/// A data key on its way from TLS to DATA CHANNEL.
struct data_key_box {
  std::shared_ptr<const protocol::data_key_spec> spec;
};
/// A fact about one negotiation; may hold a password (server).
struct negotiation_fact {
  uint8_t key_id = 0;
  protocol::negotiation_event event;
};
struct data_fact {
  protocol::data_event event;
};
/// What SUPERVISOR works by.
struct supervisor_config;
using config_ptr = std::shared_ptr<const supervisor_config>;

// -- inspection --

#define VPN_INSPECT(type, ...)                                                 \
  template <class Inspector>                                                   \
  typename Inspector::result_type inspect(Inspector& f, type& x) {             \
    return f(caf::meta::type_name(#type), __VA_ARGS__);                        \
  }

VPN_INSPECT(control_datagram, x.data)
VPN_INSPECT(tls_bytes, x.data)
VPN_INSPECT(window_open, x.slots)
VPN_INSPECT(payload_limit, x.size)
VPN_INSPECT(reset_arrived, x.early_negotiation_flags)
VPN_INSPECT(text_command, x.text)
VPN_INSPECT(addresses_changed, x.gone)
VPN_INSPECT(host_woke, x.slept)
VPN_INSPECT(peer_known, x.local, x.remote)
VPN_INSPECT(peer_answered, x.key_id)
VPN_INSPECT(soft_reset_seen, x.key_id)
VPN_INSPECT(key_installed, x.key_id)
VPN_INSPECT(layer_failed, x.layer, x.what)
VPN_INSPECT(layer_counter, x.name, x.value)
VPN_INSPECT(layer_status, x.layer, x.text, x.counters)
VPN_INSPECT(routes_result, x.warnings, x.what)
VPN_INSPECT(control_key_installed, x.ok)
VPN_INSPECT(resolve_request, x.host, x.port, x.kind, x.tcp)
VPN_INSPECT(resolve_result, x.endpoints, x.what)
VPN_INSPECT(run_request, x.words, x.environment, x.limit_seconds)
VPN_INSPECT(run_result, x.status, x.what)
VPN_INSPECT(session_ended, x.why, x.text)

/// Messages compare by content, so that a test can say what it expects.
inline bool operator==(const control_datagram& x, const control_datagram& y) {
  return x.data == y.data;
}
inline bool operator==(const tls_bytes& x, const tls_bytes& y) {
  return x.data == y.data;
}
inline bool operator==(const window_open& x, const window_open& y) {
  return x.slots == y.slots;
}
inline bool operator==(const payload_limit& x, const payload_limit& y) {
  return x.size == y.size;
}
inline bool operator==(const peer_answered& x, const peer_answered& y) {
  return x.key_id == y.key_id;
}
inline bool operator==(const soft_reset_seen& x, const soft_reset_seen& y) {
  return x.key_id == y.key_id;
}
inline bool operator==(const key_installed& x, const key_installed& y) {
  return x.key_id == y.key_id;
}
inline bool operator==(const text_command& x, const text_command& y) {
  return x.text == y.text;
}

} // namespace vpn::actors

namespace vpn {

VPN_INSPECT(ip_address, x.kind, x.octets)
VPN_INSPECT(endpoint, x.address, x.port, x.scope)
VPN_INSPECT(failure, x.why, x.text)

namespace protocol {

VPN_INSPECT(session_id, x.value)
VPN_INSPECT(control_packet, x.op, x.key_id, x.source, x.acks, x.destination,
            x.id, x.payload)
VPN_INSPECT(control_message, x.op, x.payload)
VPN_INSPECT(phase_began, x.what, x.detail)
VPN_INSPECT(session_notice, x.severity, x.text)
VPN_INSPECT(url_offered, x.url, x.flags)

} // namespace protocol
} // namespace vpn

#undef VPN_INSPECT

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::transport_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::tunnel_device)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::data_key_box)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::control_key_box)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::negotiation_fact)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::data_fact)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::actors::config_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::derive_key)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::derive_control_key)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::configure_socket)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::data_channel_config)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::tunnel_config)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vpn::protocol::fault_spec)

CAF_BEGIN_TYPE_ID_BLOCK(vpn, caf::first_custom_type_id)
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::control_datagram))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::tls_bytes))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::window_open))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::payload_limit))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::reset_arrived))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::text_command))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::addresses_changed))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::host_woke))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::peer_known))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::peer_answered))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::soft_reset_seen))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::key_installed))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::layer_failed))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::layer_counter))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::layer_status))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::routes_result))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::control_key_installed))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::resolve_request))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::resolve_result))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::run_request))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::run_result))
  CAF_ADD_TYPE_ID(vpn, (vpn::actors::session_ended))
  CAF_ADD_TYPE_ID(vpn, (vpn::protocol::control_packet))
  CAF_ADD_TYPE_ID(vpn, (vpn::protocol::control_message))
  CAF_ADD_TYPE_ID(vpn, (vpn::protocol::phase_began))
  CAF_ADD_TYPE_ID(vpn, (vpn::protocol::session_notice))
  CAF_ADD_TYPE_ID(vpn, (vpn::protocol::url_offered))
  // Packets on their way to TUN, and to the network.
  CAF_ADD_ATOM(vpn, vpn::atom, up, "up")
  CAF_ADD_ATOM(vpn, vpn::atom, down, "down")
  // Wiring: the handle of a neighbour.
  CAF_ADD_ATOM(vpn, vpn::atom, attach, "attach")
  CAF_ADD_ATOM(vpn, vpn::atom, detach, "detach")
  CAF_ADD_ATOM(vpn, vpn::atom, start, "start")
  CAF_ADD_ATOM(vpn, vpn::atom, stop, "stop")
  CAF_ADD_ATOM(vpn, vpn::atom, restart, "restart")
  // Finish what is under way, then answer.
  CAF_ADD_ATOM(vpn, vpn::atom, shutdown, "shutdown")
  CAF_ADD_ATOM(vpn, vpn::atom, status, "status")
  CAF_ADD_ATOM(vpn, vpn::atom, apply, "apply")
  CAF_ADD_ATOM(vpn, vpn::atom, undo, "undo")
  // A server is to be reached around the tunnel.
  CAF_ADD_ATOM(vpn, vpn::atom, exempt, "exempt")
  CAF_ADD_ATOM(vpn, vpn::atom, install, "install")
  CAF_ADD_ATOM(vpn, vpn::atom, derive, "derive")
  // Routes and names of a tunnel whose addresses are set.
  CAF_ADD_ATOM(vpn, vpn::atom, route, "route")
  // Say inside the tunnel that we leave.
  CAF_ADD_ATOM(vpn, vpn::atom, leave, "leave")
  // The peer's certificate found favour.
  CAF_ADD_ATOM(vpn, vpn::atom, accept, "accept")
  // Something only a person can answer.
  CAF_ADD_ATOM(vpn, vpn::atom, ask, "ask")
  // A soft reset of this key id is welcome.
  CAF_ADD_ATOM(vpn, vpn::atom, allow, "allow")
  // The peer was heard on the control channel.
  CAF_ADD_ATOM(vpn, vpn::atom, heard, "heard")
  CAF_ADD_ATOM(vpn, vpn::atom, timeout, "timeout")
  // A fault actor works by this specification; SUPERVISOR: sets or ends faults.
  CAF_ADD_ATOM(vpn, vpn::atom, fault, "fault")
  CAF_ADD_ATOM(vpn, vpn::atom, pause, "pause")
  CAF_ADD_ATOM(vpn, vpn::atom, clear, "clear")
  // Ping the peer at once.
  CAF_ADD_ATOM(vpn, vpn::atom, ping, "ping")
  // Each layer is to say that it lives.
  CAF_ADD_ATOM(vpn, vpn::atom, beat, "beat")
CAF_END_TYPE_ID_BLOCK(vpn)
