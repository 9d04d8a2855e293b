// The epoch format: see the header.
// spec: openvpn-wire 9.9
#include "protocol/data_key_epoch.hpp"

#include "vpn/protocol/key_derivation.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <climits>

namespace vpn::protocol {

// -- the chain of secrets --

bool epoch_chain::move_to(uint16_t to) {
  auto next = *this;
  secret_array<32> made;
  while (next.epoch < to) {
    if (!expand_label(next.secret.view(), "datakey upd", made.data(),
                      made.size()))
      return false;
    next.secret = made;
    ++next.epoch;
  }
  *this = next;
  return true;
}

bool epoch_key::start(const epoch_chain& from, data_cipher cipher,
                      bool encrypt) {
  secret_array<32> key;
  auto length = key_length(cipher);
  auto ok
    = expand_label(from.secret.view(), "data_key", key.data(), length)
      && expand_label(from.secret.view(), "data_iv", iv_.data(), iv_.size())
      && aead.start(cipher, key.slice(0, length), encrypt);
  epoch = from.epoch;
  return ok;
}

void epoch_key::set_nonce(const uint8_t* packet_id) noexcept {
  std::copy_n(iv_.data(), iv_.size(), aead.nonce.data());
  for (size_t i = 0; i < epoch_format::id_size; ++i)
    aead.nonce[i] = static_cast<uint8_t>(aead.nonce[i] ^ packet_id[i]);
}

expected<std::unique_ptr<epoch_format>>
epoch_format::make(const data_key_spec& spec) {
  std::unique_ptr<epoch_format> result{new epoch_format};
  auto& self = *result;
  self.cipher_ = spec.cipher;
  self.limits_ = spec.limits;
  self.limits_.usage = usage_limit(spec);
  key_slots slots{spec.self};
  auto start
    = [&](epoch_chain& chain, epoch_key& key, size_t slot, bool encrypt) {
        auto first = spec.keys.slice(slot, chain.secret.size());
        std::copy(first.begin(), first.end(), chain.secret.data());
        return !all_zero(first) && key.start(chain, spec.cipher, encrypt);
      };
  if (!start(self.send_chain_, self.send_, slots.send, true)
      || !start(self.receive_chain_, self.receive_, slots.receive, false)) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  return {std::move(result)};
}

// -- sealing --

bool epoch_format::send_key_is_spent() const noexcept {
  // A peer that overuses its key is shown a newer epoch, which it follows.
  return send_.used > limits_.usage || counter_ >= limits_.last_counter
         || (receive_.used > limits_.usage && receive_.epoch == send_.epoch);
}

bool epoch_format::may_move_send() const noexcept {
  // The peer follows, and must stay within what is received here.
  return send_.epoch != UINT16_MAX && send_.epoch < receive_.epoch + future
         && gap_ < limits_.last_counter;
}

bool epoch_format::exhausted() const noexcept {
  return counter_ >= limits_.last_counter && !may_move_send();
}

expected<done_t> epoch_format::move_send_to(uint16_t epoch) noexcept {
  auto chain = send_chain_;
  epoch_key key;
  if (!chain.move_to(epoch) || !key.start(chain, cipher_, true)) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  send_chain_ = chain;
  send_ = std::move(key);
  counter_ = gap_;
  wants_rekey_ = wants_rekey_ || epoch >= limits_.rekey_epoch;
  return done;
}

void epoch_format::skip_ids(uint32_t n, uint32_t received) noexcept {
  gap_ += n;
  received_gap_ += received;
  counter_ = std::min(counter_ + n, limits_.last_counter);
  wants_rekey_ = wants_rekey_ || exhausted();
  auto close = [received](epoch_key& x) {
    x.window.close(x.window.highest() + received);
  };
  close(receive_);
  if (past_)
    close(*past_);
  for (auto& x : future_)
    if (x)
      close(*x);
}

expected<size_t> epoch_format::seal(const uint8_t* header, byte_view plain,
                                    uint8_t* out) noexcept {
  if (send_key_is_spent()) {
    // A key beyond its limit is better than none, unless it has no ids left.
    auto next = static_cast<uint16_t>(send_.epoch + 1);
    if (!may_move_send() || !move_send_to(next))
      wants_rekey_ = true;
  }
  if (counter_ >= limits_.last_counter)
    return errc::bad_packet_id;
  // The id is spent even if sealing fails: a nonce is never used twice.
  ++counter_;
  auto id = last_packet_id();
  std::copy_n(header, header_size, out);
  store_u32(out + header_size, static_cast<uint32_t>(id >> 32));
  store_u32(out + header_size + 4, static_cast<uint32_t>(id));
  send_.set_nonce(out + header_size);
  auto* text = out + head_room;
  if (!send_.aead.seal({out, head_room}, plain, text, text + plain.size())) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  send_.used += aead_usage(plain.size());
  return head_room + plain.size() + aead_tag_size;
}

// -- opening --

expected<epoch_key*> epoch_format::future_key_of(uint16_t epoch) noexcept {
  auto& place = future_[epoch % future];
  if (!place) {
    auto chain = receive_chain_;
    epoch_key key;
    ++keys_made_;
    if (!chain.move_to(epoch) || !key.start(chain, cipher_, false)) {
      ERR_clear_error();
      return errc::tls_failed;
    }
    // What another owner may have accepted of this epoch.
    key.window.close(received_gap_);
    place = std::move(key);
  }
  return &*place;
}

expected<epoch_key*> epoch_format::receive_key_of(uint16_t epoch) noexcept {
  if (epoch == receive_.epoch)
    return &receive_;
  if (epoch > receive_.epoch) {
    if (epoch - receive_.epoch > future)
      return errc::outside_window;
    return future_key_of(epoch);
  }
  if (past_ && past_->epoch == epoch)
    return &*past_;
  return errc::replayed;
}

/// The peer has proved that it uses this key.
bool epoch_format::adopt(epoch_key& key) noexcept {
  if (!receive_chain_.move_to(key.epoch))
    return false;
  past_ = std::move(receive_);
  receive_ = std::move(key);
  // Those in between were skipped; nothing of them will be accepted.
  for (auto& x : future_)
    if (x && x->epoch <= receive_.epoch)
      x.reset();
  wants_rekey_ = wants_rekey_ || receive_.epoch >= limits_.rekey_epoch;
  // Should the library fail, the older key goes on sending.
  if (send_.epoch < receive_.epoch)
    static_cast<void>(move_send_to(receive_.epoch));
  return true;
}

expected<mutable_byte_view>
epoch_format::open(mutable_byte_view packet) noexcept {
  if (packet.size < head_room + aead_tag_size)
    return errc::truncated;
  if (packet.size == head_room + aead_tag_size || packet.size > INT_MAX)
    return errc::bad_payload_size;
  auto* id = packet.data + header_size;
  auto epoch = load_u16(id);
  auto counter = uint64_t{load_u16(id + 2)} << 32 | load_u32(id + 4);
  if (epoch == 0 || counter == 0)
    return errc::bad_packet_id;
  auto found = receive_key_of(epoch);
  if (!found)
    return found.error();
  auto* key = *found;
  if (key->forgeries >= limits_.forgeries_endured)
    return errc::wrong_state;
  mutable_byte_view text{packet.data + head_room,
                         packet.size - head_room - aead_tag_size};
  key->set_nonce(id);
  if (!key->aead.open({packet.data, head_room}, text, text.data + text.size)) {
    // A stale entry in the error queue would confuse the next TLS call.
    ERR_clear_error();
    if (++key->forgeries >= limits_.forgeries_tolerated)
      wants_rekey_ = true;
    return errc::bad_tag;
  }
  if (epoch > receive_.epoch) {
    if (!adopt(*key)) {
      ERR_clear_error();
      return errc::tls_failed;
    }
    key = &receive_;
  }
  if (auto x = key->window.accept(counter); !x)
    return x.error();
  key->used += aead_usage(text.size);
  return text;
}

} // namespace vpn::protocol
