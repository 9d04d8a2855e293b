#include "client_process.hpp"

#include "vpn/actors/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace vpn::client {

namespace {

/// The service manager knows that the tunnel stood once.
std::atomic<bool> was_ready{false};

failure cannot(const std::string& what, int code = errno) {
  return {reason::bad_config, "cannot " + what + ": " + std::strerror(code)};
}

} // namespace

outcome prepare_process(const protocol::process_settings& x) {
  if (!x.directory.empty() && chdir(x.directory.c_str()) != 0)
    return cannot("change to the directory " + x.directory);
  if (x.niceness != 0 && setpriority(PRIO_PROCESS, 0, x.niceness) != 0)
    return cannot("set the niceness " + std::to_string(x.niceness));
  return done;
}

outcome lock_memory(const protocol::process_settings& x) {
  if (!x.lock_memory)
    return done;
  // Otherwise the first large allocation after privileges are gone fails.
  rlimit all{RLIM_INFINITY, RLIM_INFINITY};
  if (setrlimit(RLIMIT_MEMLOCK, &all) != 0
      || mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    return cannot("lock the memory (mlock)");
  return done;
}

outcome go_to_background(const protocol::process_settings& x) {
  if (!x.daemon)
    return done;
  auto child = fork();
  if (child < 0)
    return cannot("start a process for the background");
  if (child > 0)
    _exit(0);
  setsid();
  if (x.directory.empty() && chdir("/") != 0)
    return cannot("change to /");
  actors::unique_fd null{open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null)
    return cannot("open /dev/null");
  dup2(null.get(), STDIN_FILENO);
  // With `log` both already lead into the file.
  if (x.log_file.empty()) {
    dup2(null.get(), STDOUT_FILENO);
    dup2(null.get(), STDERR_FILENO);
  }
  return done;
}

outcome write_pid(const std::string& path) {
  if (path.empty())
    return done;
  actors::unique_fd file{
    open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  auto text = std::to_string(getpid()) + "\n";
  if (!file
      || write(file.get(), text.data(), text.size())
           != static_cast<ssize_t>(text.size()))
    return cannot("write the process id to " + path);
  return done;
}

outcome drop_privileges(const protocol::process_settings& x,
                        bool binds_low_port) {
  if (x.user.empty() && x.group.empty())
    return done;
  auto uid = getuid();
  auto gid = getgid();
  if (!x.user.empty()) {
    errno = 0;
    auto* entry = getpwnam(x.user.c_str());
    if (entry == nullptr)
      return failure{reason::bad_config, "there is no user '" + x.user + "'"};
    uid = entry->pw_uid;
    gid = entry->pw_gid;
  }
  if (!x.group.empty()) {
    auto* entry = getgrnam(x.group.c_str());
    if (entry == nullptr)
      return failure{reason::bad_config, "there is no group '" + x.group + "'"};
    gid = entry->gr_gid;
  }
  capng_clear(CAPNG_SELECT_BOTH);
  auto kind = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
  // Addresses, routes, the device, marks and buffers of sockets; whoever takes
  // the place of a layer that died needs no more than it did. Binding a socket
  // to a device needs nothing since Linux 5.7.
  capng_update(CAPNG_ADD, kind, CAP_NET_ADMIN);
  if (binds_low_port)
    capng_update(CAPNG_ADD, kind, CAP_NET_BIND_SERVICE);
  auto code = capng_change_id(static_cast<int>(uid), static_cast<int>(gid),
                              CAPNG_DROP_SUPP_GRP);
  if (code != 0)
    return failure{reason::bad_config,
                   "cannot become user " + std::to_string(uid) + " and group "
                     + std::to_string(gid) + " (libcap-ng says "
                     + std::to_string(code) + "); start it as root"};
  return done;
}

void notify_service(const std::string& state) {
  sd_notify(0, state.c_str());
}

void notify_ready(const std::string& status) {
  was_ready = true;
  notify_service("READY=1\nSTATUS=" + status);
}

void notify_reloading() {
  if (!was_ready)
    return;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  auto usec = static_cast<uint64_t>(now.tv_sec) * 1000000
              + static_cast<uint64_t>(now.tv_nsec) / 1000;
  // Type=notify-reload tells one reload from another by the time.
  notify_service("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

void notify_reloaded() {
  if (was_ready)
    notify_service("READY=1");
}

std::optional<std::chrono::milliseconds> watchdog_interval() {
  uint64_t usec = 0;
  if (sd_watchdog_enabled(0, &usec) <= 0)
    return std::nullopt;
  return std::chrono::milliseconds{usec / 1000};
}

} // namespace vpn::client
