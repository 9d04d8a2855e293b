// Who we say we are: passwords, tokens and challenges in the form that key
// method 2 carries, and what is forgotten when.
// spec: openvpn-wire 5.7, 5.8, 7.6
#include "vpn/protocol/credentials.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace vpn::protocol {

namespace {

/// A challenge with longer parts is no challenge. Stock servers stay below a
/// hundred bytes for the state, and names end up in key method 2.
constexpr size_t max_state = 1024;
constexpr size_t max_name = 512;
constexpr size_t max_text = 2048;

constexpr std::string_view static_prefix = "SCRV1:";
constexpr std::string_view dynamic_prefix = "CRV1::";

/// Texts with secrets in them, put together without leaving copies behind.
class secret_writer {
public:
  explicit secret_writer(size_t capacity) { data_.reserve(capacity); }
  ~secret_writer() { wipe(data_.data(), data_.size()); }
  secret_writer(const secret_writer&) = delete;
  secret_writer& operator=(const secret_writer&) = delete;

  secret_writer& add(byte_view xs) {
    data_.insert(data_.end(), xs.begin(), xs.end());
    return *this;
  }
  secret_writer& add(std::string_view xs) { return add(byte_view{xs}); }
  secret_writer& add_base64(byte_view xs) {
    // The encoder ends its text with a NUL.
    auto at = data_.size();
    data_.resize(at + base64_size(xs.size()) + 1);
    EVP_EncodeBlock(data_.data() + at, xs.data(), static_cast<int>(xs.size()));
    data_.pop_back();
    return *this;
  }
  secret take() const { return secret{byte_view{data_}}; }

  static size_t base64_size(size_t n) noexcept { return (n + 2) / 3 * 4; }

private:
  bytes data_;
};

bool is_base64(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
         || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/// A name in base64: with padding, without control characters, not empty.
std::optional<std::string> decode_name(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0
      || text.size() > secret_writer::base64_size(max_name))
    return std::nullopt;
  auto digits = text;
  while (!digits.empty() && digits.back() == '='
         && text.size() - digits.size() < 2)
    digits.remove_suffix(1);
  if (!std::all_of(digits.begin(), digits.end(), is_base64))
    return std::nullopt;
  bytes decoded(text.size() / 4 * 3);
  byte_view in{text};
  if (EVP_DecodeBlock(decoded.data(), in.data(), static_cast<int>(in.size()))
      < 0)
    return std::nullopt;
  decoded.resize(decoded.size() - (text.size() - digits.size()));
  auto is_control = [](uint8_t c) {
    return c < 0x20 || c == 0x7f;
  };
  if (std::any_of(decoded.begin(), decoded.end(), is_control))
    return std::nullopt;
  return std::string{decoded.begin(), decoded.end()};
}

/// True when `flag` is one of the comma-separated `flags`.
bool has_flag(std::string_view flags, std::string_view flag) {
  while (!flags.empty()) {
    auto end = flags.find(',');
    if (flags.substr(0, end) == flag)
      return true;
    flags = end == std::string_view::npos ? std::string_view{}
                                          : flags.substr(end + 1);
  }
  return false;
}

} // namespace

credentials::credentials(credentials_config cfg) : cfg_(std::move(cfg)) {
  username_ = cfg_.username;
  if (cfg_.source == credential_source::given) {
    password_ = cfg_.password;
    has_password_ = !password_.empty();
  }
}

// -- handlers --

void credentials::handle_answer(answer x) {
  auto open = poll_question();
  if (!x.given || !open)
    return;
  if (challenge_) {
    challenge_->response = std::move(x.response);
    return;
  }
  if (username_.empty())
    username_ = std::move(x.username);
  if (open->needs_password) {
    password_ = std::move(x.password);
    has_password_ = true;
  }
  if (!open->text.empty())
    response_ = std::move(x.response);
}

void credentials::handle_token(secret token, std::string user) {
  if (token.empty())
    return;
  token_ = std::move(token);
  if (!user.empty())
    token_user_ = std::move(user);
}

auth_verdict credentials::handle_auth_failed(const auth_failed& x) {
  if (x.temporary)
    return auth_verdict::again;
  // Any refusal may be due to the token: a server that was restarted knows no
  // old ones and says no more than that.
  auto had_token = !token_.empty();
  token_.clear();
  token_user_.clear();
  challenge_ = parse_challenge(x.reason);
  if (challenge_ || had_token)
    return auth_verdict::again;
  switch (cfg_.retry) {
    case auth_retry::none:
      return auth_verdict::give_up;
    case auth_retry::nointeract:
      return auth_verdict::again;
    case auth_retry::interact:
      break;
  }
  // The same wrong password over and over would only lock an account, so a
  // person is asked even when the password came from a file.
  forget_answers();
  password_.clear();
  has_password_ = false;
  return auth_verdict::again;
}

void credentials::handle_stop(const server_stop& x) {
  if (x.keep_credentials)
    return;
  token_.clear();
  token_user_.clear();
  challenge_.reset();
  forget_answers();
}

void credentials::handle_used() {
  // The state of a challenge is worth nothing to the server a second time;
  // with the real password it will send a fresh one.
  challenge_.reset();
  if (!cfg_.forget)
    return;
  response_.reset();
  if (cfg_.source == credential_source::prompt || cfg_.password.empty()) {
    password_.clear();
    has_password_ = false;
  }
}

// -- polls --

std::optional<question> credentials::poll_question() const {
  question result;
  if (challenge_) {
    if (challenge_->response)
      return std::nullopt;
    result.what = question::kind::dynamic_challenge;
    result.username = username();
    result.needs_password = false;
    result.text = challenge_->text;
    result.echo = challenge_->echo;
    result.needs_response = challenge_->needs_response;
    return result;
  }
  if (cfg_.source == credential_source::none || !token_.empty())
    return std::nullopt;
  if (has_password_ && !needs_static_response())
    return std::nullopt;
  result.what = question::kind::credentials;
  result.username = username_;
  result.needs_password = !has_password_;
  if (needs_static_response()) {
    result.text = cfg_.static_challenge;
    result.echo = cfg_.static_challenge_echo;
  }
  result.needs_response = !result.text.empty();
  return result;
}

// -- observers --

const std::string& credentials::username() const noexcept {
  if (challenge_)
    return challenge_->username;
  return token_.empty() || token_user_.empty() ? username_ : token_user_;
}

secret credentials::password() const {
  if (challenge_ && challenge_->response) {
    const auto& said = *challenge_->response;
    secret_writer out{dynamic_prefix.size() + challenge_->state.size() + 2
                      + said.size()};
    return out.add(dynamic_prefix)
      .add(challenge_->state)
      .add("::")
      .add(said.view())
      .take();
  }
  if (!token_.empty())
    return token_;
  if (cfg_.static_challenge.empty() || !response_)
    return password_;
  if (cfg_.static_challenge_concat) {
    secret_writer out{password_.size() + response_->size()};
    return out.add(password_.view()).add(response_->view()).take();
  }
  secret_writer out{static_prefix.size()
                    + secret_writer::base64_size(password_.size())
                    + secret_writer::base64_size(response_->size()) + 3};
  return out.add(static_prefix)
    .add_base64(password_.view())
    .add(":")
    .add_base64(response_->view())
    .take();
}

// -- small things --

bool credentials::needs_static_response() const noexcept {
  return !cfg_.static_challenge.empty() && !response_;
}

/// "CRV1:<flags>:<state>:<user in base64>:<text>"; only the text may hold
/// colons. Anything else is an ordinary refusal.
std::optional<credentials::challenge>
credentials::parse_challenge(std::string_view reason) {
  auto next = [&reason]() -> std::optional<std::string_view> {
    auto end = reason.find(':');
    if (end == std::string_view::npos)
      return std::nullopt;
    auto part = reason.substr(0, end);
    reason.remove_prefix(end + 1);
    return part;
  };
  if (next() != "CRV1")
    return std::nullopt;
  auto flags = next();
  auto state = next();
  auto user = next();
  if (!flags || !state || !user || state->empty() || state->size() > max_state
      || reason.size() > max_text)
    return std::nullopt;
  auto name = decode_name(*user);
  if (!name)
    return std::nullopt;
  challenge result;
  result.state = *state;
  result.username = std::move(*name);
  result.text = reason;
  result.echo = has_flag(*flags, "E");
  result.needs_response = has_flag(*flags, "R");
  return result;
}

/// Forgets what a person typed; what the profile gives stays.
void credentials::forget_answers() {
  username_ = cfg_.username;
  response_.reset();
  if (cfg_.source == credential_source::prompt || cfg_.password.empty()) {
    password_.clear();
    has_password_ = false;
  }
}

std::string write_challenge_response(const secret& response) {
  constexpr std::string_view head = "CR_RESPONSE,";
  secret_writer out{head.size() + secret_writer::base64_size(response.size())
                    + 1};
  return std::string{out.add(head).add_base64(response.view()).take().text()};
}

} // namespace vpn::protocol
