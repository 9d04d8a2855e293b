// One function per option about keys, certificates, ciphers and passwords. No
// message repeats what a file holds.
// spec: openvpn-wire 5.1, 8, 14
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

/// User names and passwords longer than this fit into no record.
constexpr size_t max_credential = 1024;

// -- keys and certificates --

bool has_pem(std::string_view text, std::string_view what) {
  constexpr std::string_view begin = "-----BEGIN ";
  for (auto i = text.find(begin); i != std::string_view::npos;
       i = text.find(begin, i + 1)) {
    auto label = text.substr(i + begin.size());
    label = label.substr(0, label.find("-----"));
    if (label.size() < 64 && label.find(what) != std::string_view::npos)
      return true;
  }
  return false;
}

/// Loads text with a PEM part of a kind; empty when there is a problem, and
/// then `result` says so, or when the block follows later.
secret load_pem(builder& b, const use& x, std::string_view what,
                outcome& result) {
  auto text = b.load(x, result);
  if (!text)
    return {};
  if (has_pem(text->text(), what))
    return std::move(*text);
  auto where = x.is_inline ? std::string{"the block"} : quoted(x.words[1]);
  result.error = where + " holds no PEM of a "
                 + (what == "PRIVATE KEY" ? "private key" : "certificate");
  return {};
}

template <auto Member>
outcome set_certificate(builder& b, const use& x) {
  outcome result;
  if (auto pem = load_pem(b, x, "CERTIFICATE", result); !pem.empty())
    b.result.tls.*Member = std::string{pem.text()};
  return result;
}

outcome set_key(builder& b, const use& x) {
  outcome result;
  if (auto pem = load_pem(b, x, "PRIVATE KEY", result); !pem.empty())
    b.result.tls.key = std::move(pem);
  return result;
}

std::string_view take_line(std::string_view& text) {
  auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  while (!line.empty() && line.back() == '\r')
    line.remove_suffix(1);
  return line;
}

outcome set_askpass(builder& b, const use& x) {
  if (x.count() == 0)
    return bad("asking for the pass phrase is not supported yet; name a file "
               "that holds it, or use a key without one");
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  auto rest = text->text();
  auto phrase = take_line(rest);
  if (phrase.empty() || phrase.size() > max_credential)
    return bad("the first line of the file is empty or too long");
  b.result.tls.key_passphrase = secret{phrase};
  return {};
}

std::optional<key_direction> read_direction(const std::string& word) {
  if (word == "0")
    return key_direction::normal;
  if (word == "1")
    return key_direction::inverse;
  return std::nullopt;
}

outcome set_key_direction(builder& b, const use& x) {
  auto direction = read_direction(x.words[1]);
  if (!direction)
    return bad(quoted(x.words[1]) + " is neither 0 nor 1");
  b.direction = direction;
  return {};
}

outcome load_static_key(builder& b, const use& x, key_block& key, bool& has) {
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  auto parsed = parse_static_key(text->text());
  if (!parsed)
    return bad((x.is_inline ? std::string{"the block"} : quoted(x.words[1]))
               + " holds no OpenVPN static key");
  key = *parsed;
  has = true;
  return {};
}

outcome set_tls_auth(builder& b, const use& x) {
  if (x.count() > 1)
    if (auto result = set_key_direction(b, {{x.words[0], x.words[2]}, {}, {}});
        !result.error.empty())
      return result;
  return load_static_key(b, x, b.tls_auth_key, b.has_tls_auth);
}

outcome set_tls_crypt(builder& b, const use& x) {
  return load_static_key(b, x, b.tls_crypt_key, b.has_tls_crypt);
}

// -- credentials --

outcome set_auth_user_pass(builder& b, const use& x) {
  if (x.count() == 0) {
    b.result.credentials = credential_source::prompt;
    b.result.username.clear();
    b.result.password.clear();
    return {};
  }
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  auto rest = text->text();
  auto name = take_line(rest);
  auto password = take_line(rest);
  if (name.empty())
    return bad("the first line must be the user name, the second the password");
  if (name.size() > max_credential || password.size() > max_credential
      || !is_printable(name) || !is_printable(password))
    return bad("the user name or the password is too long or has control "
               "characters");
  b.result.credentials = credential_source::given;
  b.result.username = std::string{name};
  b.result.password = secret{password};
  return {};
}

// -- ciphers and digests --

struct evp_deleter {
  void operator()(EVP_CIPHER* x) const { EVP_CIPHER_free(x); }
  void operator()(EVP_MD* x) const { EVP_MD_free(x); }
};

std::string to_upper(std::string text) {
  for (auto& c : text)
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// True for names that OpenVPN takes but this data channel does not.
bool is_other_cipher(const std::string& upper) {
  static constexpr std::string_view legacy[]
    = {"NONE",        "BF-CBC",  "CAST5-CBC", "DES-CBC",
       "DES-EDE-CBC", "RC2-CBC", "RC5-CBC",   "SEED-CBC"};
  if (std::find(std::begin(legacy), std::end(legacy), upper)
      != std::end(legacy))
    return true;
  std::unique_ptr<EVP_CIPHER, evp_deleter> cipher{
    EVP_CIPHER_fetch(nullptr, upper.c_str(), nullptr)};
  return cipher != nullptr;
}

outcome unknown_cipher(const std::string& name) {
  return bad("the cipher " + quoted(name) + " is unknown");
}

outcome set_data_ciphers(builder& b, const use& x) {
  std::vector<data_cipher> ciphers;
  auto append = [&](data_cipher cipher) {
    if (std::find(ciphers.begin(), ciphers.end(), cipher) == ciphers.end())
      ciphers.push_back(cipher);
  };
  std::string left_out;
  std::string_view rest = x.words[1];
  for (auto more = true; more;) {
    auto end = rest.find(':');
    std::string name{rest.substr(0, end)};
    more = end != std::string_view::npos;
    rest.remove_prefix(more ? end + 1 : rest.size());
    auto optional = !name.empty() && name.front() == '?';
    auto upper = to_upper(optional ? name.substr(1) : name);
    if (auto cipher = parse_data_cipher(upper)) {
      append(*cipher);
    } else if (upper == "DEFAULT") {
      append(data_cipher::aes_256_gcm);
      append(data_cipher::aes_128_gcm);
      append(data_cipher::chacha20_poly1305);
    } else if (!optional) {
      if (!is_other_cipher(upper))
        return unknown_cipher(name);
      left_out += (left_out.empty() ? "" : ", ") + upper;
    }
  }
  if (ciphers.empty())
    return bad("it names no cipher this program has: AES-256-GCM, "
               "AES-192-GCM, AES-128-GCM, CHACHA20-POLY1305");
  b.ciphers = std::move(ciphers);
  if (left_out.empty())
    return {};
  return no_effect("these ciphers are not supported and left out: " + left_out);
}

outcome set_data_ciphers_fallback(builder& b, const use& x) {
  auto upper = to_upper(x.words[1]);
  if (auto cipher = parse_data_cipher(upper)) {
    b.result.pull.fallback = cipher;
    return {};
  }
  if (!is_other_cipher(upper))
    return unknown_cipher(x.words[1]);
  return no_effect("the cipher " + upper
                   + " is not supported; servers that cannot negotiate are "
                     "out of reach");
}

outcome set_cipher(builder& b, const use& x) {
  auto upper = to_upper(x.words[1]);
  b.old_cipher = parse_data_cipher(upper);
  if (b.old_cipher)
    return no_effect("it counts only with servers that cannot negotiate; see "
                     "`data-ciphers`");
  if (!is_other_cipher(upper))
    return unknown_cipher(x.words[1]);
  return no_effect("the cipher " + upper
                   + " is not supported; one of `data-ciphers` is negotiated");
}

outcome set_auth(builder& b, const use& x) {
  auto upper = to_upper(x.words[1]);
  if (upper == "NONE") {
    b.result.auth = "none";
    return {};
  }
  std::unique_ptr<EVP_MD, evp_deleter> digest{
    EVP_MD_fetch(nullptr, x.words[1].c_str(), nullptr)};
  if (digest == nullptr || EVP_MD_get_size(digest.get()) <= 0
      || x.words[1].size() > 64)
    return bad("the digest " + quoted(x.words[1]) + " is unknown");
  b.result.auth = x.words[1];
  return {};
}

/// OpenVPN's lists have the standard's names with hyphens, OpenSSL's own names
/// and OpenSSL's keywords.
outcome set_tls_cipher(builder& b, const use& x) {
  std::string list;
  std::string_view rest = x.words[1];
  while (!rest.empty()) {
    std::string name{rest.substr(0, rest.find(':'))};
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (name.compare(0, 4, "TLS-") == 0) {
      auto standard = name;
      std::replace(standard.begin(), standard.end(), '-', '_');
      name = OPENSSL_cipher_name(standard.c_str());
      if (name == "(NONE)")
        return bad("the cipher suite " + quoted(standard) + " is unknown");
    }
    list += (list.empty() ? "" : ":") + name;
  }
  if (list.empty() || !is_printable(list))
    return bad("it is not a list of cipher suites");
  b.result.tls.ciphers = list;
  return {};
}

outcome set_tls_ciphersuites(builder& b, const use& x) {
  auto list = x.words[1];
  std::replace(list.begin(), list.end(), '-', '_');
  if (list.empty() || !is_printable(list))
    return bad("it is not a list of cipher suites");
  b.result.tls.ciphersuites = list;
  return {};
}

constexpr int tls_1_2 = 0x0303;
constexpr int tls_1_3 = 0x0304;

/// Zero for a version that is none.
int read_version(const std::string& word) {
  if (word == "1.0")
    return 0x0301;
  if (word == "1.1")
    return 0x0302;
  if (word == "1.2")
    return tls_1_2;
  return word == "1.3" ? tls_1_3 : 0;
}

outcome set_version_min(builder& b, const use& x) {
  if (x.count() > 1 && x.words[2] != "or-highest")
    return bad(quoted(x.words[2]) + " is not known here");
  auto version = read_version(x.words[1]);
  if (version == 0)
    return bad(quoted(x.words[1]) + " is not a version of TLS");
  b.result.tls.min_version = std::max(version, tls_1_2);
  if (version < tls_1_2)
    return no_effect("versions before TLS 1.2 are never used");
  return {};
}

outcome set_version_max(builder& b, const use& x) {
  auto version = read_version(x.words[1]);
  if (version == 0)
    return bad(quoted(x.words[1]) + " is not a version of TLS");
  b.result.tls.max_version = version;
  return {};
}

// -- whom to trust --

outcome set_remote_cert_tls(builder& b, const use& x) {
  if (x.words[1] == "server")
    b.result.tls.usage = peer_usage::server;
  else if (x.words[1] == "client")
    b.result.tls.usage = peer_usage::client;
  else
    return bad(quoted(x.words[1]) + " is neither server nor client");
  return {};
}

outcome set_verify_x509_name(builder& b, const use& x) {
  auto check = name_check::subject;
  if (x.count() > 1) {
    if (x.words[2] == "name")
      check = name_check::name;
    else if (x.words[2] == "name-prefix")
      check = name_check::name_prefix;
    else if (x.words[2] != "subject")
      return bad(quoted(x.words[2])
                 + " is neither subject nor name nor name-prefix");
  }
  if (x.words[1].empty())
    return bad("an empty name would fit everybody");
  b.result.tls.check = check;
  b.result.tls.expected_name = x.words[1];
  return {};
}

constexpr profile_option options[] = {
  {"askpass", set_askpass},
  {"auth", set_auth},
  {"auth-user-pass", set_auth_user_pass},
  {"ca", set_certificate<&tls_config::ca>},
  {"cert", set_certificate<&tls_config::cert>},
  {"cipher", set_cipher},
  {"data-ciphers", set_data_ciphers},
  {"data-ciphers-fallback", set_data_ciphers_fallback},
  {"extra-certs", set_certificate<&tls_config::extra_certs>},
  {"key", set_key},
  {"key-direction", set_key_direction},
  {"ncp-ciphers", set_data_ciphers},
  {"remote-cert-tls", set_remote_cert_tls},
  {"tls-auth", set_tls_auth},
  {"tls-cipher", set_tls_cipher},
  {"tls-ciphersuites", set_tls_ciphersuites},
  {"tls-crypt", set_tls_crypt},
  {"tls-version-max", set_version_max},
  {"tls-version-min", set_version_min},
  {"verify-x509-name", set_verify_x509_name},
};

} // namespace

profile_option_range tls_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
