#include "vpn/actors/config.hpp"

#include <algorithm>
#include <thread>

namespace vpn::actors {

config::config() {
  add_message_types<caf::id_block::vpn>();
  // `sharing` sleeps when idle and hands over at once; the default policy
  // polls. A bounded throughput keeps a busy actor from starving the others.
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads",
      size_t{std::max(1u, std::thread::hardware_concurrency())});
  set("scheduler.max-throughput", size_t{50});
}

} // namespace vpn::actors
