// When a fault kills, crashes or stalls the actor behind it.
#pragma once

#include "vpn/protocol/fault_spec.hpp"
#include "vpn/protocol/fault_values.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace vpn::actors {

/// The times of `fault_knobs::actor`. It decides, the fault actor acts.
class fault_plan {
public:
  using kind = protocol::actor_fault::kind;

  /// Begins anew, and ends a stall.
  void start(const protocol::fault_knobs& knobs, time_point now) {
    stalled_until_.reset();
    entries_.clear();
    auto begin = now + bounded(knobs.from);
    end_.reset();
    if (knobs.until > duration::zero())
      end_ = now + bounded(knobs.until);
    for (auto x : knobs.actor) {
      x.every = bounded(x.every);
      x.lasts = bounded(x.lasts);
      entries_.push_back({x, begin + bounded(x.after)});
    }
    remove_late();
  }

  /// What happens to the actor by `now`: once for each entry, however late it
  /// is.
  std::vector<kind> due(time_point now) {
    std::vector<kind> result;
    for (auto& x : entries_) {
      if (x.next > now)
        continue;
      result.push_back(x.fault.what);
      if (x.fault.what == kind::stall)
        stalled_until_
          = std::max(stalled_until_.value_or(now), x.next + x.fault.lasts);
      auto every = x.fault.every;
      if (every > duration::zero())
        x.next += every * ((now - x.next) / every + 1);
      else
        x.over = true;
    }
    remove_late();
    if (stalled_until_ && *stalled_until_ <= now)
      stalled_until_.reset();
    return result;
  }
  void end_stall() noexcept { stalled_until_.reset(); }

  /// By the last call of `due`.
  bool stalled() const noexcept { return stalled_until_.has_value(); }
  /// When `due` is to be called again.
  std::optional<time_point> next() const {
    auto result = stalled_until_;
    for (auto& x : entries_)
      result = std::min(result.value_or(x.next), x.next);
    return result;
  }

private:
  struct entry {
    protocol::actor_fault fault;
    time_point next;
    bool over = false;
  };

  /// Times that were not parsed may be anything; sums of these fit.
  static duration bounded(duration x) noexcept {
    return std::clamp(x, duration::zero(), protocol::longest_fault_time);
  }

  void remove_late() {
    auto late = [this](const entry& x) {
      return x.over || (end_ && x.next >= *end_);
    };
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(), late),
                   entries_.end());
  }

  std::vector<entry> entries_;
  std::optional<time_point> end_;
  std::optional<time_point> stalled_until_;
};

} // namespace vpn::actors
