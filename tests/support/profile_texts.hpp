// A client's profile as servers hand it out, with keys that are none, and ways
// to parse variations of it.
#pragma once

#include "vpn/protocol/profile.hpp"

#include <map>
#include <string>
#include <vector>

namespace vpn::test {

inline std::string static_key_text() {
  std::string result = "#\n# 2048 bit OpenVPN static key\n#\n"
                       "-----BEGIN OpenVPN Static key V1-----\n";
  for (int i = 0; i < 16; ++i)
    result += "6acef03f62675b4b1bbd03e53b187727\n";
  return result + "-----END OpenVPN Static key V1-----\n";
}

inline const char* certificate_text() {
  return "-----BEGIN CERTIFICATE-----\n"
         "MIIBszCCAVmgAwIBAgIUbm90LWEtY2VydGlmaWNhdGUwCgYIKoZIzj0EAwIwLzEt\n"
         "-----END CERTIFICATE-----\n";
}

inline const char* private_key_text() {
  return "-----BEGIN PRIVATE KEY-----\n"
         "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgc2VjcmV0c2VjcmV0\n"
         "-----END PRIVATE KEY-----\n";
}

/// A client's key of tls-crypt-v2: zeros, and a wrapped key of zeros that has
/// the right length.
inline std::string crypt_v2_key_text() {
  std::string result = "-----BEGIN OpenVPN tls-crypt-v2 client key-----\n";
  // 256 + 290 bytes, the last two of them 01 22, in base64.
  for (int i = 0; i < 18; ++i)
    result += std::string(40, 'A') + "\n";
  return result + "AAAAAAEi\n-----END OpenVPN tls-crypt-v2 client key-----\n";
}

inline const char* revocation_text() {
  return "-----BEGIN X509 CRL-----\n"
         "MIIBszCCAVmgAwIBAgIUbm90LWEtY2VydGlmaWNhdGUwCgYIKoZIzj0EAwIwLzEt\n"
         "-----END X509 CRL-----\n";
}

/// As `openssl x509 -fingerprint` prints it; `size` bytes that are all equal.
inline std::string fingerprint_text(size_t size, const std::string& byte) {
  auto result = byte;
  for (size_t i = 1; i < size; ++i)
    result += ":" + byte;
  return result;
}

inline std::string block(const std::string& tag, const std::string& text) {
  return "<" + tag + ">\n" + text + "</" + tag + ">\n";
}

/// The least that can be parsed without a warning; one line each, no blocks.
inline std::string minimal_profile() {
  return "client\n"
         "dev tun\n"
         "remote vpn.example 1194 udp\n"
         "remote-cert-tls server\n"
         "ca ca.pem\n"
         "cert client.pem\n"
         "key client.key\n";
}

/// The same without those lines that begin with `word`.
inline std::string minimal_profile_without(const std::string& word) {
  std::string result;
  auto text = minimal_profile();
  for (size_t i = 0; i < text.size();) {
    auto end = text.find('\n', i) + 1;
    if (text.compare(i, word.size() + 1, word + " ") != 0
        && text.compare(i, word.size() + 1, word + "\n") != 0)
      result += text.substr(i, end - i);
    i = end;
  }
  return result;
}

inline std::string realistic_profile() {
  return "# Tunnel of alice\n"
         "client\n"
         "dev tun\n"
         "proto udp\n"
         "remote vpn1.example.com 1194\n"
         "remote vpn2.example.com 443 tcp-client\n"
         "remote-random\n"
         "resolv-retry infinite\n"
         "nobind\n"
         "persist-key\n"
         "persist-tun\n"
         "remote-cert-tls server\n"
         "verify-x509-name \"vpn server\" name\n"
         "auth SHA256\n"
         "data-ciphers AES-256-GCM:AES-128-GCM:?XYZ:AES-256-CBC\n"
         "tls-version-min 1.2 or-highest\n"
         "auth-nocache\n"
         "setenv UV_TEAM \"blue green\"\n"
         "setenv opt block-outside-dns\n"
         "ignore-unknown-option brand-new\n"
         "brand-new 1 2 3\n"
         "route 192.168.7.0 255.255.255.0\n"
         "pull-filter ignore \"dhcp-option DNS\"\n"
         "verb 3\n"
         "key-direction 1\n"
         + block("auth-user-pass", "alice\nhunter2hunter2\n")
         + block("ca", certificate_text()) + block("cert", certificate_text())
         + block("key", private_key_text())
         + block("tls-auth", static_key_text());
}

/// Files in memory.
class fake_files {
public:
  fake_files()
    : files_{{"ca.pem", certificate_text()},
             {"client.pem", certificate_text()},
             {"client.key", private_key_text()},
             {"ta.key", static_key_text()},
             {"v2.key", crypt_v2_key_text()},
             {"crl.pem", revocation_text()},
             {"login", "alice\nhunter2hunter2\n"},
             {"name", "alice\n"},
             {"nothing", ""},
             {"phrase", "hunter2hunter2\r\n"},
             {"minimal.ovpn", minimal_profile()}} {}

  std::string& operator[](const std::string& name) { return files_[name]; }

  vpn::protocol::file_reader reader() const {
    return [this](const std::string& path,
                  std::string& error) -> std::optional<std::string> {
      auto i = files_.find(path);
      if (i != files_.end())
        return i->second;
      error = "no such file";
      return std::nullopt;
    };
  }

private:
  std::map<std::string, std::string> files_;
};

/// What comes of a text and the usual files.
inline vpn::expected<vpn::protocol::profile,
                     std::vector<vpn::protocol::config_error>>
try_profile(const std::string& text) {
  fake_files files;
  return vpn::protocol::parse_profile(text, "test.ovpn", files.reader());
}

/// The minimal profile with more lines.
inline std::string minimal_profile_with(const std::string& lines) {
  return minimal_profile() + lines + "\n";
}

/// All errors, one per line.
inline std::string text_of(const std::vector<vpn::protocol::config_error>& xs) {
  std::string result;
  for (auto& x : xs)
    result += to_string(x) + "\n";
  return result;
}

} // namespace vpn::test
