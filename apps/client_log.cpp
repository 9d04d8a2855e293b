#include "client_log.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace vpn::client {

namespace {

/// Scripts write to the same place, so the descriptors themselves are led into
/// the file.
std::string lead_output_into(const std::string& path, bool append) {
  auto flags = O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC);
  actors::unique_fd file{open(path.c_str(), flags, 0600)};
  if (!file)
    return "cannot write the log " + path + ": " + std::strerror(errno);
  dup2(file.get(), STDOUT_FILENO);
  dup2(file.get(), STDERR_FILENO);
  return {};
}

spdlog::sink_ptr make_sink(const protocol::process_settings& where) {
  auto to_system = where.log_file.empty() && (where.syslog || where.daemon);
  if (to_system)
    return std::make_shared<spdlog::sinks::syslog_sink_mt>(
      where.log_name, LOG_PID, LOG_DAEMON, true);
  return std::make_shared<spdlog::sinks::stdout_sink_mt>();
}

const char* pattern_of(const protocol::process_settings& where) {
  if (where.machine_readable)
    return "%E.%f 1 %v";
  auto has_clock = where.log_file.empty() && (where.syslog || where.daemon);
  return where.suppress_timestamps || has_clock ? "%v" : "%Y-%m-%d %H:%M:%S %v";
}

std::string now_text() {
  char text[32] = "";
  auto now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

spdlog::level::level_enum level_of(int verbosity) {
  return verbosity <= 0  ? spdlog::level::warn
         : verbosity < 3 ? spdlog::level::info
                         : spdlog::level::debug;
}

/// What a client's status says, and which counters say it.
struct status_line {
  const char* title;
  const char* counter;
};
constexpr status_line status_lines[] = {
  {"TUN/TAP read bytes", "tun_read_bytes"},
  {"TUN/TAP write bytes", "tun_write_bytes"},
  {"TCP/UDP read bytes", "link_read_bytes"},
  {"TCP/UDP write bytes", "link_write_bytes"},
  {"Auth read bytes", "auth_read_bytes"},
};

uint64_t sum_of(const std::vector<actors::layer_status>& layers,
                std::string_view name) {
  uint64_t result = 0;
  for (const auto& layer : layers)
    for (const auto& x : layer.counters)
      if (x.name == name)
        result += x.value;
  return result;
}

} // namespace

std::string start_log(const protocol::process_settings& where, int verbosity) {
  if (!where.log_file.empty())
    if (auto problem = lead_output_into(where.log_file, where.log_append);
        !problem.empty())
      return problem;
  auto log = std::make_shared<spdlog::logger>("vpn", make_sink(where));
  log->set_pattern(pattern_of(where));
  log->set_level(level_of(verbosity));
  log->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(log);
  return {};
}

void set_verbosity(int verbosity) {
  spdlog::default_logger()->set_level(level_of(verbosity));
}

void set_log_form(const protocol::process_settings& where) {
  spdlog::default_logger()->set_pattern(pattern_of(where));
}

void log_error(const std::string& text) {
  spdlog::error("{}", text);
}

void log_warning(const std::string& text) {
  spdlog::warn("WARNING: {}", text);
}

void log_notice(const std::string& text) {
  spdlog::info("{}", text);
}

void log_faults(const std::vector<protocol::fault_spec>& faults) {
  for (const auto& x : faults) {
    auto text = to_string(x);
    // Whoever wants to see the same again needs it, also when it is the
    // default.
    if (text.find("seed=") == std::string::npos)
      text += " (seed " + std::to_string(x.seed) + ")";
    log_warning("FAULTS ARE ON: " + text);
  }
}

void log_host_change(const std::string& command) {
  spdlog::debug("[#] {}", command);
}

void log_status(const std::vector<actors::layer_status>& layers) {
  spdlog::info("OpenVPN STATISTICS");
  spdlog::info("Updated,{}", now_text());
  for (const auto& x : status_lines)
    spdlog::info("{},{}", x.title, sum_of(layers, x.counter));
  for (const auto& x : layers)
    spdlog::info("{}: {}", x.layer, x.text);
  spdlog::info("END");
}

std::string status_file::open(const std::string& path) {
  if (path.empty())
    return {};
  path_ = path;
  file_ = actors::unique_fd{
    ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  return file_ ? std::string{}
               : "cannot write the status file " + path + ": "
                   + std::strerror(errno);
}

/// A client's status looks the same in all its versions.
void status_file::write(const std::vector<actors::layer_status>& layers) const {
  auto text = "OpenVPN STATISTICS\nUpdated," + now_text() + "\n";
  for (const auto& x : status_lines)
    text += std::string{x.title} + ","
            + std::to_string(sum_of(layers, x.counter)) + "\n";
  text += "END\n";
  // Cut last, so that no reader finds it empty.
  if (pwrite(file_.get(), text.data(), text.size(), 0) >= 0)
    static_cast<void>(!ftruncate(file_.get(), static_cast<off_t>(text.size())));
}

} // namespace vpn::client
