#include "vpn/protocol/connect_plan.hpp"

#include <algorithm>
#include <utility>

namespace vpn::protocol {

namespace {

/// Rounds over all remotes before the wait begins to double.
/// seen: openvpn 2.6 connect-retry
constexpr uint32_t patient_rounds = 4;

/// A number below `n`, each as likely as any other.
size_t below(size_t n, const random_source& random) {
  auto bound = static_cast<uint32_t>(n);
  // What lies above the largest multiple of `n` would favour small numbers. A
  // source that only ever yields such values must not hang us.
  auto limit = UINT32_MAX - UINT32_MAX % bound;
  uint32_t x = 0;
  for (int i = 0; i < 64; ++i) {
    random(reinterpret_cast<uint8_t*>(&x), sizeof x);
    if (x < limit)
      break;
  }
  return x % bound;
}

} // namespace

connect_plan::connect_plan(connect_plan_config cfg, const random_source& random)
  : cfg_(std::move(cfg)),
    random_(random) {
  auto& xs = cfg_.remotes;
  if (cfg_.shuffle && random_)
    for (auto n = xs.size(); n > 1; --n)
      std::swap(xs[n - 1], xs[below(n, random_)]);
}

// -- commands --

std::optional<connect_plan::step> connect_plan::next_step(duration at_least) {
  if (cfg_.remotes.empty())
    return std::nullopt;
  auto exhausted = [this] {
    return cfg_.max_tries > 0 && round_ >= cfg_.max_tries;
  };
  step result;
  if (!first_)
    result.delay = cfg_.retry;
  if (repeat_) {
    result.address = last_;
    // A server that keeps sending us back is not to keep us for ever. The first
    // try after a connection is nobody's failure.
    if (!reconnect_ && ++repeats_ >= cfg_.remotes.size()) {
      repeats_ = 0;
      ++round_;
    }
    if (exhausted())
      return std::nullopt;
  } else if (!addresses_.empty()) {
    result.address = addresses_.front();
    addresses_.pop_front();
  } else if (!first_ && !reconnect_) {
    take_next_remote();
    if (exhausted())
      return std::nullopt;
  }
  for (auto i = patient_rounds; i < round_ && result.delay < cfg_.retry_max;
       ++i)
    result.delay *= 2;
  result.delay
    = std::max(at_least, shortened(std::min(result.delay, cfg_.retry_max)));
  result.remote = current_;
  last_ = result.address;
  first_ = false;
  reconnect_ = false;
  repeat_ = false;
  return result;
}

void connect_plan::go(advance where) {
  if (first_)
    return;
  repeat_ = where == advance::no;
  if (!repeat_)
    reconnect_ = false;
  if (where == advance::remote) {
    addresses_.clear();
    fail_back_ = false;
  }
}

void connect_plan::hurry() {
  round_ = 0;
  repeats_ = 0;
}

// -- handlers --

void connect_plan::handle_resolved(std::vector<endpoint> addresses) {
  addresses_.assign(addresses.begin(), addresses.end());
}

void connect_plan::handle_connected() {
  round_ = 0;
  repeats_ = 0;
  reconnect_ = true;
  fail_back_ = true;
  addresses_.clear();
}

// -- small things --

void connect_plan::take_next_remote() {
  if (std::exchange(fail_back_, false) && current_ != 0) {
    current_ = 0;
  } else if (++current_ == cfg_.remotes.size()) {
    current_ = 0;
    ++round_;
  }
}

duration connect_plan::shortened(duration wait) const {
  if (!random_ || wait <= duration::zero())
    return wait;
  uint16_t share = 0;
  random_(reinterpret_cast<uint8_t*>(&share), sizeof share);
  return wait - wait / 4 / 65536 * share;
}

} // namespace vpn::protocol
