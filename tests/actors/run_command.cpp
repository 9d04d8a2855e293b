// Programs run for the user: what they get from us, and that they end.
#define CAF_SUITE actors.run_command
#include "vpn/actors/run_command.hpp"

#include "vpn/actors/unique_fd.hpp"

#include "caf/test/unit_test.hpp"

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;

namespace {

/// The exit status of a shell script, -1 for a failure.
int run_script(const std::string& script) {
  auto result = run_command({"/bin/sh", "-c", script, "script", "; exit 9"},
                            {"PATH=/usr/bin:/bin", "NAME=two words"}, 60s);
  return result ? *result : -1;
}

std::string refused(const std::vector<std::string>& words,
                    std::chrono::milliseconds limit = 60s) {
  auto result = run_command(words, {}, limit);
  if (result)
    CAF_FAIL("ended with status " << *result);
  return result.error().text;
}

} // namespace

CAF_TEST(the exit status comes back) {
  CAF_CHECK_EQUAL(run_script("exit 0"), 0);
  CAF_CHECK_EQUAL(run_script("exit 3"), 3);
}

CAF_TEST(words arrive as they are) {
  CAF_CHECK_EQUAL(run_script("test \"$1\" = '; exit 9' && test $# = 1"), 0);
}

CAF_TEST(the environment is what was given and nothing else) {
  ::setenv("LEAKED_INTO_THE_SCRIPT", "1", 1);
  CAF_CHECK_EQUAL(run_script("test \"$NAME\" = 'two words' && "
                             "test -z \"$LEAKED_INTO_THE_SCRIPT$HOME\""),
                  0);
  ::unsetenv("LEAKED_INTO_THE_SCRIPT");
}

CAF_TEST(no descriptor of ours leaks) {
  // Two that somebody forgot to mark close-on-exec.
  unique_fd low{::open("/dev/null", O_RDONLY)};
  unique_fd high{::fcntl(low.get(), F_DUPFD, 57)};
  CAF_REQUIRE(high);
  for (auto fd : {low.get(), high.get()}) {
    CAF_CHECK(::fcntl(fd, F_GETFD) == 0);
    CAF_CHECK_EQUAL(run_script("test ! -e /proc/$$/fd/" + std::to_string(fd)),
                    0);
  }
}

CAF_TEST(standard input is empty) {
  CAF_CHECK_EQUAL(run_script("if read x; then exit 1; fi"), 0);
}

CAF_TEST(signals are as a shell would leave them) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  auto old = ::signal(SIGINT, SIG_IGN);
  CAF_CHECK_EQUAL(run_script("exec grep -qE '^SigBlk:.0+$' /proc/self/status"),
                  0);
  // The last digit holds SIGINT; glibc 2.36 leaves two signals of its own
  // ignored, which nobody can send by mistake.
  CAF_CHECK_EQUAL(run_script("exec grep -qE '^SigIgn:.*0$' /proc/self/status"),
                  0);
  ::signal(SIGINT, old);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

CAF_TEST(the program leads a process group of its own) {
  CAF_CHECK_EQUAL(
    run_script("read pid name state parent group rest </proc/$$/stat; "
               "test \"$group\" = $$"),
    0);
}

CAF_TEST(what cannot start is a failure) {
  CAF_CHECK_EQUAL(refused({"/no/such/program"}),
                  "cannot run '/no/such/program': No such file or directory");
  CAF_CHECK_EQUAL(refused({"/dev/null"}),
                  "cannot run '/dev/null': Permission denied");
  // Nothing is searched in PATH.
  CAF_CHECK_EQUAL(refused({"sh", "-c", "exit 0"}),
                  "cannot run 'sh': No such file or directory");
  for (auto& words : std::vector<std::vector<std::string>>{
         {}, {""}, {"/bin/true", std::string{"a\0b", 3}}}) {
    auto result = run_command(words, {}, 1s);
    CAF_REQUIRE(!result);
    CAF_CHECK(result.error().why == reason::bad_config);
  }
}

CAF_TEST(a program that a signal ends is a failure) {
  CAF_CHECK_EQUAL(refused({"/bin/sh", "-c", "kill -9 $$"}),
                  "'/bin/sh' was ended by signal 9");
}

CAF_TEST(a program that lasts too long is killed and collected) {
  CAF_CHECK_EQUAL(refused({"/bin/sleep", "1000"}, 20ms),
                  "'/bin/sleep' did not end within 20 ms and was killed");
  CAF_CHECK_EQUAL(refused({"/bin/sleep", "1000"}, -5ms).substr(0, 12),
                  "'/bin/sleep'");
  CAF_CHECK_EQUAL(::waitpid(-1, nullptr, WNOHANG), -1);
  CAF_CHECK_EQUAL(errno, ECHILD);
}

CAF_TEST(what it started in its group ends with it) {
  char directory[] = "/tmp/run_command.XXXXXX";
  CAF_REQUIRE(::mkdtemp(directory) != nullptr);
  auto pipe = std::string{directory} + "/pipe";
  CAF_REQUIRE_EQUAL(::mkfifo(pipe.c_str(), 0600), 0);
  unique_fd in{::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  refused({"/bin/sh", "-c", "/bin/sleep 1000 >" + pipe + " & wait"}, 200ms);
  // The end of the pipe comes when the last holder of its other end is gone.
  char byte = 0;
  auto n = ::read(in.get(), &byte, 1);
  if (n < 0) {
    pollfd entry{in.get(), POLLIN, 0};
    ::poll(&entry, 1, 10'000);
    n = ::read(in.get(), &byte, 1);
  }
  CAF_CHECK_EQUAL(n, 0);
  ::unlink(pipe.c_str());
  ::rmdir(directory);
}
