// Pushed options about timers, keys, compression, the socket and scripts.
#define CAF_SUITE protocol.push_handlers

#include "protocol/push_handlers.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using std::chrono::seconds;

namespace {

bool has(const failure& why, const char* text) {
  return why.text.find(text) != std::string::npos;
}

} // namespace

CAF_TEST(an idle tunnel may end after a time) {
  auto x = apply({"inactive 3600"});
  CAF_CHECK(x.inactive == seconds{3600});
  CAF_CHECK_EQUAL(x.inactive_bytes, 0u);
  auto y = apply({"inactive 60 18446744073709551615"});
  CAF_CHECK(y.inactive == seconds{60});
  CAF_CHECK_EQUAL(y.inactive_bytes, 18446744073709551615u);
  auto own = own_pull_config();
  own.inactive = seconds{5};
  own.inactive_bytes = 1000;
  CAF_CHECK(apply({}, own).inactive == seconds{5});
  CAF_CHECK_EQUAL(apply({}, own).inactive_bytes, 1000u);
  CAF_CHECK_EQUAL(apply({"inactive 7"}, own).inactive_bytes, 0u);
  CAF_CHECK(apply({"inactive 0"}, own).inactive == seconds{0});
}

CAF_TEST(a session may have a time limit) {
  CAF_CHECK(apply({"session-timeout 86400"}).session_timeout == seconds{86400});
  CAF_CHECK(apply({"session-timeout 2147483647"}).session_timeout
            == seconds{2147483647});
  auto own = own_pull_config();
  own.session_timeout = seconds{9};
  CAF_CHECK(apply({}, own).session_timeout == seconds{9});
}

CAF_TEST(the server may size the socket buffers) {
  auto x = apply({"sndbuf 393216", "rcvbuf 0", "socket-flags TCP_NODELAY"});
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK(x.sndbuf == 393216u && x.rcvbuf == 0u && x.tcp_nodelay);
  auto y = apply({});
  CAF_CHECK(!y.sndbuf && !y.rcvbuf && !y.tcp_nodelay);
}

CAF_TEST(verbosity and a kept device are taken over) {
  auto x = apply({"verb 4", "persist-tun"});
  CAF_CHECK(x.verbosity == 4 && x.persist_tun);
  CAF_CHECK(!apply({}).verbosity && !apply({}).persist_tun);
}

CAF_TEST(safe variables are for scripts) {
  auto x = apply({"setenv-safe A 1", "setenv-safe b_2 \"two words $x\"",
                  "setenv-safe EMPTY", "setenv-safe A 3"});
  CAF_CHECK_EQUAL(x.warnings, strings{});
  using pair = std::pair<std::string, std::string>;
  CAF_REQUIRE_EQUAL(x.environment.size(), 3u);
  CAF_CHECK((x.environment[0] == pair{"A", "3"}));
  CAF_CHECK((x.environment[1] == pair{"b_2", "two words $x"}));
  CAF_CHECK((x.environment[2] == pair{"EMPTY", ""}));
  strings many;
  for (int i = 0; i < 100; ++i)
    many.push_back("setenv-safe V" + std::to_string(i) + " x");
  CAF_CHECK_EQUAL(apply(many).environment.size(), 64u);
}

CAF_TEST(echoes are kept in order and bounded) {
  auto x = apply({"echo one  two", "echo", "echo \"a b\" c"});
  CAF_CHECK_EQUAL(x.echoes, (strings{"one two", "", "a b c"}));
  CAF_CHECK_EQUAL(apply(strings(100, "echo x")).echoes.size(), 64u);
}

CAF_TEST(framings that never compress are always taken) {
  using framing = compression_framing;
  auto of = [](const char* option) {
    return apply({option}).framing;
  };
  CAF_CHECK(of("comp-lzo no") == framing::lzo_stub);
  CAF_CHECK(of("compress") == framing::stub);
  CAF_CHECK(of("compress stub") == framing::stub);
  CAF_CHECK(of("compress stub-v2") == framing::stub_v2);
  CAF_CHECK(of("compress migrate") == framing::none);
  CAF_CHECK(!apply({"comp-lzo no"}).decompress);
  // The last word counts, whatever came before it.
  CAF_CHECK(apply({"comp-lzo yes", "compress stub-v2"}).framing
            == framing::stub_v2);
}

CAF_TEST(compressed packets come only where they are allowed) {
  using framing = compression_framing;
  const std::vector<std::pair<std::string, framing>> forced{
    {"comp-lzo", framing::lzo},          {"comp-lzo yes", framing::lzo},
    {"comp-lzo adaptive", framing::lzo}, {"compress lzo", framing::lzo},
    {"compress lz4", framing::lz4},      {"compress lz4-v2", framing::lz4_v2}};
  auto own = own_pull_config();
  own.allow_compressed = true;
  for (auto& [option, means] : forced) {
    auto why = refusal({option, "cipher AES-256-GCM"});
    CAF_CHECK(has(why, "allow-compression"));
    CAF_CHECK(has(why, to_string(means).c_str()));
    auto x = apply({option}, own);
    CAF_CHECK(x.framing == means && x.decompress);
  }
  CAF_CHECK(!apply({"compress stub"}, own).decompress);
}

CAF_TEST(the own framing holds when none is pushed) {
  auto own = own_pull_config();
  own.framing = compression_framing::lzo;
  own.allow_compressed = true;
  auto x = apply({}, own);
  CAF_CHECK(x.framing == compression_framing::lzo && x.decompress);
  auto y = apply({"comp-lzo no"}, own);
  CAF_CHECK(y.framing == compression_framing::lzo_stub && !y.decompress);
}

CAF_TEST(flags of the protocol are understood) {
  auto x = apply({"protocol-flags cc-exit tls-ekm dyn-tls-crypt"});
  CAF_CHECK(x.cc_exit && x.dynamic_tls_crypt && !x.epoch);
  CAF_CHECK(x.derivation == key_derivation::tls_ekm);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK(!apply({}).dynamic_tls_crypt);
}

CAF_TEST(the epoch format needs all that it stands on) {
  auto x = apply({"protocol-flags tls-ekm aead-epoch", "peer-id 3"});
  CAF_CHECK(x.epoch);
  // In any order, and with the derivation said in the other way.
  CAF_CHECK(
    apply({"peer-id 3", "protocol-flags aead-epoch", "key-derivation tls-ekm"})
      .epoch);
  auto own = own_pull_config();
  own.ciphers.push_back(data_cipher::aes_256_cbc);
  for (auto& pushed :
       {strings{"protocol-flags aead-epoch", "peer-id 3", "cipher AES-256-GCM"},
        strings{"protocol-flags tls-ekm aead-epoch", "cipher AES-256-GCM"},
        strings{"protocol-flags tls-ekm aead-epoch", "peer-id 16777215",
                "cipher AES-256-GCM"},
        strings{"protocol-flags tls-ekm aead-epoch", "peer-id 3",
                "cipher AES-256-CBC"}})
    CAF_CHECK(has(refusal(pushed, own), "aead-epoch"));
}

CAF_TEST(the first failure is told) {
  auto why = refusal({"cipher BF-CBC", "comp-lzo yes"});
  CAF_CHECK(has(why, "BF-CBC"));
}
