// PROMPTER on the terminal: asks a person for names, passwords and responses.
#pragma once

#include "vpn/actors/interfaces.hpp"
#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/secret.hpp"

#include <memory>
#include <optional>
#include <string>

namespace vpn::client {

/// A terminal to ask on. Every answer can be called off, so that a question
/// nobody answers does not keep the process from ending.
class terminal {
public:
  terminal();

  /// False when this process has no terminal.
  bool usable() const noexcept { return tty_.valid(); }
  /// Shows `text` and reads a line, without its end. Nothing when it was called
  /// off, or the terminal went away.
  std::optional<secret> ask(const std::string& text, bool echo);
  void show(const std::string& text) const;
  /// From any thread: ends `ask`, now and later.
  void call_off() const;

private:
  std::optional<secret> read_line() const;

  actors::unique_fd tty_;
  actors::unique_fd off_;
};

/// Runs on a thread of its own.
actors::prompter_actor spawn_prompter(caf::actor_system& sys,
                                      std::shared_ptr<terminal> where);

} // namespace vpn::client
