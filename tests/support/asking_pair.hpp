// A client that asks a person, and the server it logs in at. Include it after
// CAF_SUITE is defined, and before caf/test/unit_test.hpp.
#pragma once

#include "tests/support/pair.hpp"

#include <stdexcept>

namespace vpn::test {

/// A client that asks a person, and a server that begins anew by itself.
struct asking_pair : vpn_pair {
  explicit asking_pair(protocol::credential_source source
                       = protocol::credential_source::prompt)
    : vpn_pair(restarting()) {
    auto& x = client.cfg->credentials;
    x.source = source;
    if (source == protocol::credential_source::prompt) {
      x.username.clear();
      x.password = secret{};
    }
    client.cfg->session.reneg_after = {};
    server.cfg->session.reneg_after = {};
  }
  static pair_config restarting() {
    pair_config result;
    result.restart_server = true;
    return result;
  }

  protocol::server_policy& policy() { return server.cfg->session.server; }
  session_record& saw() { return client.saw; }
  void answer(std::string_view password, std::string_view response = {},
              std::string username = "alice") {
    saw().answers.push_back(typed(password, response, std::move(username)));
  }
  void connect(duration limit = std::chrono::seconds{5}) {
    start();
    come_back(limit);
  }
  void come_back(duration limit = std::chrono::seconds{5}) {
    if (!drive_to_connected(limit))
      throw std::runtime_error(story());
  }
  /// The server forgets its session; the next one comes with it.
  void renew_server() {
    stop(server);
    drive(std::chrono::seconds{2});
  }
  /// The client's session has ended, once, for this reason.
  void check_ended(reason why, duration limit = std::chrono::seconds{5}) {
    drive(limit, [this] {
      return !saw().ended.empty();
    });
    if (saw().ended.size() != 1 || saw().ended[0].why != why)
      throw std::runtime_error(story());
  }
};

} // namespace vpn::test
