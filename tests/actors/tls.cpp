// TLS, once as a client and once as a server; the test is what carries their
// bytes, SUPERVISOR and DATA CHANNEL.
#define CAF_SUITE actors.tls
#include "vpn/actors/tls.hpp"

#include "tests/support/layer_fixture.hpp"
#include "tests/support/seeded.hpp"
#include "tests/support/test_pki.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using namespace vpn::protocol;
using vpn::test::world_record;

namespace {

struct end_of_line {
  world_record seen;
  test::world_actor around;
  tls_actor layer;
  bool confirm_peer = false;
};

struct fixture : test::layer_fixture {
  end_of_line client, server;

  void spawn_ends(const tls_config& client_tls = test::client_tls_config(),
                  const tls_config& server_tls = test::server_tls_config()) {
    spawn_end(client, role::client, client_tls);
    spawn_end(server, role::server, server_tls);
  }

  void spawn_end(end_of_line& x, role self, const tls_config& cfg) {
    auto args = std::make_shared<tls_arguments>();
    args->negotiation.self = self;
    args->negotiation.key_id = 2;
    args->negotiation.tls = test::make_tls(cfg);
    args->negotiation.options
      = self == role::client ? "V4,client" : "V4,server";
    if (self == role::client) {
      args->negotiation.username = "user";
      args->negotiation.password = secret{"pass"};
      args->negotiation.peer_info = "IV_VER=1\n";
    }
    args->random = test::seeded{self == role::client ? 1u : 2u}.source();
    x.around = own(sys.spawn(test::world, &x.seen));
    args->negotiation.confirm_peer = x.confirm_peer;
    x.layer = own(
      sys.spawn(tls, args, &clock, x.around, x.around, x.around, x.around));
  }

  /// Both heard the other one's reset.
  void begin() {
    tell(client.layer, reset_arrived{});
    tell(server.layer, reset_arrived{});
  }

  /// Carries bytes until nobody has any left, `cut` at once.
  void carry(size_t cut = SIZE_MAX) {
    for (auto busy = true; busy;) {
      busy = false;
      for (auto ends : {std::pair{&client, &server}, {&server, &client}}) {
        auto xs = std::exchange(ends.first->seen.tls, {});
        for (size_t i = 0; i < xs.size(); i += cut) {
          busy = true;
          auto part = byte_view{xs}.from(i).first(cut);
          tell(ends.second->layer, tls_bytes{part.copy()});
          if (cut == SIZE_MAX)
            break;
        }
      }
    }
  }

  void connect() {
    spawn_ends();
    begin();
    carry();
    CAF_REQUIRE_EQUAL(client.seen.count<keys_exchanged>(), 1u);
    CAF_REQUIRE_EQUAL(server.seen.count<keys_exchanged>(), 1u);
  }

  derive_key derivation(data_cipher cipher = data_cipher::aes_256_gcm) {
    derive_key x;
    x.key_id = 2;
    x.cipher = cipher;
    x.peer_id = 9;
    x.client = session_id{{1}};
    x.server = session_id{{2}};
    return x;
  }

  static const failure* failed(const end_of_line& x) {
    auto y = x.seen.only<negotiation_failed>();
    return y != nullptr ? &y->what : nullptr;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tls_tests, fixture)

CAF_TEST(nothing is sent before the reset of the peer) {
  spawn_ends();
  CAF_CHECK(client.seen.tls.empty());
  CAF_CHECK(server.seen.tls.empty());
  begin();
  CAF_CHECK(!client.seen.tls.empty());
  CAF_CHECK(server.seen.tls.empty());
}

CAF_TEST(both ends learn what the other one says) {
  connect();
  auto at_server = server.seen.only<keys_exchanged>();
  CAF_REQUIRE(at_server != nullptr);
  CAF_CHECK_EQUAL(at_server->remote_options, "V4,client");
  CAF_CHECK_EQUAL(at_server->username, "user");
  CAF_CHECK_EQUAL(std::string{at_server->password.text()}, "pass");
  CAF_CHECK_EQUAL(at_server->remote_peer_info, "IV_VER=1\n");
  auto at_client = client.seen.only<keys_exchanged>();
  CAF_REQUIRE(at_client != nullptr);
  CAF_CHECK_EQUAL(at_client->remote_options, "V4,server");
  for (auto x : {&client, &server}) {
    auto up = x->seen.only<tls_established>();
    CAF_REQUIRE(up != nullptr);
    CAF_CHECK(!up->peer.empty());
    CAF_CHECK_EQUAL(failed(*x), nullptr);
    CAF_CHECK(has(status_of(x->layer), "keys exchanged"));
  }
}

CAF_TEST(bytes may come in pieces) {
  for (size_t cut : {1u, 7u, 100u, 1000u}) {
    client = {};
    server = {};
    spawn_ends();
    begin();
    carry(cut);
    CAF_CHECK_EQUAL(client.seen.count<keys_exchanged>(), 1u);
    CAF_CHECK_EQUAL(server.seen.count<keys_exchanged>(), 1u);
  }
}

CAF_TEST(both ends derive the same key and install it once) {
  for (auto how : {key_derivation::legacy_prf, key_derivation::tls_ekm}) {
    client = {};
    server = {};
    connect();
    auto what = derivation(data_cipher::chacha20_poly1305);
    what.derivation = how;
    for (auto x : {&client, &server}) {
      tell(x->layer, what);
      CAF_REQUIRE_EQUAL(x->seen.keys.size(), 1u);
      auto& key = *x->seen.keys[0];
      CAF_CHECK_EQUAL(key.key_id, 2u);
      CAF_CHECK(key.cipher == data_cipher::chacha20_poly1305);
      CAF_CHECK(key.peer_id == 9u);
      CAF_CHECK(x->seen.installed == std::vector<uint8_t>{2});
    }
    auto &x = *client.seen.keys[0], &y = *server.seen.keys[0];
    CAF_CHECK(x.self == role::client);
    CAF_CHECK(y.self == role::server);
    CAF_CHECK(
      std::equal(x.keys.data(), x.keys.data() + x.keys.size(), y.keys.data()));
    // They fit each other.
    auto from = data_key::make(x), to = data_key::make(y);
    CAF_REQUIRE(from);
    CAF_REQUIRE(to);
    bytes sealed(100), plain{1, 2, 3};
    auto n = from->seal(plain, sealed.data());
    CAF_REQUIRE(n);
    CAF_CHECK(to->open({sealed.data(), *n}));
  }
}

CAF_TEST(the key is there before SUPERVISOR hears of it) {
  connect();
  client.seen.log.clear();
  tell(client.layer, derivation());
  CAF_CHECK(client.seen.log
            == (std::vector<std::string>{"install", "installed"}));
}

CAF_TEST(a key that cannot be derived is a failure) {
  spawn_ends();
  begin();
  tell(client.layer, derivation());
  CAF_REQUIRE(failed(client) != nullptr);
  CAF_CHECK(failed(client)->why == reason::tls_failed);
  CAF_CHECK(client.seen.keys.empty());
}

CAF_TEST(a key that DATA CHANNEL refuses is a failure) {
  connect();
  client.seen.on_install = world_record::answer::no;
  tell(client.layer, derivation());
  CAF_CHECK(client.seen.installed.empty());
  CAF_REQUIRE(failed(client) != nullptr);
  CAF_CHECK(failed(client)->why == reason::internal);
}

CAF_TEST(a DATA CHANNEL that does not answer is a failure) {
  connect();
  client.seen.on_install = world_record::answer::never;
  tell(client.layer, derivation());
  // It may be replaced meanwhile, so it is asked again.
  pass(19s);
  CAF_CHECK(failed(client) == nullptr);
  CAF_CHECK_EQUAL(client.seen.keys.size(), 4u);
  pass(2s);
  CAF_CHECK(client.seen.installed.empty());
  CAF_REQUIRE(failed(client) != nullptr);
  CAF_CHECK(failed(client)->why == reason::internal);
}

CAF_TEST(the key of the data channel is what SUPERVISOR asked for) {
  connect();
  auto what = derivation(data_cipher::aes_256_cbc);
  what.digest = "SHA512";
  tell(client.layer, what);
  what = derivation();
  what.epoch = true;
  tell(server.layer, what);
  CAF_REQUIRE_EQUAL(client.seen.keys.size(), 1u);
  CAF_CHECK(client.seen.keys[0]->cipher == data_cipher::aes_256_cbc);
  CAF_CHECK_EQUAL(client.seen.keys[0]->digest, "SHA512");
  CAF_CHECK(!client.seen.keys[0]->epoch);
  CAF_REQUIRE_EQUAL(server.seen.keys.size(), 1u);
  CAF_CHECK(server.seen.keys[0]->epoch);
}

CAF_TEST(both ends install the same key for the control channel) {
  connect();
  for (auto x : {&client, &server}) {
    x->seen.log.clear();
    tell(x->layer, derive_control_key{});
    CAF_CHECK(
      x->seen.log
      == (std::vector<std::string>{"install control", "control installed"}));
    CAF_REQUIRE_EQUAL(x->seen.control_keys.size(), 1u);
    CAF_CHECK_EQUAL(x->seen.control_installed, 1u);
  }
  CAF_CHECK(client.seen.control_keys[0]->view()
            == server.seen.control_keys[0]->view());
}

CAF_TEST(a control channel key that does not come to be is a failure) {
  spawn_ends();
  begin();
  tell(client.layer, derive_control_key{});
  CAF_REQUIRE(failed(client) != nullptr);
  CAF_CHECK(failed(client)->why == reason::internal);
  CAF_CHECK(client.seen.control_keys.empty());
  for (auto answer : {world_record::answer::no, world_record::answer::never}) {
    client = {};
    server = {};
    connect();
    client.seen.on_install = answer;
    tell(client.layer, derive_control_key{});
    pass(21s);
    CAF_CHECK_EQUAL(client.seen.control_installed, 0u);
    CAF_REQUIRE(failed(client) != nullptr);
    CAF_CHECK(failed(client)->why == reason::internal);
  }
}

CAF_TEST(a peer that has to be accepted hears nothing before) {
  for (auto x : {&client, &server}) {
    client = {};
    server = {};
    x->confirm_peer = true;
    spawn_ends();
    begin();
    carry();
    CAF_CHECK_EQUAL(x->seen.count<tls_established>(), 1u);
    CAF_CHECK_EQUAL(x->seen.count<keys_exchanged>(), 0u);
    tell(x->layer, atom::accept_v);
    carry();
    CAF_CHECK_EQUAL(client.seen.count<keys_exchanged>(), 1u);
    CAF_CHECK_EQUAL(server.seen.count<keys_exchanged>(), 1u);
  }
}

CAF_TEST(texts pass both ways also before the keys are exchanged) {
  spawn_ends();
  tell(client.layer, text_command{"PUSH_REQUEST"});
  begin();
  carry();
  auto x = server.seen.only<text_received>();
  CAF_REQUIRE(x != nullptr);
  CAF_CHECK_EQUAL(x->text, "PUSH_REQUEST");
  tell(server.layer, text_command{"PUSH_REPLY,ping 10"});
  carry();
  x = client.seen.only<text_received>();
  CAF_REQUIRE(x != nullptr);
  CAF_CHECK_EQUAL(x->text, "PUSH_REPLY,ping 10");
}

CAF_TEST(a peer that is silent fails when the hand window ends) {
  spawn_ends();
  begin();
  pass(59s);
  CAF_CHECK(failed(client) == nullptr);
  CAF_CHECK(failed(server) == nullptr);
  CAF_CHECK(has(status_of(client.layer), "not established"));
  pass(2s);
  for (auto x : {&client, &server}) {
    CAF_REQUIRE(failed(*x) != nullptr);
    CAF_CHECK(failed(*x)->why != reason::none);
  }
  pass(300s);
  CAF_CHECK_EQUAL(client.seen.count<negotiation_failed>(), 1u);
  CAF_CHECK_EQUAL(pending_timers(), 0u);
}

CAF_TEST(the hand window runs also when no reset ever comes) {
  spawn_ends();
  pass(61s);
  CAF_CHECK(failed(client) != nullptr);
}

CAF_TEST(the hand window is over once keys are exchanged) {
  connect();
  pass(300s);
  CAF_CHECK(failed(client) == nullptr);
  CAF_CHECK(failed(server) == nullptr);
}

CAF_TEST(a certificate nobody trusts is a failure of both) {
  auto cfg = test::server_tls_config();
  cfg.cert = test::pki().foreign_server.cert;
  cfg.key = secret{test::pki().foreign_server.key};
  spawn_ends(test::client_tls_config(), cfg);
  begin();
  carry();
  CAF_CHECK_EQUAL(client.seen.count<tls_established>(), 0u);
  CAF_REQUIRE(failed(client) != nullptr);
  CAF_CHECK(failed(client)->why != reason::none);
  CAF_CHECK(failed(server) != nullptr);
}

CAF_TEST(random bytes are a failure and no more) {
  test::seeded random{4};
  for (int i = 0; i < 50; ++i) {
    client = {};
    server = {};
    spawn_ends();
    begin();
    for (int k = 0; k < 5; ++k)
      for (auto x : {&client, &server})
        tell(x->layer, tls_bytes{random.some_bytes(500)});
    CAF_CHECK(client.seen.count<keys_exchanged>() == 0);
    CAF_CHECK(client.seen.count<negotiation_failed>() <= 1);
    CAF_CHECK(server.seen.count<negotiation_failed>() <= 1);
    // Whoever is over still answers.
    CAF_CHECK(has(status_of(client.layer), "not established"));
  }
}

CAF_TEST(a shutdown is answered at once) {
  connect();
  auto x = ask<layer_status>(client.layer, atom::shutdown_v);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->layer, "tls");
  CAF_CHECK_EQUAL(x->text, "keys exchanged");
}

CAF_TEST_FIXTURE_SCOPE_END()
