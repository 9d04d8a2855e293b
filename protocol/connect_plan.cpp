#include "vpn/protocol/connect_plan.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// Rounds over all remotes before the wait begins to double.
/// seen: openvpn 2.6 connect-retry
constexpr uint32_t patient_rounds = 4;

} // namespace

connect_plan::connect_plan(connect_plan_config cfg) : cfg_(std::move(cfg)) {
}

std::optional<connect_plan::step> connect_plan::next_step(duration at_least) {
  if (cfg_.remotes.empty())
    return std::nullopt;
  step result;
  if (!first_)
    result.delay = cfg_.retry;
  if (!addresses_.empty()) {
    result.address = addresses_.front();
    addresses_.pop_front();
  } else if (!first_ && !reconnect_) {
    if (++current_ == cfg_.remotes.size()) {
      current_ = 0;
      ++round_;
    }
    if (cfg_.max_tries > 0 && round_ >= cfg_.max_tries)
      return std::nullopt;
  }
  for (auto i = patient_rounds; i < round_ && result.delay < cfg_.retry_max;
       ++i)
    result.delay *= 2;
  result.delay = std::max(at_least, std::min(result.delay, cfg_.retry_max));
  result.remote = current_;
  first_ = false;
  reconnect_ = false;
  return result;
}

void connect_plan::handle_resolved(std::vector<endpoint> addresses) {
  addresses_.assign(addresses.begin(), addresses.end());
}

void connect_plan::handle_connected() {
  round_ = 0;
  reconnect_ = true;
  addresses_.clear();
}

} // namespace vpn::protocol
