// What this host must get back, in memory and in a file: written down before
// each change, so that whoever comes after a HOST or a whole process that died
// can go on from there or take everything back.
// spec: design 6
#pragma once

#include "vpn/actors/host_dns.hpp"
#include "vpn/actors/host_network.hpp"
#include "vpn/actors/messages.hpp"
#include "vpn/protocol/dns_config.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vpn::actors {

class journal_file;
struct journal_content;

/// Which of the host's two places has the names of a tunnel; neither: none has.
struct host_names {
  /// resolv.conf was written.
  std::string file;
  /// systemd-resolved was told about this link.
  std::string device;
  uint32_t device_index = 0;
  /// What was said there, and what could not be. Only in memory.
  protocol::dns_config config;
  std::vector<std::string> warnings;

  bool set() const noexcept { return !file.empty() || device_index != 0; }
};

/// The tunnel a HOST has made, for the HOST that comes after it: the device
/// stays open, and with it everything that hangs on it. Only in memory.
struct standing_tunnel {
  tunnel_device device;
  protocol::tunnel_config wanted;
};

/// Only root may look into it and write there. After a reboot it is gone, and
/// so are routes and addresses.
constexpr const char* journal_directory = "/run/vpn-actor";

/// Belongs to one session at a time; outlives its HOSTs. Thread-safe.
class host_journal {
public:
  using warning_log = std::function<void(const std::string&)>;

  /// In memory alone.
  host_journal();
  /// A new file `name`.journal in `directory`, which is made when it is not
  /// there. The file is locked for as long as this object lives, which tells
  /// everybody else that its owner lives; it goes with this object when nothing
  /// is left in it. Afterwards no more privileges are needed. `warn` hears once
  /// that the file cannot be written; the journal goes on in memory.
  static expected<std::shared_ptr<host_journal>, failure>
  create(const std::string& directory, const std::string& name,
         warning_log warn = {});
  /// Goes on with the file of an owner that died.
  host_journal(journal_file file, const journal_content& content,
               warning_log warn = {});
  host_journal(const host_journal&) = delete;
  host_journal& operator=(const host_journal&) = delete;
  ~host_journal();

  // -- commands --

  /// Before the change is made.
  void add(const host_change& x);
  /// After it was taken back, or has failed.
  void drop(const host_change& x);
  /// Before the names are set, and after they were taken back.
  void set_names(host_names x);

  /// One HOST at a time works with it: a new one waits here until one that was
  /// given up has returned from what held it.
  std::unique_lock<std::mutex> turn();
  /// Only for who has the turn.
  standing_tunnel& standing() noexcept;

  // -- observers --

  /// Oldest first.
  std::vector<host_change> changes() const;
  host_names names() const;
  bool empty() const;
  /// Bytes that went into the file so far.
  uint64_t bytes_written() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// What became of the journals that were found.
struct journal_recovery {
  /// Clients that died, and whose settings are all taken back.
  size_t restored = 0;
  /// Their owner lives.
  size_t living = 0;
  /// Of another network namespace, where alone they can be taken back.
  size_t elsewhere = 0;
  /// Settings that could not be taken back, and files that were refused.
  size_t left = 0;
};

/// Takes back what dead clients left behind: each change of a journal in
/// `directory` whose owner is dead, and `names.resolv_conf` when it was written
/// by a client of an earlier boot. `log` gets each command, and in comments
/// what else there is to say.
journal_recovery recover_journals(const std::string& directory,
                                  const change_log& log,
                                  const dns_places& names = {});

} // namespace vpn::actors
