#include "client_credentials.hpp"

#include "vpn/actors/unique_fd.hpp"

#include <array>

#include <termios.h>
#include <unistd.h>

namespace vpn::client {

namespace {

constexpr size_t max_answer = 4096;

/// Switches the echo off and back on.
class silent_terminal {
public:
  explicit silent_terminal(int fd) : fd_(fd) {
    tcgetattr(fd_, &before_);
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(fd_, TCSAFLUSH, &quiet);
  }
  ~silent_terminal() { tcsetattr(fd_, TCSAFLUSH, &before_); }
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;

private:
  int fd_;
  termios before_{};
};

void say(int fd, std::string_view text) {
  [[maybe_unused]] auto n = write(fd, text.data(), text.size());
}

secret read_line(int fd) {
  std::array<char, max_answer> line{};
  size_t n = 0;
  char c = 0;
  while (n < line.size() && read(fd, &c, 1) == 1 && c != '\n')
    line[n++] = c;
  secret result{std::string_view{line.data(), n}};
  wipe(line.data(), line.size());
  return result;
}

} // namespace

bool complete_credentials(protocol::profile& x) {
  if (x.credentials == protocol::credential_source::none
      || (!x.username.empty() && !x.password.empty()))
    return true;
  actors::unique_fd tty{open("/dev/tty", O_RDWR | O_CLOEXEC)};
  if (!tty)
    return false;
  if (x.username.empty()) {
    say(tty.get(), "Enter Auth Username: ");
    x.username = std::string{read_line(tty.get()).text()};
  }
  if (x.password.empty()) {
    say(tty.get(), "Enter Auth Password: ");
    silent_terminal quiet{tty.get()};
    x.password = read_line(tty.get());
    say(tty.get(), "\n");
  }
  return true;
}

} // namespace vpn::client
