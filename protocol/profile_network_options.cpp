// One function per option about the way to the server and the device: remotes,
// the local end, sizes.
// spec: openvpn-wire 13.3
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

constexpr size_t max_remotes = 256;

// -- remotes --

struct proto_name {
  std::string_view name;
  transport value;
};
constexpr proto_name protos[] = {
  {"udp", {false, family::unspecified}},
  {"udp4", {false, family::v4}},
  {"udp6", {false, family::v6}},
  {"tcp", {true, family::unspecified}},
  {"tcp-client", {true, family::unspecified}},
  {"tcp4", {true, family::v4}},
  {"tcp4-client", {true, family::v4}},
  {"tcp6", {true, family::v6}},
  {"tcp6-client", {true, family::v6}},
};

outcome read_proto(std::optional<transport>& out, const std::string& word) {
  auto i = std::find_if(std::begin(protos), std::end(protos), [&](auto& x) {
    return x.name == word;
  });
  if (i == std::end(protos)) {
    if (word == "tcp-server" || word == "tcp4-server" || word == "tcp6-server")
      return bad("only a server takes TCP connections: use tcp-client");
    return bad(quoted(word)
               + " is no protocol: udp or tcp-client, or with 4 "
                 "or 6 for one version of IP");
  }
  out = i->value;
  return {};
}

outcome read_port(std::optional<std::string>& out, const std::string& word) {
  auto is_digit = [](char c) {
    return c >= '0' && c <= '9';
  };
  auto is_number = std::all_of(word.begin(), word.end(), is_digit);
  // Otherwise the name of a service.
  if (is_number ? !parse_number(word, 1, 65535)
                : word.size() > 32 || !is_word(word, "-_") || word[0] == '-')
    return bad(quoted(word) + " is not a port");
  out = word;
  return {};
}

outcome add_remote(builder& b, const use& x) {
  remote_draft remote;
  remote.host = x.words[1];
  if (remote.host.empty() || remote.host.size() > 255
      || remote.host.front() == '-' || !is_printable(remote.host)
      || remote.host.find(' ') != std::string::npos)
    return bad("the first word is not the name or address of a host");
  outcome result;
  if (x.count() > 1)
    result = read_port(remote.port, x.words[2]);
  if (x.count() > 2 && result.error.empty())
    result = read_proto(remote.proto, x.words[3]);
  if (!result.error.empty())
    return result;
  if (b.remotes.size() == max_remotes)
    return bad("more than 256 remotes");
  b.remotes.push_back(std::move(remote));
  return {};
}

outcome set_proto(builder& b, const use& x) {
  return read_proto(b.defaults().proto, x.words[1]);
}

outcome set_rport(builder& b, const use& x) {
  return read_port(b.defaults().port, x.words[1]);
}

outcome open_connection(builder& b, const use& x) {
  if (!x.is_inline)
    return bad("it must be a block: <connection>");
  b.connection_block = x.block;
  return {};
}

// -- local end --

outcome set_local_port(builder& b, const std::string& word) {
  uint16_t port = 0;
  auto result = read_number(port, word, 0, 65535);
  if (result.error.empty())
    b.local_port = port;
  return result;
}

outcome set_lport(builder& b, const use& x) {
  return set_local_port(b, x.words[1]);
}

outcome set_local(builder& b, const use& x) {
  auto address = parse_ip(x.words[1]);
  if (!address)
    return bad(quoted(x.words[1]) + " is not an IP address");
  if (x.count() > 1)
    if (auto result = set_local_port(b, x.words[2]); !result.error.empty())
      return result;
  b.result.local_address = *address;
  return {};
}

outcome set_bind(builder& b, const use& x) {
  if (x.count() > 0 && x.words[1] != "ipv6only")
    return bad(quoted(x.words[1]) + " is not known here");
  if (!b.local_port)
    b.local_port = uint16_t{1194};
  return {};
}

outcome set_nobind(builder& b, const use&) {
  b.nobind = true;
  return {};
}

// -- device --

constexpr const char* no_tap
  = "Ethernet tunnels (tap) are not supported; use `dev tun` on both ends";

outcome set_dev(builder& b, const use& x) {
  auto& word = x.words[1];
  if (word.compare(0, 3, "tap") == 0)
    return bad(no_tap);
  if (word.size() > 15 || !is_word(word, "-_.") || word.front() == '-'
      || word.front() == '.')
    return bad(quoted(word) + " is not the name of a device");
  b.draft.tunnel.device = word;
  return {};
}

outcome set_dev_type(builder& b, const use& x) {
  if (x.words[1] == "tap")
    return bad(no_tap);
  if (x.words[1] != "tun")
    return bad(quoted(x.words[1]) + " is no type of device: tun");
  b.has_dev_type = true;
  return {};
}

outcome set_tun_mtu(builder& b, const use& x) {
  // A second word only goes into the options string, which nobody compares.
  return read_number(b.draft.tunnel.mtu, x.words[1], 100, 65535);
}

outcome set_tun_mtu_max(builder& b, const use& x) {
  uint32_t mtu = 0;
  auto result = read_number(mtu, x.words[1], 100, 65535);
  if (result.error.empty())
    b.max_tun_mtu = mtu;
  return result;
}

outcome set_txqueuelen(builder& b, const use& x) {
  return read_number(b.draft.tunnel.tx_queue_length, x.words[1], 0, 1000000);
}

outcome set_mssfix(builder& b, const use& x) {
  using kind = profile::mssfix_kind;
  if (x.count() == 0) {
    b.result.mssfix = kind::outer_packet;
    b.result.mssfix_size = 1492;
    return {};
  }
  auto what = kind::udp_payload;
  if (x.count() == 2) {
    if (x.words[2] == "mtu")
      what = kind::outer_packet;
    else if (x.words[2] == "fixed")
      what = kind::fixed;
    else
      return bad(quoted(x.words[2]) + " is neither mtu nor fixed");
  }
  uint32_t size = 0;
  if (x.words[1] != "0") {
    auto result = read_number(size, x.words[1], min_control_packet, 65535);
    if (!result.error.empty())
      return result;
  }
  b.result.mssfix = size == 0 ? kind::off : what;
  b.result.mssfix_size = size;
  return {};
}

constexpr profile_option options[] = {
  {"bind", set_bind},
  {"connection", open_connection},
  {"dev", set_dev},
  {"dev-type", set_dev_type},
  {"local", set_local},
  {"lport", set_lport},
  {"mssfix", set_mssfix},
  {"nobind", set_nobind},
  {"port", set_rport},
  {"proto", set_proto},
  {"remote", add_remote},
  {"rport", set_rport},
  {"tun-mtu", set_tun_mtu},
  {"tun-mtu-max", set_tun_mtu_max},
  {"txqueuelen", set_txqueuelen},
};

} // namespace

profile_option_range network_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
