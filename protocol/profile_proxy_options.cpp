// One function per option about a proxy on the way to the server.
// spec: openvpn-wire 1.3, 1.4
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

constexpr size_t max_headers = 10;

constexpr const char* nobody_to_ask
  = "nobody is asked for the proxy's password; name a file whose first two "
    "lines are user name and password";

outcome read_credentials(builder& b, proxy_config& out,
                         const std::string& file) {
  if (file == "stdin")
    return bad(nobody_to_ask);
  outcome result;
  auto text = b.load_file(file, result);
  if (!text)
    return result;
  login who;
  result = read_login(who, text->text());
  if (result.error.empty()) {
    out.username = std::move(who.username);
    out.password = std::move(who.password);
  }
  return result;
}

outcome read_end(proxy_config& out, const std::string& host,
                 const std::string& port) {
  if (!is_host(host))
    return bad("the first word is not the name or address of a host");
  if (!is_port(port))
    return bad(quoted(port) + " is not a port");
  out.host = host;
  out.port = port;
  return {};
}

// -- HTTP --

outcome read_method(proxy_auth& out, const std::string& word) {
  if (word == "none")
    out = proxy_auth::none;
  else if (word == "basic")
    out = proxy_auth::basic;
  else if (word == "digest")
    out = proxy_auth::digest;
  else if (word == "auto")
    out = proxy_auth::automatic;
  else if (word == "auto-nct")
    out = proxy_auth::no_clear_text;
  else if (word == "ntlm" || word == "ntlm2")
    return bad("NTLM is not supported; use basic, digest or auto");
  else
    return bad(quoted(word)
               + " is no way to log in to a proxy: none, basic, digest, auto "
                 "or auto-nct");
  return {};
}

outcome set_http_proxy(builder& b, const use& x) {
  auto proxy = b.connection().http;
  auto result = read_end(proxy, x.words[1], x.words[2]);
  if (!result.error.empty())
    return result;
  proxy.kind = proxy_kind::http;
  proxy.auth = proxy_auth::none;
  auto names_file = x.count() > 2;
  if (x.count() == 3 && (x.words[3] == "auto" || x.words[3] == "auto-nct")) {
    result = read_method(proxy.auth, x.words[3]);
    names_file = false;
  } else if (names_file) {
    result = read_method(proxy.auth, x.count() > 3 ? x.words[4] : "basic");
  }
  if (names_file && result.error.empty())
    result = read_credentials(b, proxy, x.words[3]);
  if (result.error.empty())
    b.connection().http = std::move(proxy);
  return result;
}

outcome set_http_proxy_user_pass(builder& b, const use& x) {
  if (!x.is_inline && x.words[1] == "stdin")
    return bad(nobody_to_ask);
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  login who;
  result = read_login(who, text->text());
  if (!result.error.empty())
    return result;
  auto& connection = b.connection();
  connection.http.username = std::move(who.username);
  connection.http.password = std::move(who.password);
  connection.has_http_options = true;
  return {};
}

/// A header's name and value: two words, or "Name: value" in one.
outcome add_header(proxy_config& proxy, const use& x) {
  std::string name = x.words[2];
  std::string value;
  if (x.count() > 2) {
    value = x.words[3];
  } else if (auto colon = name.find(':'); colon != std::string::npos) {
    auto begin = name.find_first_not_of(' ', colon + 1);
    value = begin == std::string::npos ? std::string{} : name.substr(begin);
    name.erase(colon);
  } else {
    return bad("a header has a name and a value");
  }
  // The characters of a token in HTTP.
  if (!is_word(name, "!#$%&'*+-.^_`|~") || !is_printable(value))
    return bad("the header has a bad name, or control characters");
  if (proxy.headers.size() == max_headers)
    return bad("more than 10 headers");
  proxy.headers.emplace_back(std::move(name), std::move(value));
  return {};
}

outcome set_http_proxy_option(builder& b, const use& x) {
  auto& connection = b.connection();
  auto& what = x.words[1];
  if (what == "CUSTOM-HEADER" || what == "EXT1" || what == "EXT2") {
    auto result = add_header(connection.http, x);
    connection.has_http_options |= result.error.empty();
    return result;
  }
  if (what != "VERSION" && what != "AGENT")
    return bad(quoted(what)
               + " is not known here: VERSION, AGENT or CUSTOM-HEADER");
  if (x.count() > 2)
    return bad(what + " takes one word");
  auto& value = x.words[2];
  if (what == "VERSION" && value != "1.0" && value != "1.1")
    return bad(quoted(value) + " is not a version of HTTP: 1.0 or 1.1");
  if (!is_printable(value) || value.empty())
    return bad("the name of the program is empty or has control characters");
  (what == "VERSION" ? connection.http.http_version
                     : connection.http.user_agent)
    = value;
  connection.has_http_options = true;
  return {};
}

// -- SOCKS --

outcome set_socks_proxy(builder& b, const use& x) {
  proxy_config proxy;
  auto result = read_end(proxy, x.words[1],
                         x.count() > 1 ? x.words[2] : std::string{"1080"});
  if (x.count() > 2 && result.error.empty())
    result = read_credentials(b, proxy, x.words[3]);
  // Each has one byte for its length.
  if (proxy.username.size() > 255 || proxy.password.size() > 255)
    return bad("SOCKS has no room for so long a user name or password");
  if (!result.error.empty())
    return result;
  proxy.kind = proxy_kind::socks5;
  if (!proxy.username.empty())
    proxy.auth = proxy_auth::basic;
  b.connection().socks = std::move(proxy);
  return {};
}

constexpr profile_option options[] = {
  {"http-proxy", set_http_proxy},
  {"http-proxy-option", set_http_proxy_option},
  {"http-proxy-user-pass", set_http_proxy_user_pass},
  {"socks-proxy", set_socks_proxy},
};

} // namespace

profile_option_range proxy_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
