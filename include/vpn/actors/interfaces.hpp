// Every typed interface of this library: the first file to read. An actor holds
// the narrowest handle that serves it, so a fault actor, a recorder or a dummy
// fits before or behind any other.
//
//   network up:   NETWORK -> MUXER -> DATA CHANNEL -> TUN
//                             MUXER -> RELIABLE -> CONTROL -> TLS
//   network down: TUN -> DATA CHANNEL -> MUXER -> NETWORK
//                             TLS -> CONTROL -> RELIABLE -> MUXER
#pragma once

#include "vpn/actors/messages.hpp"

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

namespace vpn::actors {

// -- shared protocols --

/// Accepts packets on their way up, to TUN. Worn by MUXER (datagrams), DATA
/// CHANNEL (data packets) and TUN (IP packets).
using batch_up_actor = caf::typed_actor<
  // One batch, in order; ownership moves.
  caf::reacts_to<atom::up, batch_ptr>>;

/// Accepts packets on their way down, to the network. Worn by DATA CHANNEL (IP
/// packets and trains), MUXER and NETWORK (sealed datagrams).
using batch_down_actor = caf::typed_actor<
  // One batch, in order; ownership moves.
  caf::reacts_to<atom::down, batch_ptr>>;

/// Accepts wrapped control packets for the wire. Worn by NETWORK.
using control_out_actor = caf::typed_actor<
  // One datagram; sent before data that waits.
  caf::reacts_to<control_datagram>>;

/// The way to the network, for data and control. Worn by NETWORK.
using wire_actor = batch_down_actor::extend_with<control_out_actor>;

/// Accepts control packets. Worn by MUXER (down) and RELIABLE (up).
using control_sink_actor = caf::typed_actor<
  // One parsed packet, in any order.
  caf::reacts_to<protocol::control_packet>>;

/// Accepts ordered messages. Worn by RELIABLE (down) and CONTROL (up).
using message_sink_actor = caf::typed_actor<
  // The next message, exactly once.
  caf::reacts_to<protocol::control_message>>;

/// Accepts TLS bytes. Worn by CONTROL (down) and TLS (up).
using tls_sink_actor = caf::typed_actor<
  // The next bytes, in order.
  caf::reacts_to<tls_bytes>>;

/// Every layer: finishes and tells about itself.
using layer_actor = caf::typed_actor<
  // Finishes what is under way, within bounds of its own, and answers; the
  // layer still lives afterwards.
  caf::replies_to<atom::shutdown>::with<layer_status>,
  // Counters, for people.
  caf::replies_to<atom::status>::with<layer_status>>;

// -- who hears facts: all worn by SUPERVISOR --

using transport_observer_actor = caf::typed_actor<
  // The transport is connected.
  caf::reacts_to<transport_up>,
  // A layer cannot go on.
  caf::reacts_to<layer_failed>>;

using mux_observer_actor = caf::typed_actor<
  // Both session ids are known.
  caf::reacts_to<peer_known>,
  // The peer wants a new key; its packets are parked until `attach`.
  caf::reacts_to<soft_reset_seen>>;

using negotiation_observer_actor = caf::typed_actor<
  // The peer answered our reset, or opened with its own.
  caf::reacts_to<peer_answered>,
  // TLS is up, keys are exchanged, a text came, or it failed.
  caf::reacts_to<negotiation_fact>,
  // DATA CHANNEL has the key.
  caf::reacts_to<key_installed>,
  // MUXER has the key of dynamic tls-crypt.
  caf::reacts_to<control_key_installed>>;

using data_observer_actor = caf::typed_actor<
  // The peer is silent, ids run out, a key was confirmed.
  caf::reacts_to<data_fact>>;

using device_observer_actor = caf::typed_actor<
  // The device is gone.
  caf::reacts_to<layer_failed>>;

/// Who hears what becomes of this host. Worn by SUPERVISOR.
using host_observer_actor = caf::typed_actor<
  // Addresses are gone or ways have changed.
  caf::reacts_to<addresses_changed>,
  // The machine has slept.
  caf::reacts_to<host_woke>>;

/// What a user of a session hears: a console, a log, a remote watcher.
using session_listener_actor = caf::typed_actor<
  // Something to read, in the words scripts wait for.
  caf::reacts_to<protocol::session_notice>,
  // A phase of connecting began.
  caf::reacts_to<protocol::phase_began>,
  // The server waits until a person has been there with a browser.
  caf::reacts_to<protocol::url_offered>,
  // It is over. The last message of a session.
  caf::reacts_to<session_ended>>;

// -- the layers --

/// NETWORK: the socket. UDP or TCP; batching and framing.
using network_actor = caf::typed_actor<
  // Where received datagrams go.
  caf::reacts_to<atom::attach, batch_up_actor>,
  // Opens the socket; `transport_up` or `layer_failed` follows.
  caf::reacts_to<atom::start>,
  // Socket buffers and options that the server wants.
  caf::reacts_to<protocol::configure_socket>,
  // INTERNAL: a TCP connect took too long.
  caf::reacts_to<atom::timeout>>::extend_with<batch_down_actor>::
  extend_with<control_out_actor>::extend_with<layer_actor>;

/// Who hears that control packets arrive. Worn by DATA CHANNEL.
using heard_sink_actor = caf::typed_actor<
  // A valid control packet arrived.
  caf::reacts_to<atom::heard>>;

/// DATA CHANNEL, as MUXER sees it.
using data_upper_actor = batch_up_actor::extend_with<heard_sink_actor>;

/// Accepts the size of control payloads. Worn by CONTROL.
using payload_limit_actor = caf::typed_actor<
  // How much fits one packet.
  caf::reacts_to<payload_limit>>;

/// Accepts the key that wraps control packets of later key ids. Worn by MUXER.
using control_key_sink_actor = caf::typed_actor<
  // Installs it; answers when packets of a soft reset can use it.
  caf::replies_to<atom::install, control_key_box>::with<control_key_installed>>;

/// MUXER: tells control from data, unwraps and wraps control packets, and knows
/// the session ids.
using muxer_actor = caf::typed_actor<
  // Data packets go there.
  caf::reacts_to<atom::attach, data_upper_actor>,
  // Control packets of this key id go to this RELIABLE, parked ones at once;
  // its CONTROL learns the payload size.
  caf::reacts_to<atom::attach, uint8_t, control_sink_actor,
                 payload_limit_actor>,
  // No more control packets of this key id.
  caf::reacts_to<atom::detach, uint8_t>,
  // A soft reset of this key id is welcome from now on.
  caf::reacts_to<atom::allow, uint8_t>>::extend_with<batch_up_actor>::
  extend_with<batch_down_actor>::extend_with<control_sink_actor>::extend_with<
    control_key_sink_actor>::extend_with<layer_actor>;

/// CONTROL, as RELIABLE sees it.
using control_upper_actor = caf::typed_actor<
  // RELIABLE takes more.
  caf::reacts_to<window_open>>::extend_with<message_sink_actor>;

/// RELIABLE: orders, acknowledges and retransmits control packets of one key
/// id.
using reliable_actor = caf::typed_actor<
  // Where ordered messages and open windows go.
  caf::reacts_to<atom::attach, control_upper_actor>,
  // INTERNAL: the deadline of `poll_timeout` has come.
  caf::reacts_to<atom::timeout>>::extend_with<control_sink_actor>::
  extend_with<message_sink_actor>::extend_with<layer_actor>;

/// TLS, as CONTROL sees it.
using control_top_actor = caf::typed_actor<
  // The peer's reset arrived: TLS may begin.
  caf::reacts_to<reset_arrived>>::extend_with<tls_sink_actor>;

/// CONTROL: cuts TLS bytes into messages and joins messages to TLS bytes.
using control_actor = caf::typed_actor<
  // Where TLS bytes go.
  caf::reacts_to<atom::attach, control_top_actor>,
  // Sends the opening reset, if this side opens.
  caf::reacts_to<atom::start>>::extend_with<payload_limit_actor>::
  extend_with<control_upper_actor>::extend_with<tls_sink_actor>::extend_with<
    layer_actor>;

/// Accepts data keys. Worn by DATA CHANNEL.
using key_sink_actor = caf::typed_actor<
  // Installs a key; answers with its key id when packets can use it.
  caf::replies_to<atom::install, data_key_box>::with<uint8_t>>;

/// TLS: one TLS connection, key method 2, the derivation of one key.
using tls_actor = caf::typed_actor<
  // Derives this key id's data key and installs it; `key_installed` follows.
  caf::reacts_to<protocol::derive_key>,
  // Exports the key of dynamic tls-crypt; `control_key_installed` follows.
  caf::reacts_to<protocol::derive_control_key>,
  // Goes on with a peer whose certificate found favour.
  caf::reacts_to<atom::accept>,
  // Sends a text message.
  caf::reacts_to<text_command>,
  // INTERNAL: a key that nobody has taken is offered again.
  caf::reacts_to<atom::install>,
  // INTERNAL: the deadline of `poll_timeout` has come.
  caf::reacts_to<atom::timeout>>::extend_with<control_top_actor>::
  extend_with<layer_actor>;

/// DATA CHANNEL: data keys, packet ids, replay windows, cipher, keepalive.
using data_channel_actor = caf::typed_actor<
  // Opened packets go to this TUN.
  caf::reacts_to<atom::attach, batch_up_actor>,
  // Timers and sizes.
  caf::reacts_to<protocol::data_channel_config>,
  // A key of this id is on its way, and the first packets of a peer may be
  // faster: some of them wait for it.
  caf::reacts_to<atom::allow, uint8_t>,
  // It will not come.
  caf::reacts_to<atom::detach, uint8_t>,
  // Says inside the tunnel that we leave.
  caf::reacts_to<atom::leave>,
  // Pings at once: something may have changed on the way.
  caf::reacts_to<atom::ping>,
  // INTERNAL: the deadline of `poll_timeout` has come.
  caf::reacts_to<atom::timeout>>::extend_with<batch_up_actor>::
  extend_with<batch_down_actor>::extend_with<key_sink_actor>::extend_with<
    heard_sink_actor>::extend_with<layer_actor>;

/// TUN: the device's descriptor.
using tun_actor = caf::typed_actor<
  // Reads and writes this device from now on.
  caf::reacts_to<atom::attach, tunnel_device>>::extend_with<batch_up_actor>::
  extend_with<layer_actor>;

// -- helpers that block, each on a thread of its own --

/// HOST: device, addresses, routes and names, and how to undo them.
using host_actor = caf::typed_actor<
  // Opens the device and gives it its addresses; the answer holds the device or
  // the failure. After a failure nothing is left behind. When a tunnel stands
  // already, its device is kept if it can be, and what differs is changed.
  caf::replies_to<atom::apply, protocol::tunnel_config>::with<tunnel_device>,
  // Adds the routes and names of that tunnel, or changes those that differ.
  // What cannot be set is a warning, unless traffic would then bypass the
  // tunnel.
  caf::replies_to<atom::route>::with<routes_result>,
  // Packets to this server go around the tunnel that stands, by the way that
  // leads there now without it: another server, or this host has another
  // network. Without a tunnel nothing is done.
  caf::replies_to<atom::exempt, endpoint>::with<routes_result>,
  // Undoes everything. Idempotent.
  caf::replies_to<atom::undo>::with<layer_status>>;

/// RESOLVER: names to addresses.
using resolver_actor
  = caf::typed_actor<caf::replies_to<resolve_request>::with<resolve_result>>;

/// RUNNER: user scripts, without a shell, within a time limit.
using runner_actor
  = caf::typed_actor<caf::replies_to<run_request>::with<run_result>>;

/// PROMPTER: whoever can ask a person. Answers when the person has.
using prompter_actor = caf::typed_actor<
  caf::replies_to<atom::ask, protocol::question>::with<protocol::answer>>;

// -- the session --

/// SUPERVISOR: spawns, wires, replaces and ends the layers of a session; holds
/// its state.
using supervisor_actor = caf::typed_actor<
  // Connects.
  caf::reacts_to<atom::start>,
  // Ends the session for this reason; `session_ended` goes to the listener,
  // and the actor is done. Said again, it waits for no layer any more.
  caf::reacts_to<atom::stop, reason>,
  // Goes on with this configuration: a new connection, and the host's settings
  // change only where they differ.
  caf::reacts_to<atom::apply, config_ptr>,
  // Ends the connection and makes a new one, with the same configuration.
  caf::reacts_to<atom::restart>,
  // Counters of all layers and faults, for people.
  caf::replies_to<atom::status>::with<std::vector<layer_status>>,
  // Adds a fault, or changes the one at the same place, as `--fault` has it;
  // answers how it was understood.
  caf::replies_to<atom::fault, std::string>::with<std::string>,
  // Lets everything pass all faults for a while, or no longer.
  caf::reacts_to<atom::pause, bool>,
  // Ends all faults.
  caf::reacts_to<atom::clear>,
  // INTERNAL: time for the next heartbeat.
  caf::reacts_to<atom::beat>,
  // INTERNAL: the keys of the session beside this one are too old.
  caf::reacts_to<atom::detach, uint64_t>,
  // INTERNAL: the deadline of the session or of a wait has come.
  caf::reacts_to<atom::timeout, uint64_t>,
  // INTERNAL: `route-delay` is over.
  caf::reacts_to<atom::route, uint64_t>>::
  extend_with<transport_observer_actor>::extend_with<mux_observer_actor>::
    extend_with<negotiation_observer_actor>::extend_with<
      data_observer_actor>::extend_with<host_observer_actor>;

} // namespace vpn::actors
