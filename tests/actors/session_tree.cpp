// The tree of one session: who is there, in which order, and that it all ends.
#define CAF_SUITE actors.session_tree
#include "actors/session_tree.hpp"

#include "tests/support/session_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using protocol::opening;

namespace {

/// Counts what the layers tell it.
supervisor_actor::behavior_type
supervisor_dummy(supervisor_actor::pointer, std::vector<std::string>* heard) {
  auto note = [heard](const char* what) {
    heard->push_back(what);
  };
  return {
    [=](atom::start) {},
    [=](atom::stop, reason) {},
    [=](atom::restart) {},
    [=](atom::apply, const config_ptr&) {},
    [=](atom::status) {
      return std::vector<layer_status>{};
    },
    [=](atom::fault, const std::string& x) {
      return x;
    },
    [=](atom::pause, bool) {},
    [=](atom::clear) {},
    [=](atom::beat) {},
    [=](atom::detach, uint64_t) {},
    [=](atom::timeout, uint64_t) {},
    [=](atom::route, uint64_t) {},
    [=](const transport_up&) {
      note("transport up");
    },
    [=](const layer_failed&) {
      note("layer failed");
    },
    [=](const peer_known&) {
      note("peer known");
    },
    [=](const soft_reset_seen&) {
      note("soft reset");
    },
    [=](const peer_answered&) {
      note("peer answered");
    },
    [=](const negotiation_fact&) {
      note("negotiation");
    },
    [=](const key_installed&) {
      note("key installed");
    },
    [=](const control_key_installed&) {
      note("control key installed");
    },
    [=](const data_fact&) {
      note("data");
    },
    [=](const addresses_changed&) {},
    [=](const host_woke&) {},
  };
}

struct fixture : test::session_fixture {
  std::vector<std::string> heard;
  supervisor_actor supervisor = own(sys.spawn(supervisor_dummy, &heard));
  size_t before = sys.registry().running();
  std::vector<protocol::fault_spec> faults;
  session_tree tree;

  fixture() {
    network_config net;
    net.remote = server(1);
    tree = session_tree{{&sys, cfg, cfg->settings, net, supervisor, &faults}};
    consume_messages();
  }
  ~fixture() override {
    tree.kill();
    consume_messages();
  }

  void add(uint8_t key_id, opening how = opening::hard_reset_client) {
    protocol::open_negotiation what;
    what.key_id = key_id;
    what.how = how;
    tree.open_negotiation(what, cfg->session);
    consume_messages();
  }

  size_t running() { return sys.registry().running() - before; }

  std::vector<std::string> names() {
    std::vector<std::string> result;
    tree.for_each([&](const layer_seat& x) {
      auto status = ask<layer_status>(x.hdl, atom::status_v);
      result.push_back(status ? status->layer : "?");
    });
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(session_tree_tests, fixture)

CAF_TEST(a tree has four layers and each negotiation three more) {
  using strings = std::vector<std::string>;
  CAF_CHECK_EQUAL(running(), 4u);
  CAF_CHECK(names() == (strings{"data_channel", "tun", "muxer", "network"}));
  add(0);
  CAF_CHECK_EQUAL(running(), 7u);
  CAF_CHECK(names()
            == (strings{"tls", "control", "reliable", "data_channel", "tun",
                        "muxer", "network"}));
  add(1, opening::soft_reset_initiator);
  CAF_CHECK_EQUAL(running(), 10u);
}

CAF_TEST(nothing leaves before there is a negotiation) {
  CAF_CHECK_EQUAL(outer.started, 0u);
  CAF_CHECK(outer.datagrams.empty());
}

CAF_TEST(a negotiation opens with its reset through all layers) {
  add(0);
  CAF_REQUIRE_EQUAL(outer.datagrams.size(), 1u);
  auto x = protocol::read_plain(outer.datagrams[0]);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == protocol::opcode::control_hard_reset_client_v2);
  CAF_CHECK_EQUAL(x->id, 0u);
  // RELIABLE repeats it.
  pass(std::chrono::milliseconds{500});
  CAF_CHECK_EQUAL(outer.datagrams.size(), 2u);
}

CAF_TEST(the way up is wired to the top) {
  add(0);
  auto own = protocol::read_plain(outer.datagrams.at(0));
  CAF_REQUIRE(own);
  protocol::control_packet answer;
  answer.op = protocol::opcode::control_hard_reset_server_v2;
  answer.source = protocol::session_id{{1}};
  answer.destination = own->source;
  answer.acks = {0};
  auto datagram = protocol::write_plain(answer);
  auto batch = cfg->pools.received->get();
  std::copy(datagram.begin(), datagram.end(), batch->data);
  batch->add(0, static_cast<uint32_t>(datagram.size()));
  outer.datagrams.clear();
  tell(outer.above, atom::up_v, std::move(batch));
  CAF_CHECK(heard == (std::vector<std::string>{"peer known", "peer answered"}));
  // The ClientHello of a TLS that has begun; it carries the ack, which could
  // get lost alone.
  CAF_REQUIRE(!outer.datagrams.empty());
  auto hello = protocol::read_plain(outer.datagrams[0]);
  CAF_REQUIRE(hello);
  CAF_CHECK(hello->op == protocol::opcode::control_v1);
  CAF_CHECK_EQUAL(hello->id, 1u);
  CAF_CHECK(hello->acks == std::vector<uint32_t>{0});
  CAF_CHECK(hello->destination == answer.source);
}

CAF_TEST(the sizes of control packets follow the family) {
  network_config net;
  net.remote = {*parse_ip("2001:db8::1"), 1194, 0};
  session_tree tree6{{&sys, cfg, cfg->settings, net, supervisor, &faults}};
  for (auto muxer : {tree.muxer(), tree6.muxer()}) {
    tell(muxer, atom::attach_v, uint8_t{0}, control_sink_actor{around},
         payload_limit_actor{around});
  }
  CAF_REQUIRE_EQUAL(seen.limits.size(), 2u);
  CAF_CHECK_EQUAL(seen.limits[0], seen.limits[1] + 20);
  tree6.kill();
  consume_messages();
}

CAF_TEST(a negotiation that is removed ends and the others live) {
  add(0);
  add(1, opening::soft_reset_initiator);
  tree.close_negotiation(0);
  consume_messages();
  CAF_CHECK_EQUAL(running(), 7u);
  CAF_CHECK(!tree.negotiates(0));
  CAF_CHECK(tree.negotiates(1));
  tree.close_negotiation(0);
  tree.close_negotiation(7);
  consume_messages();
  CAF_CHECK_EQUAL(running(), 7u);
}

CAF_TEST(a killed tree leaves nothing behind) {
  add(0);
  add(1, opening::soft_reset_responder);
  tree.kill();
  consume_messages();
  CAF_CHECK_EQUAL(running(), 0u);
  CAF_CHECK(names().empty());
  tree.kill();
  for (auto& pool : {cfg->pools.received, cfg->pools.tun, cfg->pools.sealed})
    CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(a layer is replaced and its neighbours do not notice) {
  using protocol::layer;
  add(0);
  auto sid = protocol::read_plain(outer.datagrams.at(0))->source;
  for (auto what :
       {layer::muxer, layer::data_channel, layer::tun, layer::network}) {
    for (auto how : {succession::dead, succession::stuck}) {
      auto muxer = tree.muxer();
      tree.respawn(what, how);
      consume_messages();
      CAF_CHECK_EQUAL(running(), 7u);
      CAF_CHECK(tree.muxer() == muxer);
      CAF_CHECK_EQUAL(names().size(), 7u);
      // RELIABLE still finds its way out, with the session id of before.
      outer.datagrams.clear();
      pass(std::chrono::seconds{10});
      CAF_REQUIRE(!outer.datagrams.empty());
      auto x = protocol::read_plain(outer.datagrams[0]);
      CAF_REQUIRE(x);
      CAF_CHECK(x->source == sid);
    }
  }
}

CAF_TEST(a replaced layer is not heard any more) {
  auto old = outer.observer;
  tell(old, transport_up{server(1), server(2), nullptr});
  CAF_CHECK_EQUAL(heard.size(), 1u);
  tree.respawn(protocol::layer::network, succession::stuck);
  consume_messages();
  tell(old, transport_up{server(1), server(2), nullptr});
  CAF_CHECK_EQUAL(heard.size(), 1u);
  tell(outer.observer, transport_up{server(1), server(2), nullptr});
  CAF_CHECK_EQUAL(heard.size(), 2u);
}

CAF_TEST(each actor at work is found by its address) {
  add(0);
  std::vector<protocol::layer> found;
  tree.for_each_actor([&](const caf::actor_addr& x) {
    if (auto which = tree.find(x))
      found.push_back(which->what);
  });
  CAF_CHECK_EQUAL(found.size(), 7u);
  CAF_CHECK(!tree.find(supervisor.address()));
}

CAF_TEST(faults come and go between layers that live) {
  add(0);
  auto spec = protocol::parse_fault_spec("network.down:drop=1");
  CAF_REQUIRE(spec);
  faults.push_back(*spec);
  tree.fit_faults();
  outer.datagrams.clear();
  pass(std::chrono::seconds{10});
  CAF_CHECK(outer.datagrams.empty());
  size_t actors = 0;
  tree.for_each_fault([&](const fault_control_actor&) {
    ++actors;
  });
  CAF_CHECK_EQUAL(actors, 1u);
  CAF_CHECK_EQUAL(running(), 8u);
  faults.clear();
  tree.fit_faults();
  pass(std::chrono::seconds{10});
  CAF_CHECK(!outer.datagrams.empty());
  CAF_CHECK_EQUAL(running(), 7u);
}

CAF_TEST(a gate ends the layer behind it) {
  auto spec = protocol::parse_fault_spec("muxer:kill=1s");
  CAF_REQUIRE(spec);
  faults.push_back(*spec);
  tree.fit_faults();
  consume_messages();
  CAF_CHECK_EQUAL(running(), 5u);
  pass(std::chrono::seconds{2});
  CAF_CHECK_EQUAL(running(), 4u);
  tree.respawn(protocol::layer::muxer, succession::dead);
  consume_messages();
  CAF_CHECK_EQUAL(running(), 5u);
}

CAF_TEST_FIXTURE_SCOPE_END()
