// One absolute timer per actor.
#pragma once

#include "vpn/actors/messages.hpp"

#include <caf/send.hpp>

#include <optional>
#include <vector>

namespace vpn::actors {

/// Sends `atom::timeout` to its actor at the earliest deadline asked for. A
/// deadline that moves to a later time costs nothing: the message comes early,
/// the actor asks its protocol object again, and nothing is due.
class actor_timer {
public:
  /// `Handle` is the actor's own typed handle type.
  template <class Handle, class Self>
  void arm(Self* self, const std::optional<time_point>& due) {
    if (!due || (!armed_.empty() && armed_.back() <= *due))
      return;
    armed_.push_back(*due);
    self->scheduled_send(Handle{self}, *due, atom::timeout_v);
  }
  /// To be called when the message arrives.
  void fired() noexcept {
    if (!armed_.empty())
      armed_.pop_back();
  }

private:
  /// Messages under way, the earliest last: a later one is not forgotten when
  /// an earlier one comes, or it would be sent again and again.
  std::vector<time_point> armed_;
};

} // namespace vpn::actors
