// One function per option about the process: log, files, privileges, faults.
// spec: design 7
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

constexpr size_t max_faults = 64;

template <auto Member>
outcome set_flag(builder& b, const use&) {
  b.result.process.*Member = true;
  return {};
}

/// Files that are written are opened when the process is in its directory.
outcome read_path(std::string& out, const std::string& word) {
  if (word.empty())
    return bad("an empty name is not the name of a file");
  out = word;
  return {};
}

template <auto Member>
outcome set_path(builder& b, const use& x) {
  return read_path(b.result.process.*Member, x.words[1]);
}

// -- log --

outcome read_log_name(std::string& out, const std::string& word) {
  if (word.size() > 64 || !is_word(word, "-_.:@/+"))
    return bad(quoted(word) + " is not a name for the log");
  out = word;
  return {};
}

/// The first one with a name counts: scripts that start a service often add
/// theirs to that of the profile.
outcome set_daemon(builder& b, const use& x) {
  auto& process = b.result.process;
  if (process.daemon && x.count() > 0)
    return no_effect("it was given above already");
  if (x.count() > 0)
    if (auto result = read_log_name(process.log_name, x.words[1]);
        !result.error.empty())
      return result;
  process.daemon = true;
  process.syslog = true;
  return {};
}

outcome set_syslog(builder& b, const use& x) {
  auto& process = b.result.process;
  if (x.count() > 0)
    if (auto result = read_log_name(process.log_name, x.words[1]);
        !result.error.empty())
      return result;
  process.syslog = true;
  return {};
}

template <bool Append>
outcome set_log(builder& b, const use& x) {
  auto result = read_path(b.result.process.log_file, x.words[1]);
  if (result.error.empty())
    b.result.process.log_append = Append;
  return result;
}

outcome set_verb(builder& b, const use& x) {
  return read_number(b.result.verbosity, x.words[1], 0, 11);
}

// -- files --

outcome set_status(builder& b, const use& x) {
  auto& process = b.result.process;
  auto seconds = process.status_seconds;
  if (x.count() > 1)
    if (auto result = read_number(seconds, x.words[2], 0, max_seconds);
        !result.error.empty())
      return result;
  auto result = read_path(process.status_file, x.words[1]);
  if (result.error.empty())
    process.status_seconds = seconds;
  return result;
}

outcome set_status_version(builder& b, const use& x) {
  return read_number(b.result.process.status_version, x.words[1], 1, 3);
}

/// Seen from the directory named before, if there was one.
outcome set_directory(builder& b, const use& x) {
  return read_path(b.result.process.directory, b.path_of(x.words[1]));
}

// -- privileges --

template <auto Member>
outcome set_account(builder& b, const use& x) {
  auto& word = x.words[1];
  if (word.size() > 64 || !is_word(word, "-_.@$") || word.front() == '-')
    return bad(quoted(word) + " is not the name of an account");
  b.result.process.*Member = word;
  return {};
}

outcome set_nice(builder& b, const use& x) {
  return read_number(b.result.process.niceness, x.words[1], -20, 19);
}

outcome set_remap_usr1(builder& b, const use& x) {
  // The numbers that these signals have on Linux.
  constexpr int hangup = 1;
  constexpr int terminate = 15;
  if (x.words[1] == "SIGHUP")
    b.result.process.remap_usr1 = hangup;
  else if (x.words[1] == "SIGTERM")
    b.result.process.remap_usr1 = terminate;
  else
    return bad(quoted(x.words[1]) + " is neither SIGHUP nor SIGTERM");
  return {};
}

// -- faults --

outcome set_allow_faults(builder& b, const use&) {
  b.result.allow_faults = true;
  return {};
}

outcome add_fault(builder& b, const use& x) {
  auto& text = x.words[1];
  auto spec = parse_fault_spec(text);
  // People count from one.
  if (!spec)
    return bad("at byte " + std::to_string(spec.error().position + 1) + " of "
               + quoted(text) + ": " + spec.error().text);
  if (b.result.faults.size() == max_faults)
    return bad("more than 64 faults");
  b.result.faults.push_back(std::move(*spec));
  return {};
}

constexpr profile_option options[] = {
  {"allow-faults", set_allow_faults},
  {"cd", set_directory},
  {"daemon", set_daemon},
  {"fault", add_fault},
  {"group", set_account<&process_settings::group>},
  {"log", set_log<false>},
  {"log-append", set_log<true>},
  {"machine-readable-output", set_flag<&process_settings::machine_readable>},
  {"mlock", set_flag<&process_settings::lock_memory>},
  {"nice", set_nice},
  {"remap-usr1", set_remap_usr1},
  {"status", set_status},
  {"status-version", set_status_version},
  {"suppress-timestamps", set_flag<&process_settings::suppress_timestamps>},
  {"syslog", set_syslog},
  {"user", set_account<&process_settings::user>},
  {"verb", set_verb},
  {"writepid", set_path<&process_settings::pid_file>},
};

} // namespace

profile_option_range process_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
