// The data keys of one session: see the header.
// spec: openvpn-wire 12.2, 12.4, 12.5
#include "vpn/protocol/key_ring.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_keys = 2;

/// True when everything that makes the one key makes the other.
bool same_key(const data_key_spec& x, const data_key_spec& y) {
  return x.key_id == y.key_id && x.cipher == y.cipher && x.self == y.self
         && x.peer_id == y.peer_id && x.digest == y.digest
         && x.epoch == y.epoch;
}

} // namespace

expected<done_t> key_ring::install(const data_key_spec& spec, instant now) {
  if (spec.key_id >= keys_.size())
    return errc::bad_value;
  for (auto& x : keys_) {
    if (!x || !equal_in_constant_time(x->made_of.keys.view(), spec.keys.view()))
      continue;
    // A request that comes again, since its answer was lost, has been met. The
    // same material for another key would use its nonces a second time.
    if (same_key(x->made_of, spec))
      return done;
    return errc::wrong_state;
  }
  auto key = data_key::make(spec);
  if (!key)
    return key.error();
  retire(spec.key_id);
  if (order_size_ == max_keys)
    retire(order_[0]);
  if (auto* before = at_age(0))
    before->retire_at = now.steady + cfg_.transition_window;
  keys_[spec.key_id].emplace(
    installed_key{std::move(*key), spec, now.steady, std::nullopt});
  order_[order_size_++] = spec.key_id;
  return done;
}

void key_ring::retire(uint8_t key_id) {
  if (key_id >= keys_.size())
    return;
  keys_[key_id].reset();
  size_t kept = 0;
  for (size_t i = 0; i < order_size_; ++i)
    if (order_[i] != key_id)
      order_[kept++] = order_[i];
  order_size_ = kept;
  // The newest key that is left goes on until it is replaced.
  if (auto* newest = at_age(0))
    newest->retire_at.reset();
}

void key_ring::skip_ids(uint32_t n, uint32_t received) noexcept {
  for_each([n, received](installed_key& x) {
    x.key.skip_ids(n, received);
  });
}

/// The key installed as the newest one, the one before it, and so on.
installed_key* key_ring::at_age(size_t age) noexcept {
  return age < order_size_ ? &*keys_[order_[order_size_ - 1 - age]] : nullptr;
}

installed_key* key_ring::sending(instant now) noexcept {
  auto* newest = at_age(0);
  auto* older = at_age(1);
  // The peer may not be ready for the newest key. But once it used it, or the
  // grace time is over, or the older one is used up, there is no way back.
  if (newest == nullptr || older == nullptr || newest->confirmed
      || now.steady >= newest->installed + cfg_.new_key_delay
      || older->key.exhausted())
    return newest;
  return older;
}

void key_ring::handle_timeout(instant now) {
  for (auto i = order_size_; i-- > 0;)
    if (auto& at = keys_[order_[i]]->retire_at; at && now.steady >= *at)
      retire(order_[i]);
}

std::optional<time_point> key_ring::poll_timeout() const noexcept {
  std::optional<time_point> result;
  for (size_t i = 0; i < order_size_; ++i)
    if (auto& at = keys_[order_[i]]->retire_at;
        at && (!result || *at < *result))
      result = at;
  return result;
}

} // namespace vpn::protocol
