// One function per option about the way to the server: remotes, blocks of
// settings for one of them, the local end, the socket.
// spec: openvpn-wire 14
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

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

outcome read_proto(transport& out, const std::string& word) {
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

outcome read_port(std::string& out, const std::string& word) {
  if (!is_port(word))
    return bad(quoted(word) + " is not a port");
  out = word;
  return {};
}

outcome add_remote(builder& b, const use& x) {
  remote_draft remote;
  remote.host = x.words[1];
  if (!is_host(remote.host))
    return bad("the first word is not the name or address of a host");
  outcome result;
  if (x.count() > 1)
    result = read_port(remote.port.emplace(), x.words[2]);
  if (x.count() > 2 && result.error.empty())
    result = read_proto(remote.proto.emplace(), x.words[3]);
  if (!result.error.empty())
    return result;
  if (!b.in_block()) {
    if (b.remotes.size() == max_remotes)
      return bad("more than 256 remotes");
    b.remotes.push_back(std::move(remote));
    return {};
  }
  if (b.block->host)
    result = no_effect("a block has one remote: the one above is left out");
  load_remote(*b.block, remote);
  return result;
}

outcome set_proto(builder& b, const use& x) {
  return read_proto(b.connection().proto, x.words[1]);
}

outcome set_proto_force(builder& b, const use& x) {
  transport forced;
  auto result = read_proto(forced, x.words[1]);
  if (result.error.empty())
    b.forced_tcp = forced.tcp;
  return result;
}

outcome set_rport(builder& b, const use& x) {
  return read_port(b.connection().port, x.words[1]);
}

outcome open_connection(builder& b, const use& x) {
  if (!x.is_inline)
    return bad("it must be a block: <connection>");
  b.connection_block = x.block;
  return {};
}

outcome set_remote_random(builder& b, const use&) {
  b.result.remote_random = true;
  return {};
}

outcome set_resolv_retry(builder& b, const use& x) {
  if (x.words[1] == "infinite") {
    b.result.resolve_retry = duration::max();
    return {};
  }
  return read_seconds(b.result.resolve_retry, x.words[1], 0);
}

// -- tries --

outcome set_connect_retry(builder& b, const use& x) {
  auto wait = b.result.connect_retry;
  auto max_wait = b.result.connect_retry_max_wait;
  auto result = read_seconds(wait, x.words[1], 1);
  if (x.count() > 1 && result.error.empty())
    result = read_seconds(max_wait, x.words[2], 1);
  if (!result.error.empty())
    return result;
  b.result.connect_retry = wait;
  b.result.connect_retry_max_wait = std::max(wait, max_wait);
  return {};
}

outcome set_connect_retry_max(builder& b, const use& x) {
  if (x.words[1] == "unlimited") {
    b.result.connect_retry_max = 0;
    return {};
  }
  return read_number(b.result.connect_retry_max, x.words[1], 0, 1000000);
}

outcome set_connect_timeout(builder& b, const use& x) {
  return read_seconds(b.connection().settings.connect_timeout, x.words[1], 1);
}

outcome set_explicit_exit_notify(builder& b, const use& x) {
  auto& count = b.connection().settings.exit_notify;
  if (x.count() > 0)
    return read_number(count, x.words[1], 0, 100);
  count = 1;
  return {};
}

outcome set_float(builder& b, const use&) {
  b.connection().settings.floats = true;
  return {};
}

// -- local end --

/// Zero leaves the port to the host, as if it had not been named.
outcome read_local_port(connection_draft& x, const std::string& word) {
  auto result = read_number(x.local_port, word, 0, 65535);
  if (result.error.empty() && x.local_port != 0)
    x.has_local_port = true;
  return result;
}

outcome set_lport(builder& b, const use& x) {
  return read_local_port(b.connection(), x.words[1]);
}

/// Both ends at once. The local one counts only if something else binds.
outcome set_port(builder& b, const use& x) {
  auto& connection = b.connection();
  auto result = read_port(connection.port, x.words[1]);
  if (auto port = parse_number(x.words[1], 1, 65535);
      result.error.empty() && port)
    connection.local_port = static_cast<uint16_t>(*port);
  return result;
}

outcome set_local(builder& b, const use& x) {
  auto& connection = b.connection();
  auto address = connection.settings.local_address;
  if (x.words[1] == "*") {
    address = {};
  } else if (auto parsed = parse_ip(x.words[1])) {
    address = *parsed;
  } else {
    return bad(quoted(x.words[1])
               + " is not an IP address; the names of this host are not "
                 "looked up");
  }
  // A third word names a protocol, which only a server listens on.
  transport ignored;
  if (x.count() > 2)
    if (auto result = read_proto(ignored, x.words[3]); !result.error.empty())
      return result;
  if (x.count() > 1)
    if (auto result = read_local_port(connection, x.words[2]);
        !result.error.empty())
      return result;
  connection.settings.local_address = address;
  connection.has_local_address = true;
  return {};
}

outcome set_bind(builder& b, const use& x) {
  if (x.count() > 0 && x.words[1] != "ipv6only")
    return bad(quoted(x.words[1]) + " is not known here");
  auto& connection = b.connection();
  connection.binds = true;
  if (x.count() > 0)
    connection.settings.ipv6_only = true;
  return {};
}

outcome set_nobind(builder& b, const use&) {
  b.connection().nobind = true;
  return {};
}

// -- socket --

outcome set_bind_dev(builder& b, const use& x) {
  auto& word = x.words[1];
  if (word.size() > 15 || !is_word(word, "-_.:@") || word.front() == '-')
    return bad(quoted(word) + " is not the name of a device");
  b.result.bind_device = word;
  return {};
}

outcome set_mark(builder& b, const use& x) {
  return read_number(b.result.mark, x.words[1], 0, 0xffffffff);
}

template <auto Member>
outcome set_buffer(builder& b, const use& x) {
  return read_number(b.result.*Member, x.words[1], 0, max_seconds);
}

outcome set_socket_flags(builder& b, const use& x) {
  for (auto i = x.words.begin() + 1; i != x.words.end(); ++i)
    if (*i != "TCP_NODELAY")
      return bad("there is no flag " + quoted(*i) + ", only TCP_NODELAY");
  b.result.tcp_nodelay = b.result.tcp_nodelay || x.count() > 0;
  return {};
}

outcome set_tcp_nodelay(builder& b, const use&) {
  b.result.tcp_nodelay = true;
  return {};
}

constexpr profile_option options[] = {
  {"bind", set_bind},
  {"bind-dev", set_bind_dev},
  {"connect-retry", set_connect_retry},
  {"connect-retry-max", set_connect_retry_max},
  {"connect-timeout", set_connect_timeout},
  {"connection", open_connection},
  {"explicit-exit-notify", set_explicit_exit_notify},
  {"float", set_float},
  {"local", set_local},
  {"lport", set_lport},
  {"mark", set_mark},
  {"nobind", set_nobind},
  {"port", set_port},
  {"proto", set_proto},
  {"proto-force", set_proto_force},
  {"rcvbuf", set_buffer<&profile::rcvbuf>},
  {"remote", add_remote},
  {"remote-random", set_remote_random},
  {"resolv-retry", set_resolv_retry},
  {"rport", set_rport},
  {"server-poll-timeout", set_connect_timeout},
  {"sndbuf", set_buffer<&profile::sndbuf>},
  {"socket-flags", set_socket_flags},
  {"tcp-nodelay", set_tcp_nodelay},
};

} // namespace

void load_remote(connection_draft& out, const remote_draft& x) {
  out.host = x.host;
  if (x.port)
    out.port = *x.port;
  if (!x.proto)
    return;
  out.proto.tcp = x.proto->tcp;
  // "udp" and "tcp" leave the version of IP as it is.
  if (x.proto->kind != family::unspecified)
    out.proto.kind = x.proto->kind;
}

profile_option_range network_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
