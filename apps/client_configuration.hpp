// The configuration in use, and what becomes of it when it is read again.
#pragma once

#include "vpn/actors/supervisor.hpp"
#include "vpn/protocol/profile.hpp"
#include "vpn/protocol/profile_changes.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client_prompter.hpp"

namespace vpn::client {

class configuration {
public:
  /// What is wrong, in lines for people.
  using problems = std::vector<std::string>;
  using session_config = std::shared_ptr<actors::supervisor_config>;

  /// `interrupt` calls questions off when it is readable.
  configuration(std::vector<std::string> words, std::shared_ptr<person> who,
                int interrupt);

  struct news {
    /// What is not as it was.
    protocol::profile_changes changes;
    std::vector<std::string> warnings;
    /// Present when a new connection has to be made. The runtime's fields are
    /// left to the caller.
    session_config session;
  };
  /// At the start, while there is a terminal: what nobody could be asked for
  /// later is asked for now. The session lacks the variables of the process.
  expected<news, problems> read();
  /// Later: files are seen from where the process was started. After problems
  /// the configuration in use is still the one before.
  expected<news, problems> read_again();

  const protocol::process_settings& process() const noexcept {
    return process_;
  }
  int verbosity() const noexcept { return verbosity_; }
  bool binds_low_port() const noexcept { return binds_low_port_; }
  const std::vector<protocol::fault_spec>& faults() const noexcept {
    return faults_;
  }

private:
  expected<protocol::profile, problems> parse() const;
  std::string complete_key(protocol::profile& x);
  std::string complete_login(protocol::profile& x,
                             const protocol::profile_changes* changes);
  std::string needs_privileges(const protocol::profile& x,
                               const protocol::profile_changes& changes) const;
  void take(protocol::profile& x);

  std::vector<std::string> words_;
  std::shared_ptr<person> person_;
  int interrupt_;
  std::string start_directory_;

  // -- what is in use --
  std::vector<protocol::given_option> options_;
  protocol::process_settings process_;
  int verbosity_ = 1;
  std::vector<protocol::fault_spec> faults_;
  bool binds_low_port_ = false;
  /// What a person said before the terminal was given back.
  std::optional<protocol::credentials_config> said_;
  std::optional<secret> said_phrase_;
};

} // namespace vpn::client
