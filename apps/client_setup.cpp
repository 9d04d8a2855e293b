#include "client_setup.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>

#include "client_version.hpp"
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace vpn::client {

namespace {

constexpr size_t max_file_size = 1u << 20;

/// Layers answer in microseconds; only a machine that does nothing else makes
/// one wait for seconds.
constexpr auto heartbeat = std::chrono::seconds{5};

/// Of the first device that has one.
std::string hardware_address() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0)
    return {};
  std::string result;
  for (auto* x = all; x != nullptr && result.empty(); x = x->ifa_next) {
    if (x->ifa_addr == nullptr || x->ifa_addr->sa_family != AF_PACKET
        || (x->ifa_flags & IFF_LOOPBACK) != 0)
      continue;
    sockaddr_ll link{};
    std::memcpy(&link, x->ifa_addr, sizeof(link));
    if (link.sll_halen != 6)
      continue;
    for (size_t i = 0; i < 6; ++i)
      result += (i == 0 ? "" : ":") + to_hex({link.sll_addr + i, 1});
  }
  freeifaddrs(all);
  return result;
}

std::string peer_info_of(const protocol::profile& from) {
  protocol::peer_info_config info;
  info.version = version;
  for (auto cipher : from.pull.ciphers)
    info.ciphers.push_back(to_string(cipher));
  info.max_tun_mtu = from.pull.max_tun_mtu;
  info.allow_compressed = from.pull.allow_compressed;
  info.extra = from.peer_info;
  auto is_given = [&](const char* name) {
    return std::any_of(info.extra.begin(), info.extra.end(), [&](auto& x) {
      return x.first == name;
    });
  };
  if (!is_given("IV_SSO"))
    info.sso = "webauth,openurl,crtext";
  if (from.push_peer_info) {
    info.hardware_address = hardware_address();
    info.tls_library = OpenSSL_version(OPENSSL_VERSION);
    utsname system{};
    if (!is_given("IV_PLAT_VER") && uname(&system) == 0)
      info.platform_version = system.release;
  }
  return protocol::make_peer_info(info);
}

protocol::session_config session_of(const protocol::profile& from) {
  protocol::session_config result;
  result.self = protocol::role::client;
  result.pull = from.pull;
  result.digest = from.auth;
  result.peer_info = peer_info_of(from);
  result.hand_window = from.hand_window;
  result.reneg_after = from.reneg_after;
  result.reneg_min = from.reneg_min;
  result.reneg_bytes = from.reneg_bytes;
  result.reneg_packets = from.reneg_packets;
  result.transition_window = from.transition_window;
  return result;
}

} // namespace

expected<std::shared_ptr<actors::supervisor_config>, failure>
make_supervisor_config(const protocol::profile& from) {
  auto tls = protocol::tls_context::make(from.tls);
  if (!tls)
    return failure{reason::bad_config, tls.error().text};
  auto result = std::make_shared<actors::supervisor_config>();
  result->tls = *tls;
  result->session = session_of(from);
  result->credentials = from.credentials;
  result->plan.remotes = from.remotes;
  result->plan.shuffle = from.remote_random;
  result->plan.retry = from.connect_retry;
  result->plan.retry_max = from.connect_retry_max_wait;
  result->plan.max_tries = from.connect_retry_max;
  result->resolve_retry = from.resolve_retry;
  result->single_session
    = from.single_session || from.process.remap_usr1 == SIGTERM;
  result->persist_tun = from.persist_tun;
  result->network.sndbuf = from.sndbuf;
  result->network.rcvbuf = from.rcvbuf;
  result->network.mark = from.mark;
  result->network.bind_device = from.bind_device;
  result->network.tcp_nodelay = from.tcp_nodelay;
  result->reliable.retransmit_after = from.tls_timeout;
  result->environment = from.environment;
  if (from.script_security >= 2) {
    result->scripts = from.scripts;
    result->session.asks_about_peer = !from.scripts.tls_verify.empty();
  }
  result->heartbeat = heartbeat;
  result->faults = from.faults;
  result->random = openssl_random();
  return result;
}

void share_runtime(actors::supervisor_config& to,
                   const actors::supervisor_config& from) {
  to.clock = from.clock;
  to.loop = from.loop;
  to.pools = from.pools;
  to.parts = from.parts;
  to.listener = from.listener;
}

bool binds_low_port(const protocol::profile& from) {
  return std::any_of(from.remotes.begin(), from.remotes.end(), [](auto& x) {
    return x.settings.local_port > 0 && x.settings.local_port < 1024;
  });
}

void add_process_variables(actors::supervisor_config& to,
                           const protocol::process_settings& how, int verbosity,
                           const std::vector<std::string>& words) {
  auto i = std::find(words.begin(), words.end(), "--config");
  std::string config = words.empty() ? "" : words[0];
  if (i != words.end() && i + 1 != words.end())
    config = i[1];
  std::vector<std::pair<std::string, std::string>> own{
    {"config", config},
    {"verb", std::to_string(verbosity)},
    {"daemon", how.daemon ? "1" : "0"},
    {"daemon_log_redirect", how.log_file.empty() ? "0" : "1"},
    {"daemon_pid", std::to_string(getpid())},
    {"daemon_start_time", std::to_string(std::time(nullptr))},
  };
  // The user's own words win, so they come last.
  to.environment.insert(to.environment.begin(), own.begin(), own.end());
}

std::optional<std::string> read_file(const std::string& path,
                                     std::string& error) {
  errno = 0;
  std::ifstream in{path, std::ios::binary};
  if (!in) {
    error = std::strerror(errno != 0 ? errno : EIO);
    return std::nullopt;
  }
  // Piece by piece: most files are small, and a pipe does not say its size.
  std::string result;
  std::array<char, 8192> piece{};
  while (result.size() <= max_file_size && in) {
    in.read(piece.data(), piece.size());
    result.append(piece.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad() || (result.empty() && errno == EISDIR)) {
    error = std::strerror(errno != 0 ? errno : EIO);
    return std::nullopt;
  }
  if (result.size() > max_file_size) {
    error = "larger than 1 MiB";
    return std::nullopt;
  }
  return result;
}

} // namespace vpn::client
