// PROMPTER on the terminal: asks a person for names, passwords and responses.
#pragma once

#include "vpn/actors/interfaces.hpp"
#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/credentials.hpp"
#include "vpn/protocol/secret.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace vpn::client {

/// A terminal to ask on. Every answer can be called off, so that a question
/// nobody answers does not keep the process from ending.
class terminal {
public:
  /// Opens /dev/tty, or nothing.
  explicit terminal(bool any = true);

  /// False when this process has no terminal.
  bool usable() const noexcept { return tty_.valid(); }
  /// Shows `text` and reads a line, without its end. Nothing when it was called
  /// off, or the terminal went away.
  /// `interrupt` is a descriptor whose readability calls it off as well.
  std::optional<secret> ask(const std::string& text, bool echo,
                            int interrupt = -1);
  void show(const std::string& text) const;
  /// From any thread: ends `ask`, now and later.
  void call_off() const;

private:
  std::optional<secret> read_line(int interrupt) const;

  actors::unique_fd tty_;
  actors::unique_fd off_;
};

/// Whoever sits at the terminal, for as long as the process has one. All calls
/// from any thread.
class person {
public:
  person();

  /// The terminal for the next question, which may not be usable.
  std::shared_ptr<terminal> ask_on();
  /// Ends the question that is open; the next one finds another terminal.
  void call_off();
  /// There is nobody to ask any more: the shell has the terminal back.
  void leave();

private:
  std::mutex mutex_;
  bool gone_ = false;
  std::shared_ptr<terminal> terminal_;
};

/// Name, password and static challenge as the profile wants them, asked for
/// now; false when nobody answered.
bool complete_credentials(protocol::credentials_config& x, terminal& where,
                          int interrupt);

/// Runs on a thread of its own.
actors::prompter_actor spawn_prompter(caf::actor_system& sys,
                                      std::shared_ptr<terminal> where);

} // namespace vpn::client
