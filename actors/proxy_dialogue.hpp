// A TCP connection to a proxy until the way through it is free.
#pragma once

#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/proxy_handshake.hpp"

#include "transport.hpp"

namespace vpn::actors {

/// The connecting half of a transport: connects, and has the handshake talk.
/// Never blocks, and reads no byte that is not the proxy's.
class proxy_dialogue {
public:
  using outcome = transport::outcome;

  /// `bound`: the connection itself uses the user's address and port.
  proxy_dialogue(const network_config& cfg, bool bound,
                 std::unique_ptr<protocol::proxy_handshake> handshake);

  /// Connects, or connects anew after `reopen`. No watch may be left on `fd`.
  outcome open();
  /// Something has happened on `fd`. `done`: the way is free.
  outcome handle();
  /// What to wait for on `fd`.
  uint32_t events() const noexcept;

  int fd() const noexcept { return fd_.get(); }
  /// The connection, for whoever uses it now.
  unique_fd take() noexcept { return std::move(fd_); }
  /// "HTTP proxy proxy.example:3128 (192.0.2.1:3128)".
  std::string name() const;
  const failure& error() const noexcept { return error_; }

private:
  outcome begin();
  outcome go_on();
  /// Writes what is left of the output: `done` when nothing is.
  outcome write();
  outcome read();
  outcome die(const std::string& what, int code);

  network_config cfg_;
  bool bound_;
  std::unique_ptr<protocol::proxy_handshake> handshake_;
  unique_fd fd_;
  bool connecting_ = false;
  /// What the handshake wants to be sent, and how much of it has left.
  secret output_;
  size_t sent_ = 0;
  failure error_;
};

/// Through which a TCP connection to the server is made; null without a proxy.
std::unique_ptr<proxy_dialogue> make_proxy_dialogue(const network_config& cfg);

} // namespace vpn::actors
