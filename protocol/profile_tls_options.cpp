// One function per option about keys and certificates of our own, and about
// the TLS that uses them. No message repeats what a file holds.
// spec: openvpn-wire 2.4, 2.8, 5.1
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "key_text.hpp"
#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const {
    Free(x);
  }
};

std::string where(const use& x) {
  return x.is_inline ? std::string{"the block"} : quoted(x.words[1]);
}

// -- certificates and private keys --

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
  result.error = where(x) + " holds no PEM of a "
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

/// Bytes of a file, or base64 of a block.
outcome set_pkcs12(builder& b, const use& x) {
  outcome result;
  auto content = b.load(x, result);
  if (!content)
    return result;
  if (x.is_inline) {
    auto decoded = key_text::decode_base64(content->text());
    if (!decoded)
      return bad("the block is not base64");
    content = std::move(*decoded);
  }
  auto view = content->view();
  auto begin = view.data();
  std::unique_ptr<PKCS12, freed_by<PKCS12_free>> parsed{
    d2i_PKCS12(nullptr, &begin, static_cast<long>(view.size()))};
  if (parsed == nullptr)
    return bad(where(x) + " holds no PKCS #12");
  b.result.tls.pkcs12 = std::move(*content);
  return {};
}

outcome set_askpass(builder& b, const use& x) {
  b.result.asks_passphrase = x.count() == 0 || x.words[1] == "stdin";
  b.result.tls.key_passphrase = {};
  if (b.result.asks_passphrase)
    return {};
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

// -- keys of the control channel --

wrap_draft& wrap_of(builder& b) {
  return b.connection().wrap;
}

outcome read_direction(builder& b, const std::string& word) {
  if (word != "0" && word != "1")
    return bad(quoted(word) + " is neither 0 nor 1");
  wrap_of(b).direction
    = word == "0" ? key_direction::normal : key_direction::inverse;
  return {};
}

outcome set_key_direction(builder& b, const use& x) {
  return read_direction(b, x.words[1]);
}

outcome load_static_key(builder& b, const use& x,
                        std::optional<key_block>& key) {
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  auto parsed = parse_static_key(text->text());
  if (!parsed)
    return bad(where(x) + " holds no OpenVPN static key");
  key = *parsed;
  return {};
}

outcome set_tls_auth(builder& b, const use& x) {
  if (x.count() > 1)
    if (auto result = read_direction(b, x.words[2]); !result.error.empty())
      return result;
  wrap_of(b).names_auth = true;
  return load_static_key(b, x, wrap_of(b).auth);
}

outcome set_tls_crypt(builder& b, const use& x) {
  wrap_of(b).names_crypt = true;
  auto result = load_static_key(b, x, wrap_of(b).crypt);
  if (x.count() > 1 && result.error.empty())
    return no_effect("its key has no direction, the second word is ignored");
  return result;
}

outcome set_tls_crypt_v2(builder& b, const use& x) {
  auto is_for_servers = x.count() > 1;
  if (is_for_servers && x.words[2] != "force-cookie"
      && x.words[2] != "allow-noncookie")
    return bad(quoted(x.words[2]) + " is not known here");
  wrap_of(b).names_crypt_v2 = true;
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  auto parsed = parse_crypt_v2_client_key(text->text());
  if (!parsed && parse_crypt_v2_server_key(text->text()))
    return bad(where(x)
               + " holds a server's tls-crypt-v2 key; a client has its own, "
                 "made from it");
  if (!parsed)
    return bad(where(x) + " holds no tls-crypt-v2 client key");
  wrap_of(b).crypt_v2 = std::move(*parsed);
  if (is_for_servers)
    return no_effect("the second word is for servers");
  return {};
}

// -- parameters of TLS --

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

bool is_known_group(SSL_CTX* ctx, const std::string& name) {
  return is_word(name, "-_")
         && SSL_CTX_set1_groups_list(ctx, name.c_str()) == 1;
}

outcome set_tls_groups(builder& b, const use& x) {
  std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>> ctx{
    SSL_CTX_new(TLS_client_method())};
  if (ctx == nullptr)
    return bad("the TLS library cannot say which groups it has");
  std::string list, left_out;
  std::string_view rest = x.words[1];
  while (!rest.empty()) {
    std::string name{rest.substr(0, rest.find(':'))};
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    auto& out = is_known_group(ctx.get(), name) ? list : left_out;
    out += (out.empty() ? "" : ":") + name;
  }
  if (list.empty())
    return bad("it names no group that the TLS library has, such as X25519 or "
               "P-256");
  b.result.tls.groups = list;
  if (left_out.empty())
    return {};
  return no_effect("these groups are unknown and left out: "
                   + quoted(left_out));
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
  // A version of the future.
  if (version == 0 && x.count() > 1)
    version = tls_1_3;
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

constexpr profile_option options[] = {
  {"askpass", set_askpass},
  {"ca", set_certificate<&tls_config::ca>},
  {"cert", set_certificate<&tls_config::cert>},
  {"extra-certs", set_certificate<&tls_config::extra_certs>},
  {"key", set_key},
  {"key-direction", set_key_direction},
  {"pkcs12", set_pkcs12},
  {"tls-auth", set_tls_auth},
  {"tls-cipher", set_tls_cipher},
  {"tls-ciphersuites", set_tls_ciphersuites},
  {"tls-crypt", set_tls_crypt},
  {"tls-crypt-v2", set_tls_crypt_v2},
  {"tls-groups", set_tls_groups},
  {"tls-version-max", set_version_max},
  {"tls-version-min", set_version_min},
};

} // namespace

profile_option_range tls_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
