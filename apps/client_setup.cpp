#include "client_setup.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "client_version.hpp"

namespace vpn::client {

namespace {

constexpr size_t max_file_size = 1u << 20;

} // namespace

expected<std::shared_ptr<actors::supervisor_config>, failure>
make_supervisor_config(const protocol::profile& from) {
  auto tls = protocol::tls_context::make(from.tls);
  if (!tls)
    return failure{reason::bad_config, tls.error().text};
  auto result = std::make_shared<actors::supervisor_config>();
  result->tls = *tls;
  auto& session = result->session;
  session.self = protocol::role::client;
  session.pull = from.pull;
  session.username = from.username;
  session.password = from.password;
  protocol::peer_info_config info;
  info.version = version;
  for (auto cipher : from.pull.ciphers)
    info.ciphers.push_back(to_string(cipher));
  info.max_tun_mtu = from.pull.max_tun_mtu;
  info.extra = from.peer_info;
  session.peer_info = protocol::make_peer_info(info);
  session.hand_window = from.hand_window;
  session.connect_timeout = from.connect_timeout;
  session.reneg_after = from.reneg_after;
  session.transition_window = from.transition_window;
  session.exit_notify = from.explicit_exit_notify;
  session.mssfix = {from.mssfix, from.mssfix_size};
  result->plan.remotes = from.remotes;
  result->plan.retry = from.connect_retry;
  result->plan.retry_max = from.connect_retry_max_wait;
  result->plan.max_tries = from.connect_retry_max;
  result->wrap = from.wrap;
  result->max_packet_size = from.max_packet_size;
  result->network.local_address = from.local_address;
  result->network.local_port = from.local_port;
  result->network.sndbuf = from.sndbuf;
  result->network.rcvbuf = from.rcvbuf;
  result->reliable.retransmit_after = from.tls_timeout;
  result->auth = from.auth;
  if (from.script_security >= 2) {
    result->up = from.up;
    result->down = from.down;
  }
  result->random = openssl_random();
  return result;
}

std::optional<std::string> read_file(const std::string& path,
                                     std::string& error) {
  errno = 0;
  std::ifstream in{path, std::ios::binary};
  if (!in) {
    error = std::strerror(errno != 0 ? errno : EIO);
    return std::nullopt;
  }
  std::string result(max_file_size + 1, '\0');
  in.read(result.data(), static_cast<std::streamsize>(result.size()));
  if (in.bad() || (in.gcount() == 0 && errno == EISDIR)) {
    error = std::strerror(errno != 0 ? errno : EIO);
    return std::nullopt;
  }
  result.resize(static_cast<size_t>(in.gcount()));
  if (result.size() > max_file_size) {
    error = "larger than 1 MiB";
    return std::nullopt;
  }
  return result;
}

} // namespace vpn::client
