// The actor system's settings: every message that may leave the process can,
// and keeps its contents.
#define CAF_SUITE actors.config
#include "vpn/actors/config.hpp"

#include "tests/support/actor_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;

namespace {

const endpoint v4{*parse_ip("192.0.2.1"), 1194, 0};
const endpoint v6{*parse_ip("2001:db8::1"), 443, 7};

struct fixture : test::actor_fixture {
  /// What comes out at the other end.
  template <class T>
  T sent(const T& x) {
    return roundtrip(x);
  }
  /// The same inside of a message, where types go by their names.
  template <class T>
  bool passes_as_message(const T& x) {
    caf::message out = roundtrip(caf::make_message(x));
    return out.match_elements<T>();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(config_tests, fixture)

CAF_TEST(messages between layers keep their contents) {
  CAF_CHECK(sent(control_datagram{{1, 2, 3}}) == (control_datagram{{1, 2, 3}}));
  CAF_CHECK(sent(tls_bytes{{4}}) == tls_bytes{{4}});
  CAF_CHECK(sent(window_open{5}) == window_open{5});
  CAF_CHECK(sent(payload_limit{6}) == payload_limit{6});
  CAF_CHECK(sent(text_command{"PUSH_REQUEST"}) == text_command{"PUSH_REQUEST"});
  CAF_CHECK_EQUAL(sent(reset_arrived{7}).early_negotiation_flags, 7u);
  protocol::control_packet packet;
  packet.op = protocol::opcode::control_hard_reset_server_v2;
  packet.key_id = 3;
  packet.source = {{1, 2, 3, 4, 5, 6, 7, 8}};
  packet.acks = {9, 10};
  packet.destination = {{8, 7, 6, 5, 4, 3, 2, 1}};
  packet.id = 11;
  packet.payload = {12};
  CAF_CHECK(sent(packet) == packet);
  protocol::control_message message{protocol::opcode::control_v1, {1, 2}};
  CAF_CHECK(sent(message) == message);
}

CAF_TEST(facts keep their contents) {
  CAF_CHECK(sent(addresses_changed{{v4.address}}).gone.front() == v4.address);
  CAF_CHECK_EQUAL(sent(host_woke{7}).slept, 7u);
  auto known = sent(peer_known{{{1}}, {{2}}});
  CAF_CHECK(known.local == protocol::session_id{{1}});
  CAF_CHECK(known.remote == protocol::session_id{{2}});
  CAF_CHECK(sent(peer_answered{1}) == peer_answered{1});
  CAF_CHECK(sent(soft_reset_seen{2}) == soft_reset_seen{2});
  CAF_CHECK(sent(key_installed{3}) == key_installed{3});
  auto failed = sent(layer_failed{"x", {reason::tls_failed, "y"}});
  CAF_CHECK_EQUAL(failed.layer, "x");
  CAF_CHECK(failed.what.why == reason::tls_failed);
  CAF_CHECK_EQUAL(failed.what.text, "y");
}

CAF_TEST(questions and answers keep their contents) {
  auto status = sent(layer_status{"muxer", "in 1"});
  CAF_CHECK_EQUAL(status.layer, "muxer");
  CAF_CHECK_EQUAL(status.text, "in 1");
  auto question = sent(resolve_request{"host", "port", family::v6, true});
  CAF_CHECK_EQUAL(question.host, "host");
  CAF_CHECK_EQUAL(question.port, "port");
  CAF_CHECK(question.kind == family::v6);
  CAF_CHECK(question.tcp);
  auto answer
    = sent(resolve_result{{v4, v6}, {reason::resolve_failed, "text"}});
  CAF_CHECK(answer.endpoints == (std::vector<endpoint>{v4, v6}));
  CAF_CHECK(answer.what.why == reason::resolve_failed);
  auto run = sent(run_request{{"a", "b"}, {"X=y"}, 5});
  CAF_CHECK(run.words == (std::vector<std::string>{"a", "b"}));
  CAF_CHECK(run.environment == (std::vector<std::string>{"X=y"}));
  CAF_CHECK_EQUAL(run.limit_seconds, 5u);
  CAF_CHECK_EQUAL(sent(run_result{3, {reason::none, {}}}).status, 3);
}

CAF_TEST(what users hear keeps its contents) {
  auto phase = sent(protocol::phase_began{protocol::phase::connected, "tun0"});
  CAF_CHECK(phase.what == protocol::phase::connected);
  CAF_CHECK_EQUAL(phase.detail, "tun0");
  auto notice = sent(
    protocol::session_notice{protocol::session_notice::level::warning, "text"});
  CAF_CHECK(notice.severity == protocol::session_notice::level::warning);
  CAF_CHECK_EQUAL(notice.text, "text");
  auto ended = sent(session_ended{reason::auth_failed, "no"});
  CAF_CHECK(ended.why == reason::auth_failed);
  CAF_CHECK_EQUAL(ended.text, "no");
}

CAF_TEST(all of them are known by name) {
  CAF_CHECK(passes_as_message(control_datagram{}));
  CAF_CHECK(passes_as_message(tls_bytes{}));
  CAF_CHECK(passes_as_message(window_open{}));
  CAF_CHECK(passes_as_message(payload_limit{}));
  CAF_CHECK(passes_as_message(reset_arrived{}));
  CAF_CHECK(passes_as_message(text_command{}));
  CAF_CHECK(passes_as_message(peer_known{}));
  CAF_CHECK(passes_as_message(peer_answered{}));
  CAF_CHECK(passes_as_message(soft_reset_seen{}));
  CAF_CHECK(passes_as_message(key_installed{}));
  CAF_CHECK(passes_as_message(layer_failed{}));
  CAF_CHECK(passes_as_message(layer_status{}));
  CAF_CHECK(passes_as_message(resolve_request{}));
  CAF_CHECK(passes_as_message(resolve_result{}));
  CAF_CHECK(passes_as_message(run_request{}));
  CAF_CHECK(passes_as_message(run_result{}));
  CAF_CHECK(passes_as_message(session_ended{}));
  CAF_CHECK(passes_as_message(protocol::control_packet{}));
  CAF_CHECK(passes_as_message(protocol::control_message{}));
  CAF_CHECK(passes_as_message(protocol::phase_began{}));
  CAF_CHECK(passes_as_message(protocol::session_notice{}));
}

CAF_TEST(batches and descriptors and secrets cannot leave the process) {
  auto is_known = [&](const std::type_info& x) {
    return sys.types().make_value(x) != nullptr;
  };
  CAF_CHECK(is_known(typeid(tls_bytes)));
  CAF_CHECK(!is_known(typeid(batch_ptr)));
  CAF_CHECK(!is_known(typeid(tunnel_device)));
  CAF_CHECK(!is_known(typeid(data_key_box)));
  CAF_CHECK(!is_known(typeid(negotiation_fact)));
  CAF_CHECK(!is_known(typeid(data_fact)));
  CAF_CHECK(!is_known(typeid(protocol::derive_key)));
}

CAF_TEST(secrets are not printed with their message) {
  protocol::keys_exchanged x;
  x.username = "alice";
  x.password = secret{"wonderland"};
  auto text = to_string(caf::make_message(negotiation_fact{0, x}));
  CAF_CHECK(text.find("wonderland") == std::string::npos);
  CAF_CHECK(text.find("alice") == std::string::npos);
}

CAF_TEST(the scheduler sleeps when there is nothing to do) {
  config fresh;
  CAF_CHECK(caf::get_or(fresh, "scheduler.policy", caf::atom("none"))
            == caf::atom("sharing"));
  CAF_CHECK(caf::get_or(fresh, "scheduler.max-threads", size_t{0}) > 0u);
  CAF_CHECK_EQUAL(caf::get_or(fresh, "scheduler.max-throughput", size_t{0}),
                  50u);
}

CAF_TEST_FIXTURE_SCOPE_END()
