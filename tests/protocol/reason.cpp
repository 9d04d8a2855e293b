// The one table behind exit codes, words and advice.

#define CAF_SUITE protocol.reason

#include "vpn/protocol/reason.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn;

namespace {

struct row {
  reason why;
  const char* word;
  int code;
  bool transient;
};

// Written down a second time on purpose: scripts depend on codes and words.
constexpr row rows[] = {
  {reason::none, "none", 0, false},
  {reason::internal, "internal", 1, false},
  {reason::bad_config, "bad_config", 2, false},
  {reason::resolve_failed, "resolve_failed", 3, true},
  {reason::transport_failed, "transport_failed", 4, true},
  {reason::no_answer, "no_answer", 4, true},
  {reason::tls_failed, "tls_failed", 5, true},
  {reason::certificate_rejected, "certificate_rejected", 5, true},
  {reason::auth_failed, "auth_failed", 6, false},
  {reason::auth_pending, "auth_pending", 7, false},
  {reason::push_refused, "push_refused", 8, true},
  {reason::host_failed, "host_failed", 9, false},
  {reason::server_stopped, "server_stopped", 10, true},
  {reason::peer_silent, "peer_silent", 4, true},
  {reason::restart_intensity, "restart_intensity", 12, false},
  {reason::interrupted, "interrupted", 130, false},
  {reason::terminated, "terminated", 143, false},
};

} // namespace

CAF_TEST(every reason has its row) {
  CAF_CHECK_EQUAL(std::size(rows), static_cast<size_t>(reason::count_));
  for (size_t i = 0; i < std::size(rows); ++i)
    CAF_CHECK_EQUAL(static_cast<size_t>(rows[i].why), i);
}

CAF_TEST(words and exit codes are what scripts were told) {
  for (const auto& x : rows) {
    CAF_CHECK_EQUAL(to_string(x.why), x.word);
    CAF_CHECK_EQUAL(exit_code(x.why), x.code);
  }
}

CAF_TEST(only what may pass by itself is tried again) {
  for (const auto& x : rows) {
    CAF_MESSAGE(x.word);
    CAF_CHECK_EQUAL(is_transient(x.why), x.transient);
  }
}

CAF_TEST(words are distinct and descriptions are there) {
  std::set<std::string> words;
  for (const auto& x : rows) {
    CAF_CHECK(words.insert(to_string(x.why)).second);
    CAF_CHECK(!describe(x.why).empty());
  }
}

CAF_TEST(advice ends as a sentence) {
  for (const auto& x : rows) {
    auto text = advice(x.why);
    CAF_CHECK(text.empty() || text.back() == '.');
  }
  CAF_CHECK(advice(reason::none).empty());
  CAF_CHECK(!advice(reason::no_answer).empty());
}

CAF_TEST(only success exits with zero) {
  for (const auto& x : rows)
    CAF_CHECK_EQUAL(exit_code(x.why) == 0, x.why == reason::none);
}

CAF_TEST(a reason out of range counts as internal) {
  for (auto x : {reason::count_, static_cast<reason>(255)}) {
    CAF_CHECK_EQUAL(to_string(x), "internal");
    CAF_CHECK_EQUAL(exit_code(x), 1);
    CAF_CHECK(!is_transient(x));
  }
}

CAF_TEST(a failure says internal until told otherwise) {
  failure x;
  CAF_CHECK(x.why == reason::internal);
  CAF_CHECK(x.text.empty());
}

CAF_TEST(a restart is told in the words of OpenVPN) {
  CAF_CHECK_EQUAL(restart_word(reason::peer_silent), "ping-restart");
  CAF_CHECK_EQUAL(restart_word(reason::transport_failed), "connection-reset");
  CAF_CHECK_EQUAL(restart_word(reason::tls_failed), "tls-error");
  CAF_CHECK_EQUAL(restart_word(reason::auth_failed), "auth-failure");
  // Whatever is tried again has a word.
  for (const auto& x : rows)
    if (x.transient)
      CAF_CHECK(!restart_word(x.why).empty());
}
