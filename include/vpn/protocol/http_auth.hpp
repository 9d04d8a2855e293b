// How an HTTP proxy asks who we are, and how we tell it: Basic and Digest.
// spec: openvpn-wire 1.3; RFC 7235, RFC 7616, RFC 7617
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/secret.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vpn::protocol {

/// One way to authenticate, as a Proxy-Authenticate header offers it.
struct http_challenge {
  /// Lower case: "digest".
  std::string scheme;
  /// Names in lower case, values without their quotes.
  std::vector<std::pair<std::string, std::string>> parameters;

  /// Null when the parameter is missing.
  const std::string* find(std::string_view name) const;
  /// True when the parameter is there with this value, in any case of letters.
  bool is(std::string_view name, std::string_view value) const;
};

/// The value of one header, which may hold several challenges. Ends with what
/// was well-formed; never more than 16 challenges of 32 parameters.
std::vector<http_challenge> parse_challenges(std::string_view header);

/// The value of the header that answers: "Basic ...".
secret basic_authorization(std::string_view user, byte_view password);

struct digest_input {
  std::string_view method;
  std::string_view uri;
  std::string_view user;
  byte_view password;
  /// Fresh for each answer; printable, without quotes.
  std::string_view client_nonce;
  /// How often this nonce of the proxy has been used, with this time.
  uint32_t count = 1;
};

/// The algorithms are MD5, SHA-256 and SHA-512-256, each with or without
/// "-sess"; quality of protection "auth" or none.
bool can_answer(const http_challenge& x);
/// The value of the header that answers: "Digest ...". `bad_value` when the
/// challenge is none that we can answer.
expected<secret> digest_authorization(const http_challenge& x,
                                      const digest_input& input);

/// Puts parts together without leaving a copy of any behind.
secret concatenate(std::initializer_list<byte_view> parts);

} // namespace vpn::protocol
