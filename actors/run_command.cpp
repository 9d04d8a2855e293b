// Runs one program with a time limit and without a shell. Blocks until it
// ends, so only RUNNER and HOST call it.
#include "vpn/actors/run_command.hpp"

#include "vpn/actors/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace vpn::actors {

namespace {

using steady = std::chrono::steady_clock;

failure cannot(const std::string& what, const std::string& program, int code) {
  return {reason::host_failed, "cannot " + what + " '" + program + "': "
                                 + std::generic_category().message(code)};
}

bool has_nul(const std::vector<std::string>& xs) {
  return std::any_of(xs.begin(), xs.end(), [](const std::string& x) {
    return x.find('\0') != std::string::npos;
  });
}

/// The array of pointers exec wants. Borrows the strings; exec does not write
/// to them, its parameter type is only older than const.
std::vector<char*> pointers(const std::vector<std::string>& xs) {
  std::vector<char*> result;
  result.reserve(xs.size() + 1);
  for (auto& x : xs)
    result.push_back(const_cast<char*>(x.c_str()));
  result.push_back(nullptr);
  return result;
}

/// What the new process gets instead of our surroundings.
class spawn_settings {
public:
  spawn_settings() {
    ok_ = ::posix_spawnattr_init(&attributes_) == 0
          && ::posix_spawn_file_actions_init(&actions_) == 0;
    if (!ok_)
      return;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    // These two cannot be changed, and asking for it fails.
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    ok_ = ::posix_spawnattr_setsigmask(&attributes_, &none) == 0
          && ::posix_spawnattr_setsigdefault(&attributes_, &all) == 0
          && ::posix_spawnattr_setpgroup(&attributes_, 0) == 0
          && ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK
                                                        | POSIX_SPAWN_SETSIGDEF
                                                        | POSIX_SPAWN_SETPGROUP)
               == 0
          && ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO,
                                                "/dev/null", O_RDONLY, 0)
               == 0
          // Everything of ours is close-on-exec; what a library opened
          // without it must not leak into a user's script either.
          && ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3) == 0;
  }
  spawn_settings(const spawn_settings&) = delete;
  spawn_settings& operator=(const spawn_settings&) = delete;
  ~spawn_settings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  bool ok() const noexcept { return ok_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
  bool ok_ = false;
};

/// The status once the process is over, or nothing when somebody else took it
/// (a parent that ignores SIGCHLD, for example).
std::optional<int> collect(pid_t pid) {
  int status = 0;
  pid_t got = -1;
  do
    got = ::waitpid(pid, &status, 0);
  while (got < 0 && errno == EINTR);
  return got == pid ? std::optional<int>{status} : std::nullopt;
}

/// Until `pid` is collected its number belongs to us, and so does that of the
/// group it leads.
void kill_group(pid_t pid) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);
}

/// True when the process ended by itself before `deadline`. An error of poll
/// counts as "no", so that nothing waits without a limit.
bool ends_before(int process, steady::time_point deadline) {
  for (;;) {
    auto left
      = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady::now());
    auto wait = std::clamp<int64_t>(left.count(), 0, 60'000);
    pollfd entry{process, POLLIN, 0};
    auto n = ::poll(&entry, 1, static_cast<int>(wait));
    if (n > 0)
      return true;
    if (n < 0 && errno != EINTR)
      return false;
    if (n == 0 && steady::now() >= deadline)
      return false;
  }
}

} // namespace

expected<int, failure> run_command(const std::vector<std::string>& words,
                                   const std::vector<std::string>& environment,
                                   std::chrono::milliseconds limit) {
  if (words.empty() || words.front().empty() || has_nul(words)
      || has_nul(environment))
    return failure{reason::bad_config, "a command has to name a program, and "
                                       "its words cannot contain NUL"};
  auto& program = words.front();
  auto deadline
    = steady::now()
      + std::clamp<std::chrono::milliseconds>(
        limit, std::chrono::milliseconds{0}, std::chrono::hours{24});
  spawn_settings settings;
  if (!settings.ok())
    return cannot("prepare", program, ENOMEM);
  auto argv = pointers(words);
  auto envp = pointers(environment);
  pid_t pid = -1;
  if (auto code
      = ::posix_spawn(&pid, program.c_str(), settings.actions(),
                      settings.attributes(), argv.data(), envp.data());
      code != 0)
    return cannot("run", program, code);
  // By number: glibc 2.36 declares it without C linkage.
  unique_fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!process) {
    auto code = errno;
    // Gone already means that our SIGCHLD is ignored: the number may be
    // somebody else's by now.
    if (code != ESRCH) {
      kill_group(pid);
      collect(pid);
    }
    return cannot("watch", program, code);
  }
  auto in_time = ends_before(process.get(), deadline);
  if (!in_time)
    kill_group(pid);
  auto status = collect(pid);
  if (!in_time)
    return failure{reason::host_failed, "'" + program + "' did not end within "
                                          + std::to_string(limit.count())
                                          + " ms and was killed"};
  if (!status)
    return failure{reason::host_failed,
                   "'" + program + "' ended, but not for us to see how"};
  if (WIFSIGNALED(*status))
    return failure{reason::host_failed, "'" + program + "' was ended by signal "
                                          + std::to_string(WTERMSIG(*status))};
  return WEXITSTATUS(*status);
}

} // namespace vpn::actors
