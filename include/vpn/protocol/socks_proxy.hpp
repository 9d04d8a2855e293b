// The dialogue with a SOCKS5 proxy, and the header of datagrams it relays.
// spec: openvpn-wire 1.4; RFC 1928, RFC 1929
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/proxy_config.hpp"
#include "vpn/protocol/proxy_handshake.hpp"

#include <array>

namespace vpn::protocol {

class socks_proxy final : public proxy_handshake {
public:
  /// Asks for a TCP connection to this server, which the proxy looks up. What
  /// could not stand in a request makes `begin` fail.
  socks_proxy(proxy_config cfg, std::string host, std::string port);
  /// Asks for a relay of datagrams; it lives as long as the connection.
  explicit socks_proxy(proxy_config cfg);

  void begin() override;
  size_t receive(byte_view xs) override;

  /// Where datagrams go: an IPv4 address, 0.0.0.0 for the proxy's own.
  const endpoint& relay() const noexcept { return relay_; }

private:
  enum class stage : uint8_t { method, login, reply };
  bool wants_login() const noexcept;
  /// Why the configuration cannot be put into a request; empty when it can.
  std::string what_is_unfit() const;
  void handle_input();
  void handle_method();
  void handle_login();
  void handle_reply();
  void send_login();
  void send_request();

  proxy_config cfg_;
  std::string host_;
  std::string port_;
  bool datagrams_ = false;
  stage stage_ = stage::method;
  /// The answer that is coming, 262 bytes at most.
  bytes input_;
  endpoint relay_;
};

/// Bytes in front of each relayed datagram.
constexpr size_t socks_header_size = 10;

/// The header of a datagram for this server, which has an IPv4 address.
std::array<uint8_t, socks_header_size>
socks_datagram_header(const endpoint& target);

/// Who sent a relayed datagram. Fragments and other families than IPv4 are
/// `bad_value`.
expected<endpoint> parse_socks_datagram(byte_view datagram);

} // namespace vpn::protocol
