// The dialogue with a SOCKS5 proxy, and the header of datagrams it relays.
// spec: openvpn-wire 1.4; RFC 1928, RFC 1929
#include "vpn/protocol/socks_proxy.hpp"

#include <charconv>
#include <optional>

namespace vpn::protocol {

namespace {

constexpr uint8_t socks_version = 5;
constexpr uint8_t login_version = 1;
constexpr uint8_t no_login = 0, login = 2, no_method = 0xff;
constexpr uint8_t command_connect = 1, command_associate = 3;
constexpr uint8_t type_v4 = 1, type_name = 3, type_v6 = 4;
/// Longest user name, password and host name: each length is one byte.
constexpr size_t max_field = 255;

std::optional<uint16_t> port_number(const std::string& text) {
  uint32_t result = 0;
  auto last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, result);
  if (error != std::errc{} || end != last || result == 0 || result > 65535)
    return std::nullopt;
  return static_cast<uint16_t>(result);
}

/// What the proxy says went wrong.
std::string describe_reply(uint8_t code) {
  switch (code) {
    case 1:
      return "failed for a reason it does not tell";
    case 2:
      return "does not allow the connection by its rules";
    case 3:
      return "says that the server's network is unreachable";
    case 4:
      return "says that the server is unreachable, or unknown by this name";
    case 5:
      return "says that the server refused the connection";
    case 6:
      return "says that the way to the server is too long";
    case 7:
      return "does not know the command";
    case 8:
      return "does not know this kind of address";
    default:
      return "refused with code " + std::to_string(code);
  }
}

} // namespace

socks_proxy::socks_proxy(proxy_config cfg, std::string host, std::string port)
  : proxy_handshake("SOCKS proxy", cfg.host, cfg.port),
    cfg_(std::move(cfg)),
    host_(std::move(host)),
    port_(std::move(port)) {
}

socks_proxy::socks_proxy(proxy_config cfg)
  : proxy_handshake("SOCKS proxy", cfg.host, cfg.port),
    cfg_(std::move(cfg)),
    datagrams_(true) {
}

bool socks_proxy::wants_login() const noexcept {
  return !cfg_.username.empty() || !cfg_.password.empty();
}

std::string socks_proxy::what_is_unfit() const {
  if (wants_login()
      && (cfg_.username.empty() || cfg_.username.size() > max_field))
    return "the user name has none or more than 255 bytes";
  if (cfg_.password.size() > max_field)
    return "the password has more than 255 bytes";
  if (datagrams_)
    return {};
  if (host_.empty() || host_.size() > max_field)
    return "the server's name has none or more than 255 bytes";
  for (auto c : host_)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f)
      return "the server's name has a blank or a control character";
  if (!port_number(port_))
    return "the server's port '" + shown(port_)
           + "' is not a number of 1 to 65535";
  return {};
}

// -- asking --

void socks_proxy::begin() {
  if (auto text = what_is_unfit(); !text.empty()) {
    fail("cannot be asked: " + text, reason::bad_config);
    return;
  }
  step_ = proxy_step::talking;
  stage_ = stage::method;
  input_.clear();
  // One method only: with two the proxy could choose the weaker one.
  bytes out;
  byte_writer to{out};
  to.u8(socks_version);
  to.u8(1);
  to.u8(wants_login() ? login : no_login);
  output_ = secret{out};
}

void socks_proxy::send_login() {
  bytes out;
  // Room for all of it: a vector that grows leaves copies behind.
  out.reserve(3 + 2 * max_field);
  byte_writer to{out};
  to.u8(login_version);
  to.u8(static_cast<uint8_t>(cfg_.username.size()));
  to.append(byte_view{std::string_view{cfg_.username}});
  to.u8(static_cast<uint8_t>(cfg_.password.size()));
  to.append(cfg_.password.view());
  output_ = secret{out};
  wipe(out.data(), out.size());
  stage_ = stage::login;
}

void socks_proxy::send_request() {
  bytes out;
  byte_writer to{out};
  to.u8(socks_version);
  to.u8(datagrams_ ? command_associate : command_connect);
  to.u8(0);
  if (datagrams_) {
    // Where our datagrams will come from is not known yet.
    to.u8(type_v4);
    to.u32(0);
    to.u16(0);
  } else {
    // A number passes as a name, too: that is what the stock client sends.
    to.u8(type_name);
    to.u8(static_cast<uint8_t>(host_.size()));
    to.append(byte_view{std::string_view{host_}});
    to.u16(*port_number(port_));
  }
  output_ = secret{out};
  stage_ = stage::reply;
}

// -- answers --

size_t socks_proxy::receive(byte_view xs) {
  size_t taken = 0;
  // Byte by byte: what follows the last answer is not ours.
  while (taken < xs.size() && step_ == proxy_step::talking) {
    input_.push_back(xs[taken++]);
    handle_input();
  }
  return taken;
}

void socks_proxy::handle_input() {
  switch (stage_) {
    case stage::method:
      handle_method();
      break;
    case stage::login:
      handle_login();
      break;
    case stage::reply:
      handle_reply();
      break;
  }
}

void socks_proxy::handle_method() {
  if (input_[0] != socks_version) {
    fail("does not speak SOCKS5");
    return;
  }
  if (input_.size() < 2)
    return;
  auto method = input_[1];
  input_.clear();
  if (method != (wants_login() ? login : no_login)) {
    if (method != no_method)
      fail("chose a way to log in that was not offered");
    else if (wants_login())
      fail("does not take a user name and password");
    else
      fail("wants a user name and password: name a file that holds them after "
           "the port of socks-proxy");
  } else if (wants_login()) {
    send_login();
  } else {
    send_request();
  }
}

void socks_proxy::handle_login() {
  if (input_[0] != login_version) {
    fail("answered the user name and password with something else than SOCKS5");
    return;
  }
  if (input_.size() < 2)
    return;
  auto status = input_[1];
  input_.clear();
  if (status != 0)
    fail("refused the user name and password");
  else
    send_request();
}

void socks_proxy::handle_reply() {
  // Judged as early as can be: a proxy that refuses may not send the rest.
  if (input_[0] != socks_version) {
    fail("answered with something else than SOCKS5");
    return;
  }
  if (input_.size() >= 2 && input_[1] != 0) {
    fail(describe_reply(input_[1]));
    return;
  }
  if (input_.size() < 5)
    return;
  auto type = input_[3];
  if (type != type_v4 && type != type_v6 && type != type_name) {
    fail("answered with an unknown kind of address");
    return;
  }
  if (datagrams_ && type != type_v4) {
    fail("relays datagrams at an address that is not IPv4, which cannot be "
         "used");
    return;
  }
  auto size = type == type_v4   ? size_t{4}
              : type == type_v6 ? size_t{16}
                                : size_t{1} + input_[4];
  if (input_.size() < 4 + size + 2)
    return;
  if (datagrams_) {
    byte_reader in{byte_view{input_}.from(4)};
    relay_ = {};
    relay_.address.kind = family::v4;
    auto address = in.take(4);
    std::copy(address.begin(), address.end(), relay_.address.octets.begin());
    relay_.port = in.u16();
    if (relay_.port == 0) {
      fail("names no port to send datagrams to");
      return;
    }
  }
  input_.clear();
  step_ = proxy_step::open;
}

// -- datagrams --

std::array<uint8_t, socks_header_size>
socks_datagram_header(const endpoint& target) {
  std::array<uint8_t, socks_header_size> result{};
  result[3] = type_v4;
  std::copy_n(target.address.octets.begin(), 4, result.begin() + 4);
  store_u16(result.data() + 8, target.port);
  return result;
}

expected<endpoint> parse_socks_datagram(byte_view datagram) {
  byte_reader in{datagram};
  in.take(2);
  auto fragment = in.u8();
  auto type = in.u8();
  endpoint result;
  result.address.kind = family::v4;
  auto address = in.take(4);
  std::copy(address.begin(), address.end(), result.address.octets.begin());
  result.port = in.u16();
  if (!in.ok())
    return errc::truncated;
  if (fragment != 0 || type != type_v4)
    return errc::bad_value;
  return result;
}

} // namespace vpn::protocol
