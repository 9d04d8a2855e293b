// A client and a server on one virtual clock, see the header.
#include "tests/support/pair.hpp"

#include "vpn/protocol/key_method.hpp"

#include "tests/support/crypt_v2_keys.hpp"
#include "tests/support/test_pki.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace vpn::test {

using namespace actors;
using protocol::key_direction;
using protocol::role;

namespace {

const endpoint client_address{*parse_ip("192.0.2.1"), 40000, 0};
const endpoint server_address{*parse_ip("192.0.2.2"), 1194, 0};

/// More messages than any instant of a test needs: beyond, actors chase each
/// other for ever.
constexpr size_t max_messages_at_once = 1'000'000;
/// Sockets of one side that still hear something.
constexpr size_t max_sockets = 64;
/// The same for timers that are due at once, again and again.
constexpr size_t max_rounds_at_once = 100'000;

caf::actor_system_config& for_tests(caf::actor_system_config& cfg) {
  cfg.set("scheduler.policy", caf::atom("testing"));
  cfg.set("logger.file-verbosity", caf::atom("quiet"));
  return cfg;
}

pool_ptr small_pool(size_t batches, uint32_t slab_bytes, uint32_t runs) {
  return caf::make_counted<batch_pool>(pool_config{batches, slab_bytes, runs});
}

key_direction opposite(key_direction x) {
  switch (x) {
    case key_direction::normal:
      return key_direction::inverse;
    case key_direction::inverse:
      return key_direction::normal;
    default:
      return x;
  }
}

} // namespace

vpn_pair::vpn_pair(const pair_config& cfg)
  : sys_(for_tests(config_)),
    scheduler_(
      dynamic_cast<caf::scheduler::test_coordinator&>(sys_.scheduler())),
    clock_((scheduler_.clock().current_time += std::chrono::hours{1},
            scheduler_.clock())),
    random_(cfg.seed),
    shuffle_(cfg.shuffle),
    restart_server_(cfg.restart_server) {
  // Room for a datagram, and for the packet that it completes.
  pools_.received = small_pool(4096, 4096, 1);
  pools_.tun = small_pool(256, 128 * 1024, 64);
  pools_.sealed = small_pool(64, 192 * 1024, 512);
  prepare(client, role::client, cfg);
  prepare(server, role::server, cfg);
  to_client_ = sys_.spawn(cable, this, &client);
  to_server_ = sys_.spawn(cable, this, &server);
  run_all();
  running_before_ = running();
  client.cfg->listener = sys_.spawn(listener_dummy, &client.saw);
  server.cfg->listener = sys_.spawn(listener_dummy, &server.saw);
  running_before_ = running();
}

vpn_pair::~vpn_pair() {
  tap = nullptr;
  restart_server_ = false;
  for (auto* x : {&client, &server})
    if (x->supervisor)
      stop(*x);
  drive_to_end(std::chrono::minutes{1});
  for (auto* x : {&client, &server}) {
    // What is left now would keep the actor system from ending.
    if (x->supervisor)
      caf::anon_send_exit(x->supervisor, caf::exit_reason::kill);
    caf::anon_send_exit(x->cfg->listener, caf::exit_reason::user_shutdown);
    x->supervisor = nullptr;
    x->above_network = nullptr;
    x->above_networks.clear();
    x->network = nullptr;
    x->tun = nullptr;
    x->host = nullptr;
    x->saw.below_tun = nullptr;
    x->cfg->listener = nullptr;
  }
  caf::anon_send_exit(to_client_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(to_server_, caf::exit_reason::user_shutdown);
  to_client_ = nullptr;
  to_server_ = nullptr;
  run_all();
}

// -- both configurations --

void vpn_pair::prepare(side& x, role self, const pair_config& cfg) {
  auto is_client = self == role::client;
  x.link = link_model{cfg.faults, cfg.seed * 2 + (is_client ? 0 : 1)};
  x.cfg = std::make_shared<supervisor_config>();
  auto& c = *x.cfg;
  c.session.self = self;
  if (is_client) {
    protocol::remote_entry remote;
    remote.host = "vpn.test";
    c.plan.remotes = {remote};
  }
  auto& wrap = x.settings().wrap;
  wrap.mode = cfg.wrap;
  for (size_t i = 0; i < wrap.key.size(); ++i)
    wrap.key.data()[i] = static_cast<uint8_t>(7 * i + 1);
  if (cfg.wrap == protocol::wrap_mode::tls_auth)
    wrap.direction
      = is_client ? cfg.client_direction : opposite(cfg.client_direction);
  if (cfg.wrap == protocol::wrap_mode::tls_crypt_v2) {
    crypt_v2_keys keys{cfg.seed};
    wrap = is_client ? keys.client() : keys.server();
    wrap.force_cookie = !is_client && cfg.force_cookie;
  }
  wrap.digest = cfg.wrap_digest;
  c.session.dynamic_tls_crypt = cfg.dynamic_tls_crypt;
  c.session.epoch = cfg.epoch;
  c.session.digest = cfg.digest;
  c.tls = make_tls(is_client ? client_tls_config() : server_tls_config());
  c.network.remote = is_client ? server_address : client_address;
  c.random = seeded{cfg.seed * 31 + (is_client ? 7 : 11)}.source();
  c.clock = &clock_;
  c.pools = pools_;
  auto up = transport_up{is_client ? client_address : server_address,
                         c.network.remote, nullptr};
  c.parts.spawn_network
    = [this, side = &x, up](const network_config&, transport_observer_actor y) {
        side->network = sys_.spawn(socket, this, side, up, std::move(y));
        return side->network;
      };
  c.parts.spawn_tun
    = [this, side = &x](batch_down_actor below, device_observer_actor) {
        side->tun = sys_.spawn(tun_dummy, &side->saw, std::move(below));
        return side->tun;
      };
  c.parts.spawn_host = [this, side = &x] {
    side->host = sys_.spawn(host_dummy, &side->saw);
    return side->host;
  };
  c.parts.spawn_resolver = [this, side = &x] {
    return sys_.spawn(resolver_dummy, &side->saw);
  };
  c.parts.spawn_runner = [this, side = &x] {
    return runner_actor{sys_.spawn(runner_dummy, &side->saw)};
  };
  c.parts.spawn_prompter = [this, side = &x] {
    return prompter_actor{sys_.spawn(prompter_dummy, &side->saw)};
  };
  is_client ? prepare_client(cfg) : prepare_server(cfg);
}

void vpn_pair::prepare_client(const pair_config& cfg) {
  client.saw.resolved.endpoints = {server_address};
  auto& c = *client.cfg;
  c.session.pull.ciphers = {cfg.cipher};
  c.credentials.source = protocol::credential_source::given;
  c.credentials.username = "alice";
  c.credentials.password = secret{"wonderland"};
  protocol::peer_info_config info;
  info.version = "2.6.14";
  info.ciphers = {protocol::to_string(cfg.cipher)};
  c.session.peer_info = protocol::make_peer_info(info);
}

void vpn_pair::prepare_server(const pair_config& cfg) {
  auto& c = *server.cfg;
  auto& policy = c.session.server;
  policy.username = "alice";
  policy.password = secret{"wonderland"};
  policy.ciphers = {cfg.cipher};
  policy.peer_id = 5;
  policy.push = {"topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
                 "route-gateway 10.8.0.1", "route 192.168.77.0 255.255.255.0"};
  if (cfg.ping > 0)
    policy.push.push_back("ping " + std::to_string(cfg.ping));
  if (cfg.ping_restart > 0)
    policy.push.push_back("ping-restart " + std::to_string(cfg.ping_restart));
  policy.tunnel.layout = protocol::topology::subnet;
  policy.tunnel.address4 = *parse_prefix("10.8.0.1/24", family::v4);
  c.session.pull.ping = std::chrono::seconds{cfg.ping};
  c.session.pull.ping_restart = std::chrono::seconds{cfg.ping_restart};
}

// -- commands --

void vpn_pair::start() {
  start(server);
  start(client);
}

void vpn_pair::start(side& x) {
  // Exact, unless a test wants it otherwise.
  if (!x.cfg->session.reneg_min)
    x.cfg->session.reneg_min = x.cfg->session.reneg_after;
  x.supervisor = spawn_supervisor(sys_, x.cfg);
  caf::anon_send(x.supervisor, atom::start_v);
}

void vpn_pair::stop(side& x, reason why) {
  caf::anon_send(x.supervisor, atom::stop_v, why);
}

void vpn_pair::fault(side& x, const std::string& spec) {
  caf::anon_send(x.supervisor, atom::fault_v, spec);
}

void vpn_pair::set_faults(const link_faults& x) {
  client.link.set_faults(x);
  server.link.set_faults(x);
}

void vpn_pair::set_link_up(bool x) {
  client.link.set_up(x);
  server.link.set_up(x);
}

void vpn_pair::send(side& from, const std::vector<bytes>& packets) {
  batch_ptr batch;
  auto flush = [&] {
    if (batch && from.saw.below_tun)
      caf::anon_send(from.saw.below_tun, atom::down_v, std::move(batch));
    batch = nullptr;
  };
  for (auto& packet : packets) {
    if (batch && (batch->full() || batch->room() < packet.size()))
      flush();
    if (!batch)
      batch = pools_.tun->get();
    if (!batch) {
      ++overruns_;
      return;
    }
    std::memcpy(batch->data + batch->used, packet.data(), packet.size());
    batch->add(batch->used, static_cast<uint32_t>(packet.size()));
    batch->used += static_cast<uint32_t>(packet.size());
  }
  flush();
}

bool vpn_pair::carries(uint32_t count) {
  auto up = numbered_packets(0, count);
  auto down = numbered_packets(count, count, 2);
  client.saw.packets.clear();
  server.saw.packets.clear();
  send(client, up);
  send(server, down);
  drive(std::chrono::seconds{1});
  return server.saw.packets == up && client.saw.packets == down;
}

void vpn_pair::inject(side& to, bytes datagram) {
  carry(to, std::move(datagram), duration::zero());
}

// -- the link --

void vpn_pair::transmit(side& from, byte_view datagram) {
  if (tap)
    tap(from, datagram);
  for (auto& x : from.link.decide(datagram))
    carry(other(from), std::move(x.data), x.after);
}

void vpn_pair::carry(side& to, bytes datagram, duration after) {
  caf::delayed_anon_send(&to == &client ? to_client_ : to_server_, after,
                         control_datagram{std::move(datagram)});
}

void vpn_pair::arrive(side& at, byte_view datagram) {
  // Sockets are not told apart: each session takes what is its own.
  for (const auto& above : at.above_networks) {
    auto batch = pools_.received->get();
    if (!batch || datagram.size() > batch->room()) {
      ++overruns_;
      return;
    }
    if (datagram.size() > 0) // an empty one may have no data at all
      std::memcpy(batch->data, datagram.data(), datagram.size());
    batch->used = static_cast<uint32_t>(datagram.size());
    batch->add(0, batch->used);
    caf::anon_send(above, atom::up_v, std::move(batch));
  }
}

vpn_pair::cable_actor::behavior_type vpn_pair::cable(cable_actor::pointer,
                                                     vpn_pair* host, side* to) {
  return {[host, to](const control_datagram& x) {
    host->arrive(*to, byte_view{x.data});
  }};
}

network_actor::behavior_type vpn_pair::socket(network_actor::pointer self,
                                              vpn_pair* host, side* of,
                                              transport_up up,
                                              transport_observer_actor above) {
  return {
    [of](atom::attach, const batch_up_actor& x) {
      of->above_network = x;
      auto& all = of->above_networks;
      all.push_back(x);
      if (all.size() > max_sockets)
        all.erase(all.begin());
    },
    [self, of, up, above](atom::start) {
      ++of->sockets;
      self->send(above, up);
    },
    [](const protocol::configure_socket&) {},
    [](atom::timeout) {},
    [host, of](atom::down, batch_ptr& batch) {
      for (auto& run : *batch) {
        uint32_t step = run.stride != 0 ? run.stride : run.length;
        for (uint32_t at = 0; at < run.length; at += step)
          host->transmit(
            *of, {batch->at(run) + at, std::min(step, run.length - at)});
      }
    },
    [host, of](const control_datagram& x) {
      host->transmit(*of, byte_view{x.data});
    },
    [](atom::shutdown) {
      return layer_status{"network", "", {}};
    },
    [](atom::status) {
      return layer_status{"network", "", {}};
    },
  };
}

// -- time --

bool vpn_pair::run_one() {
  auto& jobs = scheduler_.jobs;
  if (shuffle_ && jobs.size() > 1)
    std::swap(jobs.front(),
              jobs[random_.below(static_cast<uint32_t>(jobs.size()))]);
  return scheduler_.try_run_once();
}

/// Everything that can happen without time going by; false when that does not
/// end.
bool vpn_pair::run_all() {
  for (size_t i = 0; i < max_messages_at_once; ++i) {
    if (run_one())
      continue;
    auto ends = server.saw.ended.size();
    restart_server_if_needed();
    if (ends == server_ends_ && scheduler_.jobs.empty())
      return true;
  }
  livelock_ = true;
  return false;
}

void vpn_pair::restart_server_if_needed() {
  auto ended = server.saw.ended.size() > server_ends_;
  server_ends_ = server.saw.ended.size();
  if (ended && restart_server_)
    start(server);
}

bool vpn_pair::drive(duration limit, const std::function<bool()>& done) {
  auto end = clock().now() + limit;
  size_t rounds_at_once = 0;
  while (run_all()) {
    if (done())
      return true;
    auto now = clock().now();
    if (now >= end)
      return false;
    auto& schedule = clock().schedule();
    auto due = schedule.empty() ? end : std::min(schedule.begin()->first, end);
    rounds_at_once = due > now ? 0 : rounds_at_once + 1;
    if (rounds_at_once > max_rounds_at_once) {
      livelock_ = true;
      return false;
    }
    clock().advance_time(std::max(due - now, duration::zero()));
  }
  return false;
}

void vpn_pair::drive(duration limit) {
  drive(limit, [] {
    return false;
  });
}

bool vpn_pair::drive_to_connected(duration limit) {
  return drive(limit, [this] {
    return connected(client) && connected(server);
  });
}

bool vpn_pair::drive_to_end(duration limit) {
  return drive(limit, [this] {
    return running() == running_before_;
  });
}

// -- observers --

std::string vpn_pair::story() {
  std::ostringstream out;
  for (auto* x : {&client, &server}) {
    out << (x == &client ? "-- client --\n" : "-- server --\n");
    for (auto& y : x->saw.notices)
      out << y.text << '\n';
    for (auto& y : x->saw.ended)
      out << "ended: " << to_string(y.why) << ' ' << y.text << '\n';
  }
  out
    << std::chrono::duration_cast<std::chrono::milliseconds>(elapsed()).count()
    << " ms, " << running() << " actors" << (livelock_ ? ", livelock" : "")
    << ", " << overruns_ << " overruns" << '\n';
  return out.str();
}

std::vector<layer_status> vpn_pair::status(side& of) {
  caf::scoped_actor self{sys_};
  std::vector<layer_status> result;
  auto answer = self->request(of.supervisor, caf::infinite, atom::status_v);
  drive(std::chrono::seconds{5}, [&] {
    return !self->mailbox().empty();
  });
  if (!self->mailbox().empty())
    answer.receive(
      [&](std::vector<layer_status>& x) {
        result = std::move(x);
      },
      [](const caf::error&) {});
  return result;
}

// -- packets --

bytes numbered_packet(uint32_t number, size_t size) {
  bytes result(std::max<size_t>(size, 20));
  result[0] = 0x45;
  store_u16(result.data() + 2, static_cast<uint16_t>(result.size()));
  store_u32(result.data() + 4, number);
  result[8] = 64;
  result[9] = 17;
  for (size_t i = 20; i < result.size(); ++i)
    result[i] = static_cast<uint8_t>(number * 31 + i * 7);
  return result;
}

std::vector<bytes> numbered_packets(uint32_t first, uint32_t count,
                                    uint64_t seed) {
  seeded random{seed};
  std::vector<bytes> result;
  result.reserve(count);
  for (uint32_t i = 0; i < count; ++i)
    result.push_back(numbered_packet(first + i, 20 + random.below(1481)));
  return result;
}

} // namespace vpn::test
