#include "client_configuration.hpp"

#include "vpn/protocol/tls_engine.hpp"

#include <algorithm>
#include <climits>
#include <utility>

#include "client_setup.hpp"
#include <unistd.h>

namespace vpn::client {

namespace {

/// With a slash at its end; empty when the directory is gone.
std::string current_directory() {
  char text[PATH_MAX];
  if (getcwd(text, sizeof(text)) == nullptr)
    return {};
  std::string result = text;
  return result.back() == '/' ? result : result + "/";
}

bool has(const std::vector<std::string>& names, const char* name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

configuration::configuration(std::vector<std::string> words,
                             std::shared_ptr<person> who, int interrupt)
  : words_(std::move(words)),
    person_(std::move(who)),
    interrupt_(interrupt),
    start_directory_(current_directory()) {
}

// -- reading --

expected<configuration::news, configuration::problems> configuration::read() {
  auto parsed = parse();
  if (!parsed)
    return parsed.error();
  if (auto problem = complete_key(*parsed); !problem.empty())
    return problems{problem};
  if (parsed->process.daemon)
    if (auto problem = complete_login(*parsed, nullptr); !problem.empty())
      return problems{problem};
  auto session = make_supervisor_config(*parsed);
  if (!session)
    return problems{session.error().text};
  process_ = parsed->process;
  options_ = parsed->options;
  take(*parsed);
  return news{{}, std::move(parsed->warnings), std::move(*session)};
}

expected<configuration::news, configuration::problems>
configuration::read_again() {
  auto parsed = parse();
  if (!parsed)
    return parsed.error();
  news result;
  result.changes = compare_options(options_, parsed->options);
  if (result.changes.concern_session()) {
    if (auto problem = needs_privileges(*parsed, result.changes);
        !problem.empty())
      return problems{problem};
    if (auto problem = complete_key(*parsed); !problem.empty())
      return problems{problem};
    if (process_.daemon)
      if (auto problem = complete_login(*parsed, &result.changes);
          !problem.empty())
        return problems{problem};
    auto session = make_supervisor_config(*parsed);
    if (!session)
      return problems{session.error().text};
    result.session = std::move(*session);
    add_process_variables(*result.session, process_, parsed->verbosity, words_);
  }
  if (!result.changes.empty())
    result.warnings = std::move(parsed->warnings);
  options_ = options_in_use(options_, parsed->options);
  take(*parsed);
  return result;
}

expected<protocol::profile, configuration::problems>
configuration::parse() const {
  // The process may be in another directory by now, of `cd` or of `daemon`.
  auto reader = [this](const std::string& path, std::string& error) {
    auto is_relative = path.empty() || path.front() != '/';
    return read_file(is_relative ? start_directory_ + path : path, error);
  };
  auto parsed = protocol::parse_command_line(words_, reader);
  if (parsed)
    return std::move(*parsed);
  problems result;
  for (const auto& x : parsed.error())
    result.push_back(to_string(x));
  return result;
}

/// The options of the process's start are as they were, and what depends on
/// them.
void configuration::take(protocol::profile& x) {
  process_.suppress_timestamps = x.process.suppress_timestamps;
  process_.machine_readable = x.process.machine_readable;
  process_.status_file = x.process.status_file;
  process_.status_seconds = x.process.status_seconds;
  process_.status_version = x.process.status_version;
  process_.remap_usr1 = x.process.remap_usr1;
  verbosity_ = x.verbosity;
  faults_ = std::move(x.faults);
  binds_low_port_ = client::binds_low_port(x);
}

// -- what is missing --

/// The pass phrase of the private key, asked for while there is a terminal.
/// The text says what is missing.
std::string configuration::complete_key(protocol::profile& x) {
  if (!x.tls.key_passphrase.empty()
      || !(x.asks_passphrase || protocol::key_needs_passphrase(x.tls)))
    return {};
  if (!said_phrase_) {
    auto where = person_->ask_on();
    if (!where->usable())
      return "the private key is encrypted and there is no terminal to ask for "
             "its pass phrase: name a file with askpass";
    said_phrase_
      = where->ask("Enter Private Key Password: ", false, interrupt_);
    if (!said_phrase_)
      return "no pass phrase for the private key";
  }
  x.tls.key_passphrase = *said_phrase_;
  return {};
}

/// User name and password of a process that goes to the background, where it
/// could ask nobody.
std::string
configuration::complete_login(protocol::profile& x,
                              const protocol::profile_changes* changes) {
  auto& login = x.credentials;
  if (!protocol::credentials{login}.poll_question())
    return {};
  auto was_said = said_ && changes != nullptr
                  && !has(changes->session, "auth-user-pass")
                  && !has(changes->session, "static-challenge");
  if (was_said) {
    login.source = said_->source;
    login.username = said_->username;
    login.password = said_->password;
    return {};
  }
  if (!complete_credentials(login, *person_->ask_on(), interrupt_))
    return "user name and password are needed and nobody could be asked for "
           "them";
  said_ = login;
  return {};
}

/// What only a process can do that still has its privileges.
std::string configuration::needs_privileges(
  const protocol::profile& x, const protocol::profile_changes& changes) const {
  if (process_.user.empty() && process_.group.empty())
    return {};
  if (has(changes.session, "dev") || has(changes.session, "dev-type"))
    return "another device takes a restart: this process has given up the "
           "privileges to make one";
  if (client::binds_low_port(x) && !binds_low_port_)
    return "a local port below 1024 takes a restart: this process has given up "
           "the privileges to bind it";
  return {};
}

} // namespace vpn::client
