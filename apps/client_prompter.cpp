#include "client_prompter.hpp"

#include "vpn/actors/handlers.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

namespace vpn::client {

namespace {

using protocol::answer;
using protocol::question;

constexpr size_t max_answer = 4096;

/// Switches the echo off and back on.
class silent_terminal {
public:
  silent_terminal(int fd, bool echo) : fd_(fd), quiet_(!echo) {
    quiet_ = quiet_ && tcgetattr(fd_, &before_) == 0;
    if (!quiet_)
      return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(fd_, TCSAFLUSH, &quiet);
  }
  ~silent_terminal() {
    if (quiet_)
      tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;

private:
  int fd_;
  bool quiet_;
  termios before_{};
};

/// In the words people know from openvpn.
answer ask(terminal& where, const question& x, int interrupt = -1) {
  answer result;
  if (!where.usable())
    return result;
  result.username = x.username;
  if (x.what == question::kind::credentials) {
    if (x.username.empty()) {
      auto name = where.ask("Enter Auth Username: ", true, interrupt);
      if (!name)
        return result;
      result.username = std::string{name->text()};
    }
    if (x.needs_password) {
      auto word = where.ask("Enter Auth Password: ", false, interrupt);
      if (!word)
        return result;
      result.password = std::move(*word);
    }
  }
  if (!x.text.empty()) {
    where.show("CHALLENGE: " + x.text + "\n");
    if (x.needs_response) {
      auto response = where.ask("Response: ", x.echo, interrupt);
      if (!response)
        return result;
      result.response = std::move(*response);
    }
  }
  result.given = true;
  return result;
}

} // namespace

terminal::terminal(bool any)
  : tty_(any ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1),
    off_(eventfd(0, EFD_CLOEXEC)) {
}

std::optional<secret> terminal::ask(const std::string& text, bool echo,
                                    int interrupt) {
  silent_terminal quiet{tty_.get(), echo};
  show(text);
  auto result = read_line(interrupt);
  if (!echo)
    show("\n");
  return result;
}

void terminal::show(const std::string& text) const {
  [[maybe_unused]] auto n = write(tty_.get(), text.data(), text.size());
}

void terminal::call_off() const {
  eventfd_write(off_.get(), 1);
}

std::optional<secret> terminal::read_line(int interrupt) const {
  std::array<char, max_answer> line{};
  size_t n = 0;
  auto ended = false;
  while (!ended) {
    pollfd ready[3] = {
      {tty_.get(), POLLIN, 0}, {off_.get(), POLLIN, 0}, {interrupt, POLLIN, 0}};
    if (poll(ready, 3, -1) < 0 && errno != EINTR)
      break;
    if (ready[1].revents != 0 || ready[2].revents != 0)
      break;
    char c = 0;
    if ((ready[0].revents & POLLIN) == 0 || read(tty_.get(), &c, 1) != 1) {
      if ((ready[0].revents & (POLLERR | POLLHUP)) != 0
          || (ready[0].revents & POLLIN) != 0)
        break;
      continue;
    }
    if (c == '\n')
      ended = true;
    else if (n < line.size())
      line[n++] = c;
  }
  std::optional<secret> result;
  if (ended)
    result.emplace(std::string_view{line.data(), n});
  wipe(line.data(), line.size());
  return result;
}

person::person() : terminal_(std::make_shared<terminal>()) {
}

std::shared_ptr<terminal> person::ask_on() {
  std::lock_guard<std::mutex> guard{mutex_};
  return terminal_;
}

void person::call_off() {
  std::lock_guard<std::mutex> guard{mutex_};
  terminal_->call_off();
  terminal_ = std::make_shared<terminal>(!gone_);
}

void person::leave() {
  std::lock_guard<std::mutex> guard{mutex_};
  gone_ = true;
  terminal_ = std::make_shared<terminal>(false);
}

bool complete_credentials(protocol::credentials_config& x, terminal& where,
                          int interrupt) {
  auto question = protocol::credentials{x}.poll_question();
  if (!question)
    return true;
  auto got = ask(where, *question, interrupt);
  if (!got.given)
    return false;
  x.source = protocol::credential_source::given;
  x.username = std::move(got.username);
  x.password = std::move(got.password);
  return true;
}

actors::prompter_actor spawn_prompter(caf::actor_system& sys,
                                      std::shared_ptr<terminal> where) {
  return sys.spawn<caf::detached>([where](actors::prompter_actor::pointer self)
                                    -> actors::prompter_actor::behavior_type {
    actors::install_handlers(self);
    return {[where](atom::ask, const question& x) {
      return ask(*where, x);
    }};
  });
}

} // namespace vpn::client
