// One TLS connection: bytes of the peer go into one memory BIO, bytes for the
// peer come out of another, and no call ever waits.
// spec: openvpn-wire 5.1

#include "vpn/protocol/tls_engine.hpp"

#include <openssl/x509_vfy.h>

#include <deque>

#include "protocol/tls_certificates.hpp"
#include "protocol/tls_internal.hpp"

namespace vpn::protocol {

using namespace tls_internal;

namespace {

/// The largest plaintext of one TLS record.
constexpr size_t max_record = 16384;

/// A handshake takes a few KiB; nobody may make us chew on more than this.
constexpr size_t max_handshake = size_t{256} * 1024;

/// OpenSSL reports a received alert as this number plus the alert's code.
constexpr int alert_offset = SSL_AD_REASON_OFFSET;

/// The alerts that speak about the certificate of whoever receives them.
bool is_certificate_alert(int alert) {
  switch (alert) {
    case SSL3_AD_NO_CERTIFICATE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

std::string alert_words(int alert, unsigned long code) {
  auto words = std::string{SSL_alert_desc_string_long(alert)};
  // The list of the library ends before TLS 1.3.
  if (words == "unknown")
    words = error_words(code);
  return words + " (TLS alert " + std::to_string(alert) + ")";
}

} // namespace

struct tls_engine::impl {
  std::shared_ptr<const tls_context> shared;
  ssl_ptr ssl;
  /// Both belong to `ssl`.
  BIO* in = nullptr;
  BIO* out = nullptr;
  bool up = false;
  size_t handshake_bytes = 0;
  std::optional<failure> broken;
  /// Knows why the peer's certificate was refused.
  chain_judge judge;
  std::vector<peer_certificate> chain;
  std::deque<secret> records;

  const tls_context::impl& conf() const { return *shared->impl_; }
  std::string peer() const {
    return conf().self == role::client ? "server" : "client";
  }

  bool open(int64_t unix_seconds);
  void turn();
  void read_records();
  void note_chain();
  void fail(reason why, std::string text);
  void fail_with(int ssl_error);
};

bool tls_engine::impl::open(int64_t unix_seconds) {
  if (!shared)
    return false;
  ssl.reset(SSL_new(conf().ctx.get()));
  bio_ptr from_peer{BIO_new(BIO_s_mem())};
  bio_ptr to_peer{BIO_new(BIO_s_mem())};
  if (!ssl || !from_peer || !to_peer)
    return false;
  in = from_peer.release();
  out = to_peer.release();
  SSL_set_bio(ssl.get(), in, out);
  auto mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  if (conf().self == role::server && !conf().require_peer_certificate)
    mode = SSL_VERIFY_NONE;
  SSL_set_verify(ssl.get(), mode, chain_judge::note_error);
  judge.rules = &conf().rules;
  judge.peer = peer();
  SSL_set_app_data(ssl.get(), &judge);
  X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl.get()),
                             static_cast<time_t>(unix_seconds));
  if (conf().self == role::client)
    SSL_set_connect_state(ssl.get());
  else
    SSL_set_accept_state(ssl.get());
  return true;
}

void tls_engine::impl::fail(reason why, std::string text) {
  if (!broken)
    broken = failure{why, std::move(text)};
}

void tls_engine::impl::fail_with(int ssl_error) {
  if (judge.rejection)
    return fail(reason::certificate_rejected, *judge.rejection);
  if (ssl_error == SSL_ERROR_ZERO_RETURN)
    return fail(reason::tls_failed,
                "the " + peer() + " closed the TLS connection");
  // The first error of the queue is the cause, later ones are consequences.
  auto code = ERR_peek_error();
  if (code == 0)
    return fail(reason::tls_failed, "TLS stopped without a reason");
  auto why = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) != ERR_LIB_SSL)
    return fail(reason::tls_failed, "TLS failed: " + error_words(code));
  if (why == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return fail(reason::certificate_rejected,
                "the " + peer() + " sent no certificate");
  if (why <= alert_offset)
    return fail(reason::tls_failed, "TLS failed: " + error_words(code));
  auto words = alert_words(why - alert_offset, code);
  if (is_certificate_alert(why - alert_offset))
    return fail(reason::certificate_rejected,
                "the " + peer() + " does not accept our certificate: " + words);
  fail(reason::tls_failed, "the " + peer() + " refused TLS: " + words);
}

void tls_engine::impl::note_chain() {
  auto& field = conf().rules.username_field();
  auto* certs = SSL_get0_verified_chain(ssl.get());
  for (auto i = 0; certs != nullptr && i < sk_X509_num(certs); ++i)
    chain.push_back(describe(i, sk_X509_value(certs, i), field));
  // Where only a fingerprint was compared, there is no chain.
  auto* own = SSL_get0_peer_certificate(ssl.get());
  if (chain.empty() && own != nullptr)
    chain.push_back(describe(0, own, field));
}

/// Goes on as far as the bytes at hand allow.
void tls_engine::impl::turn() {
  if (broken)
    return;
  if (!up) {
    if (auto rc = SSL_do_handshake(ssl.get()); rc != 1) {
      auto error = SSL_get_error(ssl.get(), rc);
      if (error != SSL_ERROR_WANT_READ)
        fail_with(error);
      return;
    }
    up = true;
    note_chain();
  }
  read_records();
}

void tls_engine::impl::read_records() {
  // A buffer as large as a record, so that one read never returns half of one.
  secret_array<max_record> buf;
  for (;;) {
    ERR_clear_error();
    auto n = SSL_read(ssl.get(), buf.data(), static_cast<int>(max_record));
    if (n <= 0) {
      auto error = SSL_get_error(ssl.get(), n);
      if (error != SSL_ERROR_WANT_READ)
        fail_with(error);
      return;
    }
    records.emplace_back(buf.slice(0, static_cast<size_t>(n)));
  }
}

// -- construction --

tls_engine::tls_engine(std::shared_ptr<const tls_context> ctx,
                       int64_t unix_seconds)
  : impl_(std::make_unique<impl>()) {
  error_queue_guard guard;
  impl_->shared = std::move(ctx);
  if (!impl_->open(unix_seconds)) {
    impl_->ssl.reset();
    impl_->fail(reason::internal, "no TLS object");
  }
}

tls_engine::~tls_engine() = default;
tls_engine::tls_engine(tls_engine&&) noexcept = default;
tls_engine& tls_engine::operator=(tls_engine&&) noexcept = default;

// -- commands --

void tls_engine::start() {
  error_queue_guard guard;
  if (!impl_->broken && impl_->conf().self == role::client)
    impl_->turn();
}

expected<done_t> tls_engine::send(byte_view plaintext) {
  error_queue_guard guard;
  if (!impl_->up || impl_->broken)
    return errc::wrong_state;
  if (plaintext.empty() || plaintext.size() > max_record)
    return errc::bad_payload_size;
  auto n = SSL_write(impl_->ssl.get(), plaintext.data(),
                     static_cast<int>(plaintext.size()));
  if (n == static_cast<int>(plaintext.size()))
    return done;
  impl_->fail_with(SSL_get_error(impl_->ssl.get(), n));
  return errc::tls_failed;
}

// -- handlers --

void tls_engine::handle_input(byte_view tls_bytes) {
  error_queue_guard guard;
  while (!tls_bytes.empty() && !impl_->broken) {
    if (!impl_->up) {
      if (tls_bytes.size() > max_handshake - impl_->handshake_bytes)
        return impl_->fail(reason::tls_failed,
                           "the " + impl_->peer()
                             + " sends too many bytes before TLS is up");
    }
    auto part = tls_bytes.first(max_record);
    tls_bytes = tls_bytes.from(part.size());
    if (!impl_->up)
      impl_->handshake_bytes += part.size();
    auto size = static_cast<int>(part.size());
    if (BIO_write(impl_->in, part.data(), size) != size)
      return impl_->fail(reason::internal, "no memory for TLS");
    ERR_clear_error();
    impl_->turn();
  }
}

// -- polls --

std::optional<bytes> tls_engine::poll_output() {
  error_queue_guard guard;
  if (impl_->out == nullptr || !impl_->ssl)
    return {};
  auto pending = BIO_ctrl_pending(impl_->out);
  if (pending == 0)
    return {};
  bytes result(pending);
  auto n = BIO_read(impl_->out, result.data(), static_cast<int>(pending));
  if (n <= 0)
    return {};
  result.resize(static_cast<size_t>(n));
  return result;
}

std::optional<secret> tls_engine::poll_record() {
  if (impl_->records.empty())
    return {};
  auto result = std::move(impl_->records.front());
  impl_->records.pop_front();
  return result;
}

// -- observers --

bool tls_engine::established() const noexcept {
  return impl_->up;
}

const std::optional<failure>& tls_engine::failed() const noexcept {
  return impl_->broken;
}

const std::vector<peer_certificate>& tls_engine::peer_chain() const noexcept {
  return impl_->chain;
}

std::string tls_engine::description() const {
  error_queue_guard guard;
  if (!impl_->up)
    return "no TLS";
  const auto* ssl = impl_->ssl.get();
  auto result = std::string{SSL_get_version(ssl)} + ", cipher "
                + SSL_get_cipher_name(ssl);
  auto* cert = SSL_get0_peer_certificate(ssl);
  auto* key = cert != nullptr ? X509_get0_pubkey(cert) : nullptr;
  if (key == nullptr)
    return result + ", no peer certificate";
  const auto* type = EVP_PKEY_get0_type_name(key);
  return result + ", peer certificate " + std::to_string(EVP_PKEY_get_bits(key))
         + " bits " + (type != nullptr ? type : "unknown");
}

expected<done_t> tls_engine::export_key(const char* label, uint8_t* out,
                                        size_t size) const {
  error_queue_guard guard;
  if (!impl_->up)
    return errc::wrong_state;
  if (SSL_export_keying_material(impl_->ssl.get(), out, size, label,
                                 std::strlen(label), nullptr, 0, 0)
      != 1)
    return errc::tls_failed;
  return done;
}

} // namespace vpn::protocol
