// What NETWORK needs of a socket: UDP and TCP behind one face.
#pragma once

#include "vpn/actors/network.hpp"

#include <memory>

namespace vpn::actors {

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
    /// The socket is dead; `error()` says why.
    dead,
  };

  /// Makes the socket and starts to connect. `done`: usable at once; `blocked`:
  /// call `handle_connect` when it becomes writable.
  virtual outcome open() = 0;
  virtual outcome handle_connect() = 0;

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

  virtual int fd() const noexcept = 0;
  virtual endpoint local() const = 0;
  const failure& error() const noexcept { return error_; }
  virtual std::string statistics() const = 0;

protected:
  failure error_;
};

std::unique_ptr<transport> make_udp_transport(const network_config& cfg);
std::unique_ptr<transport> make_tcp_transport(const network_config& cfg);

} // namespace vpn::actors
