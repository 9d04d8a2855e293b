// Log lines in OpenVPN's form, and where they go.
#pragma once

#include "vpn/actors/messages.hpp"
#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/profile.hpp"

#include <string>
#include <vector>

namespace vpn::client {

/// Standard output, a file or the system's log. `verbosity` is OpenVPN's: 0
/// warnings only, 1 the default, 3 with changes of the host, 4 and more
/// everything. The text says why a file cannot be written; empty: all is well.
std::string start_log(const protocol::process_settings& where, int verbosity);

/// The level alone, or the form of the lines alone, later.
void set_verbosity(int verbosity);
void set_log_form(const protocol::process_settings& where);

void log_error(const std::string& text);
void log_warning(const std::string& text);
void log_notice(const std::string& text);

/// Nobody is to wonder why the tunnel behaves so.
void log_faults(const std::vector<protocol::fault_spec>& faults);

/// A change of the host, as a command that could be typed; from verb 3.
void log_host_change(const std::string& command);

/// SIGUSR2's answer.
void log_status(const std::vector<actors::layer_status>& layers);

/// The `status` file. Open for as long as the process lives, since privileges
/// may be given up meanwhile.
class status_file {
public:
  /// Nothing but the name is needed for none. The text says why it cannot be
  /// written.
  std::string open(const std::string& path);
  bool is_open() const noexcept { return file_.valid(); }
  const std::string& path() const noexcept { return path_; }
  /// Replaces the content.
  void write(const std::vector<actors::layer_status>& layers) const;

private:
  std::string path_;
  actors::unique_fd file_;
};

} // namespace vpn::client
