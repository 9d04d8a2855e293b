// What a test needs to play a proxy by hand, on a socket of its own. Include it
// after CAF_SUITE is defined.
#pragma once

#include "tests/support/network_fixture.hpp"

namespace vpn::test {

/// Listens like a proxy; each answer is the test's.
struct fake_proxy {
  actors::unique_fd door;
  endpoint address;
  /// The connection that talks now.
  actors::unique_fd peer;

  explicit fake_proxy(const std::string& ip = "127.0.0.1")
    : door(bound_socket(ip, SOCK_STREAM)) {
    CAF_REQUIRE_EQUAL(listen(door.get(), 8), 0);
    address = actors::local_endpoint(door.get());
  }

  void accept() {
    wait_until(door, POLLIN);
    peer
      = actors::unique_fd{accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    CAF_REQUIRE(peer);
  }

  /// Where the connection comes from.
  endpoint visitor() {
    actors::socket_address sa;
    CAF_REQUIRE_EQUAL(getpeername(peer.get(), sa.get(), &sa.size), 0);
    return actors::to_endpoint(sa);
  }

  void says(byte_view xs) {
    while (!xs.empty()) {
      wait_until(peer, POLLOUT);
      auto n = ::send(peer.get(), xs.data(), xs.size(), MSG_NOSIGNAL);
      CAF_REQUIRE(n > 0);
      xs = xs.from(static_cast<size_t>(n));
    }
  }
  void says(std::string_view text) { says(byte_view{text}); }
  void says_hex(std::string_view hex) { says(from_hex(hex)); }

  bytes hears(size_t size) {
    bytes result(size);
    for (size_t at = 0; at < size;) {
      wait_until(peer, POLLIN);
      auto n = recv(peer.get(), result.data() + at, size - at, MSG_DONTWAIT);
      CAF_REQUIRE(n > 0);
      at += static_cast<size_t>(n);
    }
    return result;
  }
  std::string hears_hex(size_t size) { return to_hex(hears(size)); }

  /// An HTTP request with the empty line at its end.
  std::string hears_request() {
    std::string result;
    while (result.size() < 4 || result.substr(result.size() - 4) != "\r\n\r\n")
      result += static_cast<char>(hears(1)[0]);
    return result;
  }

  /// The visitor has gone.
  bool is_left() {
    wait_until(peer, POLLIN);
    uint8_t x = 0;
    return recv(peer.get(), &x, 1, MSG_DONTWAIT) <= 0;
  }
};

} // namespace vpn::test
