// The dialogue with an HTTP proxy: CONNECT, with authentication when it asks.
// spec: openvpn-wire 1.3
#include "vpn/protocol/http_proxy.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

constexpr unsigned status_ok = 200, status_wants_proof = 407;
constexpr std::string_view answer_begin = "HTTP/";
/// Challenges of all headers of an answer.
constexpr size_t max_challenges = 16;
/// A proxy may call the nonce of its first challenge stale once.
constexpr unsigned max_stale = 1;
constexpr size_t client_nonce_bytes = 16;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_control);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~'
           && std::string_view{"()<>@,;:\\\"/[]?={}"}.find(c)
                == std::string_view::npos;
  });
}

/// Part of the first line: nothing that ends it or adds a word to it.
bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~';
  });
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool same_name(std::string_view x, std::string_view y) {
  auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return x.size() == y.size()
         && std::equal(x.begin(), x.end(), y.begin(), [&](char a, char b) {
              return lower(a) == lower(b);
            });
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// Custom headers come as name and value, or as one line.
std::pair<std::string_view, std::string_view>
split(const std::pair<std::string, std::string>& header) {
  auto colon = header.first.find(':');
  if (!header.second.empty() || colon == std::string::npos)
    return {header.first, header.second};
  auto line = std::string_view{header.first};
  return {line.substr(0, colon), without_blanks(line.substr(colon + 1))};
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

} // namespace

http_proxy::http_proxy(proxy_config cfg, std::string host, std::string port,
                       random_source random)
  : proxy_handshake("HTTP proxy", cfg.host, cfg.port),
    cfg_(std::move(cfg)),
    host_(in_brackets(host)),
    target_(host_ + ":" + port),
    random_(std::move(random)) {
  // The stock client shows a Basic password without being asked for it.
  if (cfg_.auth == proxy_auth::basic && !cfg_.username.empty())
    answer_ = answer::basic;
}

// -- asking --

std::string http_proxy::what_is_unfit() const {
  // Whatever could end a line early would let a profile, or who wrote the file
  // with the credentials, add headers or requests of its own.
  if (host_.empty() || !is_word(target_) || target_.size() > 300)
    return "the server's name '" + shown(target_) + "' is none";
  if (!std::all_of(cfg_.http_version.begin(), cfg_.http_version.end(),
                   [](char c) {
                     return is_digit(c) || c == '.';
                   })
      || cfg_.http_version.empty())
    return "'" + shown(cfg_.http_version) + "' is no version of HTTP";
  if (has_control_character(cfg_.user_agent))
    return "the user agent has a control character";
  if (has_control_character(cfg_.username))
    return "the user name has a control character";
  for (auto& header : cfg_.headers) {
    auto [name, value] = split(header);
    if (!is_token(name) || has_control_character(value))
      return "'" + shown(name) + "' cannot be sent as a header";
  }
  return {};
}

void http_proxy::begin() {
  if (auto text = what_is_unfit(); !text.empty()) {
    fail("cannot be asked: " + text, reason::bad_config);
    return;
  }
  step_ = proxy_step::talking;
  line_.clear();
  status_ = 0;
  headers_ = 0;
  challenges_.clear();
  auto head = "CONNECT " + target_ + " HTTP/" + cfg_.http_version + "\r\n";
  auto has_host = false;
  for (auto& header : cfg_.headers) {
    auto [name, value] = split(header);
    has_host = has_host || same_name(name, "host");
    head += std::string{name} + ": " + std::string{value} + "\r\n";
  }
  if (!has_host)
    head += "Host: " + host_ + "\r\n";
  if (!cfg_.user_agent.empty())
    head += "User-Agent: " + cfg_.user_agent + "\r\n";
  secret proof;
  if (answer_ == answer::basic)
    proof = basic_authorization(cfg_.username, cfg_.password.view());
  else if (answer_ == answer::digest)
    proof = digest_answer();
  if (step_ == proxy_step::failed)
    return;
  auto text = [](std::string_view x) {
    return byte_view{x};
  };
  if (proof.empty())
    output_ = concatenate({text(head), text("\r\n")});
  else
    output_ = concatenate({text(head), text("Proxy-Authorization: "),
                           proof.view(), text("\r\n\r\n")});
}

secret http_proxy::digest_answer() {
  bytes raw(client_nonce_bytes);
  random_(raw.data(), raw.size());
  auto client_nonce = to_hex(raw);
  digest_input input;
  input.method = "CONNECT";
  input.uri = target_;
  input.user = cfg_.username;
  input.password = cfg_.password.view();
  input.client_nonce = client_nonce;
  auto result = digest_authorization(digest_, input);
  if (result)
    return std::move(*result);
  fail("asks for a digest that cannot be computed here");
  return {};
}

// -- answers --

size_t http_proxy::receive(byte_view xs) {
  size_t taken = 0;
  while (taken < xs.size() && step_ == proxy_step::talking) {
    auto c = static_cast<char>(xs[taken++]);
    if (c == '\n') {
      if (!line_.empty() && line_.back() == '\r')
        line_.pop_back();
      handle_line();
      line_.clear();
      continue;
    }
    if (line_.size() > max_line) {
      fail("answered with a line that is too long");
      break;
    }
    line_ += c;
    // Whatever speaks something else may never end a line.
    if (status_ == 0 && line_.size() <= answer_begin.size()
        && answer_begin.substr(0, line_.size()) != line_)
      fail("answered with something else than HTTP");
  }
  return taken;
}

void http_proxy::handle_line() {
  if (line_.size() > max_line) {
    fail("answered with a line that is too long");
  } else if (std::any_of(line_.begin(), line_.end(), [](char c) {
               return is_control(c) && c != '\t';
             })) {
    fail("answered with a control character");
  } else if (status_ == 0) {
    handle_status_line();
  } else if (line_.empty()) {
    handle_end_of_headers();
  } else if (++headers_ > max_headers) {
    fail("answered with too many headers");
  } else {
    handle_header();
  }
}

void http_proxy::handle_status_line() {
  // "HTTP/1.1 407 Proxy Authentication Required"
  std::string_view rest{line_};
  auto skip_digits = [&] {
    size_t n = 0;
    while (n < rest.size() && is_digit(rest[n]))
      ++n;
    rest.remove_prefix(n);
    return n;
  };
  auto skip_char = [&](char c) {
    auto found = !rest.empty() && rest.front() == c;
    if (found)
      rest.remove_prefix(1);
    return found;
  };
  auto well_formed = rest.substr(0, answer_begin.size()) == answer_begin;
  rest.remove_prefix(well_formed ? answer_begin.size() : 0);
  well_formed = well_formed && skip_digits() > 0 && skip_char('.')
                && skip_digits() > 0 && skip_char(' ');
  rest = without_blanks(rest);
  auto words = rest;
  if (!well_formed || skip_digits() != 3
      || (!rest.empty() && rest.front() != ' ')) {
    fail("answered with something else than HTTP");
    return;
  }
  status_ = static_cast<unsigned>((words[0] - '0') * 100 + (words[1] - '0') * 10
                                  + (words[2] - '0'));
  if (status_ != status_ok && status_ != status_wants_proof)
    fail("refused: " + shown(words));
  // "000" would look as if the line had not come; it is refused above.
}

void http_proxy::handle_header() {
  constexpr std::string_view wanted = "proxy-authenticate";
  auto colon = line_.find(':');
  if (status_ != status_wants_proof || colon == std::string::npos
      || !same_name(std::string_view{line_}.substr(0, colon), wanted))
    return;
  for (auto& x : parse_challenges(
         without_blanks(std::string_view{line_}.substr(colon + 1))))
    if (challenges_.size() < max_challenges)
      challenges_.push_back(std::move(x));
}

void http_proxy::handle_end_of_headers() {
  if (status_ == status_ok)
    step_ = proxy_step::open;
  else
    authenticate();
}

// -- authentication --

bool http_proxy::offers(std::string_view scheme) const {
  return std::any_of(challenges_.begin(), challenges_.end(), [&](auto& x) {
    return x.scheme == scheme;
  });
}

std::string http_proxy::offered() const {
  std::string result;
  for (auto& x : challenges_)
    result += (result.empty() ? "" : ", ") + shown(x.scheme);
  return result;
}

void http_proxy::authenticate() {
  if (cfg_.auth == proxy_auth::none || cfg_.username.empty()) {
    fail("wants a user name and password: name a file that holds them after "
         "the port of http-proxy");
    return;
  }
  if (answer_ == answer::none) {
    choose_answer();
    return;
  }
  if (answer_ == answer::digest && stale_ < max_stale) {
    // The password was right, the nonce was too old.
    for (auto& x : challenges_)
      if (x.is("stale", "true") && can_answer(x)) {
        ++stale_;
        digest_ = x;
        step_ = proxy_step::reconnect;
        return;
      }
  }
  if (answer_ == answer::basic && !challenges_.empty() && !offers("basic"))
    fail("does not take the password as basic, it asks for " + offered());
  else
    fail("refused the user name and password");
}

void http_proxy::choose_answer() {
  auto digest
    = std::find_if(challenges_.begin(), challenges_.end(), can_answer);
  auto basic = offers("basic");
  // Digest shows less of the password, so it goes first.
  if (digest != challenges_.end()) {
    answer_ = answer::digest;
    digest_ = *digest;
    step_ = proxy_step::reconnect;
    return;
  }
  if (basic && cfg_.auth == proxy_auth::automatic) {
    answer_ = answer::basic;
    step_ = proxy_step::reconnect;
    return;
  }
  if (basic)
    fail("wants the password in clear (basic), which the profile forbids");
  else if (offers("ntlm") || offers("negotiate"))
    fail("asks for " + offered()
         + ": NTLM and Negotiate are not supported; let it take basic or "
           "digest");
  else if (challenges_.empty())
    fail("wants a user name and password, but does not say how");
  else
    fail("asks for " + offered() + " in a way that is not supported");
}

} // namespace vpn::protocol
