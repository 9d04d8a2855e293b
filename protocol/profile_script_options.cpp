// One function per option about commands of the user and their variables.
// spec: anchors 5.2
#include "vpn/protocol/option_lexer.hpp"

#include <algorithm>
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;
using variables = std::vector<std::pair<std::string, std::string>>;

constexpr size_t max_variables = 64;
constexpr size_t max_variable_name = 64;

// -- commands --

outcome read_command(std::vector<std::string>& out, const std::string& word) {
  auto command = lex_option_line(word);
  if (!command.error.empty())
    return bad("the command cannot be read: " + command.error);
  if (command.words.empty() || command.words[0].empty())
    return bad("there is no command");
  out = std::move(command.words);
  return {};
}

template <auto Member>
outcome set_command(builder& b, const use& x) {
  return read_command(b.result.scripts.*Member, x.words[1]);
}

/// Of old their words may have commas between them.
template <auto Member>
outcome set_comma_command(builder& b, const use& x) {
  auto word = x.words[1];
  std::replace(word.begin(), word.end(), ',', ' ');
  return read_command(b.result.scripts.*Member, word);
}

outcome set_dns_updown(builder& b, const use& x) {
  auto& command = b.result.scripts.dns_updown;
  auto& is_left_out = b.draft.tunnel.dns_noexec;
  if (x.words[1] == "disable") {
    command.clear();
    is_left_out = true;
    b.has_dns_updown = true;
    return {};
  }
  if (x.words[1] == "force") {
    // A command stays who it is that sets names.
    is_left_out = !command.empty();
    b.has_dns_updown = true;
    return {};
  }
  auto result = read_command(command, x.words[1]);
  if (!result.error.empty())
    return result;
  is_left_out = true;
  b.has_dns_updown = true;
  return {};
}

template <auto Member>
outcome set_script_flag(builder& b, const use&) {
  b.result.scripts.*Member = true;
  return {};
}

outcome set_script_security(builder& b, const use& x) {
  return read_number(b.result.script_security, x.words[1], 0, 3);
}

// -- variables --

outcome put_variable(variables& out, const std::string& name,
                     const std::string& value) {
  if (name.size() > max_variable_name || !is_word(name, "_")
      || (name[0] >= '0' && name[0] <= '9') || !is_printable(value))
    return bad("the variable has a bad name, or a value that is too long or "
               "has control characters");
  auto i = std::find_if(out.begin(), out.end(), [&](auto& x) {
    return x.first == name;
  });
  if (i != out.end())
    i->second = value;
  else if (out.size() == max_variables)
    return bad("more than 64 variables");
  else
    out.emplace_back(name, value);
  return {};
}

std::string value_of(const use& x) {
  return x.count() > 1 ? x.words[2] : std::string{};
}

/// Variables that are told to the server.
bool is_peer_info(const std::string& name) {
  return name.compare(0, 3, "UV_") == 0 || name == "IV_GUI_VER"
         || name == "IV_SSO" || name == "IV_PLAT_VER";
}

outcome set_setenv(builder& b, const use& x) {
  auto& name = x.words[1];
  if (x.count() > 2)
    return bad("it takes a name and a value");
  if (name == "opt")
    return bad("an option must follow `opt`");
  if (name == "GENERIC_CONFIG")
    return bad("this profile is a template and cannot be used directly; ask "
               "for one of your own");
  if (name == "REMOTE_RANDOM_HOSTNAME" && x.count() == 1)
    return no_effect("the name of the server is used as it is");
  if (name == "PUSH_PEER_INFO" && x.count() == 1) {
    b.result.push_peer_info = true;
    return {};
  }
  auto value = value_of(x);
  if (name == "SERVER_POLL_TIMEOUT" && x.count() == 2)
    return read_seconds(b.connection().settings.connect_timeout, value, 1);
  if (name == "FORWARD_COMPATIBLE" && value == "1")
    b.forward_compatible = true;
  if (is_peer_info(name)) {
    if (value.size() > 256)
      return bad("the variable has a bad name, or a value that is too long or "
                 "has control characters");
    if (auto result = put_variable(b.result.peer_info, name, value);
        !result.error.empty())
      return result;
  }
  return put_variable(b.result.environment, name, value);
}

outcome set_setenv_safe(builder& b, const use& x) {
  return put_variable(b.result.environment, "OPENVPN_" + x.words[1],
                      value_of(x));
}

constexpr profile_option options[] = {
  {"dns-updown", set_dns_updown},
  {"down", set_command<&profile_scripts::down>},
  {"down-pre", set_script_flag<&profile_scripts::down_pre>},
  {"ipchange", set_comma_command<&profile_scripts::ipchange>},
  {"route-pre-down", set_command<&profile_scripts::route_pre_down>},
  {"route-up", set_command<&profile_scripts::route_up>},
  {"script-security", set_script_security},
  {"setenv", set_setenv},
  {"setenv-safe", set_setenv_safe},
  {"tls-verify", set_comma_command<&profile_scripts::tls_verify>},
  {"up", set_command<&profile_scripts::up>},
  {"up-restart", set_script_flag<&profile_scripts::up_restart>},
};

} // namespace

profile_option_range script_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
