// What NETWORK needs of a socket: UDP and TCP, with or without a proxy, behind
// one face.
#pragma once

#include "vpn/actors/network.hpp"

#include <memory>

namespace vpn::actors {

/// Wrapped control packets that may wait; RELIABLE repeats what is dropped.
constexpr size_t max_control_queue = 64;
/// Immediate retries when the device queue is full.
constexpr int buffer_retries = 3;

/// Runs on the loop of its NETWORK; never blocks.
class transport {
public:
  virtual ~transport();

  /// How an operation left the socket.
  enum class outcome : uint8_t {
    /// Nothing more to do now.
    done,
    /// The kernel's buffer is full or empty: wait for the socket.
    blocked,
    /// There may be more: come again.
    more,
    /// The connection to a proxy must be made anew: stop watching the
    /// descriptor, then call `open` again.
    reopen,
    /// The socket is dead; `error()` says why.
    dead,
  };

  /// Makes the socket and starts to connect. `done`: usable at once; `blocked`:
  /// call `handle_connect` when one of `connect_events` has come.
  virtual outcome open() = 0;
  virtual outcome handle_connect() = 0;
  /// What to wait for while connecting; EPOLL bits. May change with each step.
  virtual uint32_t connect_events() const noexcept;

  /// Receives into an empty batch, as much as one call gives. The batch may
  /// stay empty.
  virtual outcome receive(packet_batch& into) = 0;
  /// Receives without a batch at hand: control packets are kept in `into`,
  /// which is small; data packets are dropped and counted.
  virtual outcome receive_control_only(packet_batch& into) = 0;

  /// Queues. Control goes before data; the queue of control packets is bounded,
  /// RELIABLE sends again what is dropped.
  virtual void queue(bytes control) = 0;
  virtual void queue(batch_ptr data) = 0;
  /// Writes what is queued.
  virtual outcome flush() = 0;

  /// The peer has moved; only a UDP socket with `floats` can follow.
  virtual void set_remote(const endpoint&) {}

  /// The socket that packets pass. While connecting it may be another one.
  virtual int fd() const noexcept = 0;
  /// After `open`, once: what another transport can go on with; null for
  /// nothing.
  virtual shared_fd take_kept() { return nullptr; }
  /// A connection whose end is the end of this transport; -1 for none.
  virtual int lifeline() const noexcept { return -1; }
  /// The lifeline has something to say: `dead` when it is cut.
  virtual outcome check_lifeline() { return outcome::done; }
  virtual endpoint local() const = 0;
  /// The other end, for people: "192.0.2.1:1194".
  virtual std::string peer() const = 0;
  const failure& error() const noexcept { return error_; }
  virtual std::string statistics() const = 0;
  /// For scripts.
  std::vector<layer_counter> counters() const;

protected:
  outcome die(const std::string& what, int code);
  outcome die(failure why);

  failure error_;
  /// Bytes of packets, without framing and headers of proxies.
  uint64_t bytes_in_ = 0, bytes_out_ = 0;
  uint64_t receive_errors_ = 0, send_errors_ = 0, dropped_ = 0;
  /// Errors that are an ICMP answer to something sent before. Anybody can
  /// forge one, so they are counted and that is all.
  uint64_t refusals_ = 0;
};

/// With the proxy that the configuration names, if any.
std::unique_ptr<transport> make_transport(const network_config& cfg);
std::unique_ptr<transport> make_udp_transport(const network_config& cfg);
std::unique_ptr<transport> make_tcp_transport(const network_config& cfg);
/// Datagrams through a SOCKS5 proxy.
std::unique_ptr<transport> make_socks_udp_transport(const network_config& cfg);

} // namespace vpn::actors
