// How an HTTP proxy asks who we are, and how we tell it: Basic and Digest.
// spec: openvpn-wire 1.3; RFC 7235, RFC 7616, RFC 7617
#include "vpn/protocol/http_auth.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace vpn::protocol {

namespace {

constexpr size_t max_challenges = 16;
constexpr size_t max_parameters = 32;

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string to_lower(std::string_view text) {
  std::string result;
  for (auto c : text)
    result += to_lower(c);
  return result;
}

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
         || (c >= 'a' && c <= 'z');
}

bool is_token_char(char c) {
  return is_alphanumeric(c)
         || std::string_view{"!#$%&'*+-.^_`|~"}.find(c)
              != std::string_view::npos;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
  });
}

/// Walks through the value of a header.
class cursor {
public:
  explicit cursor(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front()))
      rest_.remove_prefix(1);
  }

  void skip_commas() {
    while (!rest_.empty() && (is_blank(rest_.front()) || rest_.front() == ','))
      rest_.remove_prefix(1);
  }

  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c)
      return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view token() {
    size_t n = 0;
    while (n < rest_.size() && is_token_char(rest_[n]))
      ++n;
    auto result = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return result;
  }

  /// The data of schemes that have no parameters: "TlRMTVNT==".
  void skip_token68() {
    size_t n = 0;
    while (n < rest_.size()
           && (is_alphanumeric(rest_[n])
               || std::string_view{"-._~+/"}.find(rest_[n])
                    != std::string_view::npos))
      ++n;
    while (n > 0 && n < rest_.size() && rest_[n] == '=')
      ++n;
    auto after = rest_.substr(n);
    while (!after.empty() && is_blank(after.front()))
      after.remove_prefix(1);
    // Otherwise it was the name of a parameter.
    if (after.empty() || after.front() == ',')
      rest_ = after;
  }

  /// A token or a quoted string, without its quotes.
  std::optional<std::string> value() {
    if (!skip('"')) {
      auto result = token();
      if (result.empty())
        return std::nullopt;
      return std::string{result};
    }
    std::string result;
    while (!rest_.empty()) {
      auto c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"')
        return result;
      if (c == '\\') {
        if (rest_.empty())
          break;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      result += c;
    }
    return std::nullopt;
  }

private:
  std::string_view rest_;
};

/// One parameter of a challenge. False, and nothing read, when something else
/// stands there.
bool read_parameter(cursor& in, http_challenge& to, bool& broken) {
  auto look = in;
  auto name = look.token();
  look.skip_blanks();
  if (name.empty() || !look.skip('='))
    return false;
  look.skip_blanks();
  auto value = look.value();
  broken = !value || to.parameters.size() >= max_parameters;
  if (!broken)
    to.parameters.emplace_back(to_lower(name), std::move(*value));
  in = look;
  return true;
}

// -- digest --

using digest_kind = std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)>;
using digest_state = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

struct algorithm {
  const char* name;
  const char* openssl_name;
  bool session;
};

constexpr algorithm algorithms[] = {
  {"md5", "MD5", false},
  {"md5-sess", "MD5", true},
  {"sha-256", "SHA256", false},
  {"sha-256-sess", "SHA256", true},
  {"sha-512-256", "SHA512-256", false},
  {"sha-512-256-sess", "SHA512-256", true},
};

/// Null when we do not know it.
const algorithm* algorithm_of(const http_challenge& x) {
  auto name = x.find("algorithm");
  if (name == nullptr)
    return &algorithms[0];
  for (auto& known : algorithms)
    if (to_lower(*name) == known.name)
      return &known;
  return nullptr;
}

/// True when `qop` lists plain authentication.
bool offers_auth(std::string_view list) {
  cursor in{list};
  while (!in.at_end()) {
    in.skip_commas();
    auto token = in.token();
    if (to_lower(token) == "auth")
      return true;
    if (token.empty())
      return false;
  }
  return false;
}

byte_view view(std::string_view text) {
  return byte_view{text};
}

/// Hex digest of the parts with colons between them; empty when the library
/// has no such digest.
secret hash(const EVP_MD* kind, std::initializer_list<byte_view> parts) {
  digest_state state{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  std::array<uint8_t, EVP_MAX_MD_SIZE> raw;
  unsigned size = 0;
  auto ok = state && EVP_DigestInit_ex2(state.get(), kind, nullptr) == 1;
  auto first = true;
  for (auto& x : parts) {
    ok = ok && (first || EVP_DigestUpdate(state.get(), ":", 1) == 1)
         && (x.empty()
             || EVP_DigestUpdate(state.get(), x.data(), x.size()) == 1);
    first = false;
  }
  if (!ok || EVP_DigestFinal_ex(state.get(), raw.data(), &size) != 1)
    return {};
  std::array<uint8_t, 2 * EVP_MAX_MD_SIZE> text;
  constexpr char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; ++i) {
    text[2 * i] = static_cast<uint8_t>(digits[raw[i] >> 4]);
    text[2 * i + 1] = static_cast<uint8_t>(digits[raw[i] & 15]);
  }
  secret result{byte_view{text.data(), 2 * size_t{size}}};
  wipe(raw.data(), raw.size());
  wipe(text.data(), text.size());
  return result;
}

/// `name="text"` with what must be escaped escaped.
std::string quoted_parameter(std::string_view name, std::string_view text) {
  auto result = std::string{name} + "=\"";
  for (auto c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + "\"";
}

} // namespace

secret concatenate(std::initializer_list<byte_view> parts) {
  size_t size = 0;
  for (auto& x : parts)
    size += x.size();
  bytes all;
  // A vector that grows leaves copies behind.
  all.reserve(size);
  for (auto& x : parts)
    all.insert(all.end(), x.begin(), x.end());
  secret result{all};
  wipe(all.data(), all.size());
  return result;
}

// -- challenges --

const std::string* http_challenge::find(std::string_view name) const {
  for (auto& [key, value] : parameters)
    if (key == name)
      return &value;
  return nullptr;
}

bool http_challenge::is(std::string_view name, std::string_view value) const {
  auto found = find(name);
  return found != nullptr && to_lower(*found) == to_lower(value);
}

std::vector<http_challenge> parse_challenges(std::string_view header) {
  std::vector<http_challenge> result;
  cursor in{header};
  for (in.skip_commas(); !in.at_end(); in.skip_commas()) {
    // A comma stands between parameters as well as between challenges.
    auto broken = false;
    if (!result.empty() && read_parameter(in, result.back(), broken)) {
      if (broken) {
        result.pop_back();
        break;
      }
      continue;
    }
    auto scheme = in.token();
    if (scheme.empty() || result.size() >= max_challenges)
      break;
    result.push_back({to_lower(scheme), {}});
    in.skip_blanks();
    in.skip_token68();
  }
  return result;
}

// -- answers --

secret basic_authorization(std::string_view user, byte_view password) {
  auto plain = concatenate({view(user), view(":"), password});
  // The encoder ends its text with a NUL.
  bytes text(4 * ((plain.size() + 2) / 3) + 1);
  auto n = EVP_EncodeBlock(text.data(), plain.view().data(),
                           static_cast<int>(plain.size()));
  auto result = concatenate(
    {view("Basic "), byte_view{text}.first(static_cast<size_t>(n))});
  wipe(text.data(), text.size());
  return result;
}

bool can_answer(const http_challenge& x) {
  auto realm = x.find("realm");
  auto nonce = x.find("nonce");
  if (x.scheme != "digest" || realm == nullptr || nonce == nullptr
      || nonce->empty() || algorithm_of(x) == nullptr)
    return false;
  // What we say again must not break the line it stands in.
  auto opaque = x.find("opaque");
  if (has_control_character(*realm) || has_control_character(*nonce)
      || (opaque != nullptr && has_control_character(*opaque)))
    return false;
  auto qop = x.find("qop");
  return qop == nullptr || offers_auth(*qop);
}

expected<secret> digest_authorization(const http_challenge& x,
                                      const digest_input& input) {
  if (!can_answer(x) || has_control_character(input.user)
      || has_control_character(input.uri)
      || has_control_character(input.client_nonce))
    return errc::bad_value;
  auto& how = *algorithm_of(x);
  digest_kind kind{EVP_MD_fetch(nullptr, how.openssl_name, nullptr),
                   &EVP_MD_free};
  if (!kind)
    return errc::bad_value;
  auto& realm = *x.find("realm");
  auto& nonce = *x.find("nonce");
  auto with_qop = x.find("qop") != nullptr;
  auto who = hash(kind.get(), {view(input.user), view(realm), input.password});
  if (how.session)
    who = hash(kind.get(), {who.view(), view(nonce), view(input.client_nonce)});
  auto what = hash(kind.get(), {view(input.method), view(input.uri)});
  std::array<uint8_t, 4> raw_count;
  store_u32(raw_count.data(), input.count);
  auto count = to_hex({raw_count.data(), raw_count.size()});
  auto response = with_qop
                    ? hash(kind.get(), {who.view(), view(nonce), view(count),
                                        view(input.client_nonce), view("auth"),
                                        what.view()})
                    : hash(kind.get(), {who.view(), view(nonce), what.view()});
  if (who.empty() || what.empty() || response.empty())
    return errc::bad_value;
  auto head = "Digest " + quoted_parameter("username", input.user) + ", "
              + quoted_parameter("realm", realm) + ", "
              + quoted_parameter("nonce", nonce) + ", "
              + quoted_parameter("uri", input.uri) + ", response=\"";
  std::string tail = "\"";
  if (auto name = x.find("algorithm"); name != nullptr)
    tail += ", algorithm=" + *name;
  if (auto opaque = x.find("opaque"); opaque != nullptr)
    tail += ", " + quoted_parameter("opaque", *opaque);
  if (with_qop)
    tail += ", qop=auth, nc=" + count;
  // Sessions need it even where no quality of protection is asked for.
  if (with_qop || how.session)
    tail += ", " + quoted_parameter("cnonce", input.client_nonce);
  return concatenate({view(head), response.view(), view(tail)});
}

} // namespace vpn::protocol
