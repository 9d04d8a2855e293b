// What of a layer outlives the actor that holds it, so that the next one goes
// on where it stopped: nothing is sent twice under one packet id, and nothing
// that was accepted is accepted again.
// spec: design 6
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace vpn::actors {

/// What a new incarnation of a layer finds.
enum class succession : uint8_t {
  /// It is the first one.
  first,
  /// The one before it is dead: its block has no writer any more.
  dead,
  /// The one before it did not answer and may wake up: its block may still be
  /// in use.
  stuck,
};

/// Packet ids that are left out when a stuck layer is replaced.
constexpr uint32_t succession_gap = 1u << 16;

/// Holds the block of a layer's present incarnation. SUPERVISOR passes it from
/// one to the next and never looks inside; only the layers do, all on one home.
template <class Block>
class checkpoint {
public:
  /// The block for a new incarnation: the same one after a death. A stuck
  /// layer's block is emptied into a new one, so that it finds nothing there
  /// to work with when it wakes up. For the same reason a first one that was
  /// replaced before its first turn gets a block of its own when it comes late.
  std::shared_ptr<Block> take(succession how) {
    if (block_ && how == succession::first)
      return std::make_shared<Block>();
    if (!block_ || how == succession::stuck) {
      auto fresh = std::make_shared<Block>();
      if (block_)
        std::swap(*fresh, *block_);
      block_ = std::move(fresh);
    }
    return block_;
  }

private:
  std::shared_ptr<Block> block_;
};

} // namespace vpn::actors
