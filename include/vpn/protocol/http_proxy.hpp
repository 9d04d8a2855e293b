// The dialogue with an HTTP proxy: CONNECT, with authentication when it asks.
// spec: openvpn-wire 1.3
#pragma once

#include "vpn/protocol/http_auth.hpp"
#include "vpn/protocol/proxy_config.hpp"
#include "vpn/protocol/proxy_handshake.hpp"
#include "vpn/protocol/random.hpp"

namespace vpn::protocol {

class http_proxy final : public proxy_handshake {
public:
  /// Bytes of a line without its end, and header lines of one answer.
  static constexpr size_t max_line = 4096;
  static constexpr size_t max_headers = 100;

  /// `host` and `port` are the server's. What could not stand in a request
  /// makes `begin` fail.
  http_proxy(proxy_config cfg, std::string host, std::string port,
             random_source random);

  void begin() override;
  size_t receive(byte_view xs) override;

private:
  /// Why the configuration cannot be put into a request; empty when it can.
  std::string what_is_unfit() const;
  void handle_line();
  void handle_status_line();
  void handle_header();
  void handle_end_of_headers();
  bool offers(std::string_view scheme) const;
  /// The schemes of all challenges, to be shown.
  std::string offered() const;
  void authenticate();
  void choose_answer();
  secret digest_answer();

  proxy_config cfg_;
  std::string host_;
  /// "vpn.example.net:1194", an IPv6 address in brackets.
  std::string target_;
  random_source random_;

  std::string line_;
  /// Zero until the status line has come.
  unsigned status_ = 0;
  size_t headers_ = 0;
  std::vector<http_challenge> challenges_;

  enum class answer : uint8_t { none, basic, digest };
  answer answer_ = answer::none;
  /// The challenge that `answer_` answers, and how often it was answered.
  http_challenge digest_;
  /// Answers to a nonce that the proxy then called stale.
  unsigned stale_ = 0;
};

} // namespace vpn::protocol
