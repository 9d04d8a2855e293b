# Certificates and TLS: whom the client trusts, and what it presents.

# The words of issue and authority, in the laboratory's own directory.
issue_here() {
  (cd "$lab_dir" && issue "$@") >"$lab_dir/pki.txt" 2>&1 || {
    cat "$lab_dir/pki.txt" >&2
    fail "cannot make a certificate"
  }
}
authority_here() {
  (cd "$lab_dir" && authority "$@") >"$lab_dir/pki.txt" 2>&1 || {
    cat "$lab_dir/pki.txt" >&2
    fail "cannot make an authority"
  }
}

# accepted LINES and refused LINES: a default server, and a client with a view
# of its certificate.
accepted() {
  serve
  profile "$1"
  compare
}
refused() {
  serve
  profile "$1"
  both_fail 5 "VERIFY|not accepted" "certificate verify failed|VERIFY.*ERROR"
}

# -- names and purposes ------------------------------------------------------

case_x509_name() { accepted "verify-x509-name server name"; }
case_x509_subject() { accepted "verify-x509-name 'CN=server' subject"; }
case_x509_prefix() { accepted "verify-x509-name serv name-prefix"; }
case_x509_name_bad() { refused "verify-x509-name serve name"; }
case_x509_subject_bad() { refused "verify-x509-name 'CN=serve'"; }
case_x509_prefix_bad() { refused "verify-x509-name erv name-prefix"; }

# Hexadecimal key usage and a numeric purpose.
case_purpose() {
  accepted "remote-cert-ku 80
remote-cert-eku 1.3.6.1.5.5.7.3.1"
}
case_purpose_by_name() {
  accepted "remote-cert-ku
remote-cert-eku 'TLS Web Server Authentication'"
}
case_key_usage_bad() { refused "remote-cert-ku 08"; }
case_extended_key_usage_bad() {
  refused "remote-cert-eku 'TLS Web Client Authentication'"
}

# -- fingerprints and revocation ---------------------------------------------

fingerprint() {
  openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//'
}
case_fingerprint_with_ca() {
  accepted "peer-fingerprint $(fingerprint "$lab_pki/server.crt")"
}
case_fingerprint_with_ca_bad() {
  refused "peer-fingerprint $(fingerprint "$lab_pki/client.crt")"
}
# Without an authority the fingerprint alone decides.
case_fingerprint_alone() {
  serve
  profile "<peer-fingerprint>
$(fingerprint "$lab_pki/client.crt")
$(fingerprint "$lab_pki/server.crt")
</peer-fingerprint>"
  edit_profile '/^<ca>/,/^<\/ca>/d'
  compare
}
case_fingerprint_alone_bad() {
  serve
  profile "peer-fingerprint $(fingerprint "$lab_pki/client.crt")"
  edit_profile '/^<ca>/,/^<\/ca>/d'
  both_fail 5 "VERIFY|not accepted" "VERIFY|TLS Error"
}

# make_crl CERTIFICATE: the authority's list, with this one on it.
make_crl() {
  printf '%s\n' "[ca]" "default_ca = lab" "[lab]" \
    "database = $lab_dir/index.txt" "default_md = sha256" \
    "default_crl_days = 30" >"$lab_dir/ca.conf"
  : >"$lab_dir/index.txt"
  set -- "$1" -config "$lab_dir/ca.conf" -cert "$lab_pki/ca.crt" \
    -keyfile "$lab_pki/ca.key"
  local revoked=$1
  shift
  {
    openssl ca "$@" -revoke "$revoked" &&
      openssl ca "$@" -gencrl -out "$lab_dir/crl.pem"
  } >"$lab_dir/pki.txt" 2>&1 || {
    cat "$lab_dir/pki.txt" >&2
    fail "cannot make a list of revoked certificates"
  }
}
case_crl() {
  make_crl "$lab_pki/client.crt"
  accepted "crl-verify $lab_dir/crl.pem"
}
case_crl_inline_revoked() {
  make_crl "$lab_pki/server.crt"
  refused "<crl-verify>
$(cat "$lab_dir/crl.pem")
</crl-verify>"
}

# -- kinds of keys -----------------------------------------------------------

# keys_of TYPE: server and client have such keys.
keys_of() {
  issue_here server "$lab_pki/ca" serverAuth "$1"
  issue_here client "$lab_pki/ca" clientAuth "$1"
  serve "cert $lab_dir/server.crt
key $lab_dir/server.key"
  profile "cert $lab_dir/client.crt
key $lab_dir/client.key"
  compare
}
case_rsa() { keys_of "RSA -pkeyopt rsa_keygen_bits:2048"; }
case_ecdsa_p384() { keys_of "EC -pkeyopt ec_paramgen_curve:P-384"; }
case_ed25519() { keys_of ED25519; }

# weak_server BITS: its whole chain has RSA keys of that length.
weak_server() {
  authority_here weak-ca "RSA -pkeyopt rsa_keygen_bits:$1"
  issue_here weak weak-ca serverAuth "RSA -pkeyopt rsa_keygen_bits:$1"
  serve "cert $lab_dir/weak.crt
key $lab_dir/weak.key
tls-cert-profile insecure"
}
case_profile_legacy() {
  weak_server 1024
  profile "ca $lab_dir/weak-ca.crt"
  compare
}
case_profile_preferred_bad() {
  weak_server 1024
  profile "ca $lab_dir/weak-ca.crt
tls-cert-profile preferred"
  both_fail 5 "VERIFY|not accepted|too (weak|small)" "too (weak|small)"
}
case_profile_insecure() {
  weak_server 768
  profile "ca $lab_dir/weak-ca.crt
tls-cert-profile insecure"
  compare
}

# -- the client's own key ----------------------------------------------------

encrypted_key() {
  openssl pkey -in "$lab_pki/client.key" -aes256 -passout pass:open-sesame \
    -out "$lab_dir/client.key" || fail "cannot encrypt the key"
}
case_askpass_file() {
  encrypted_key
  echo open-sesame >"$lab_dir/phrase"
  accepted "key $lab_dir/client.key
askpass $lab_dir/phrase"
}
case_askpass_prompt() {
  encrypted_key
  on_terminal "Enter Private Key Password:" open-sesame
  accepted "key $lab_dir/client.key"
}
case_askpass_wrong() {
  encrypted_key
  echo open-barley >"$lab_dir/phrase"
  serve
  profile "key $lab_dir/client.key
askpass $lab_dir/phrase"
  both_fail 2 "pass ?phrase|client\.key" "Cannot load private key file"
}
bundle() {
  openssl pkcs12 -export -inkey "$lab_pki/client.key" \
    -in "$lab_pki/client.crt" -certfile "$lab_pki/ca.crt" \
    -passout "pass:$1" -out "$lab_dir/client.p12" || fail "no bundle"
}
# A bundle stands for ca, cert and key.
profile_of_bundle() {
  profile "$1"
  edit_profile '/^<ca>/,/^<\/key>/d'
}
case_pkcs12() {
  bundle open-sesame
  echo open-sesame >"$lab_dir/phrase"
  serve
  profile_of_bundle "pkcs12 $lab_dir/client.p12
askpass $lab_dir/phrase"
  compare
}
case_pkcs12_inline() {
  bundle ""
  serve
  profile_of_bundle "<pkcs12>
$(base64 "$lab_dir/client.p12")
</pkcs12>"
  compare
}
# An authority stands between the client's certificate and the one the server
# knows.
case_extra_certs() {
  issue_here between "$lab_pki/ca" clientAuth
  printf '%s\n' basicConstraints=critical,CA:TRUE \
    keyUsage=critical,keyCertSign >"$lab_dir/between.ext"
  openssl x509 -req -in "$lab_dir/between.csr" -CA "$lab_pki/ca.crt" \
    -CAkey "$lab_pki/ca.key" -set_serial 0x77 -days 30 -extfile \
    "$lab_dir/between.ext" -out "$lab_dir/between.crt" 2>/dev/null ||
    fail "no intermediate"
  issue_here laptop between clientAuth
  accepted "cert $lab_dir/laptop.crt
key $lab_dir/laptop.key
extra-certs $lab_dir/between.crt"
}

# -- times -------------------------------------------------------------------

case_expired_server() {
  issue_here late "$lab_pki/ca" serverAuth "$p256" -1
  serve "cert $lab_dir/late.crt
key $lab_dir/late.key"
  profile
  both_fail 5 "expired"
}
# The server only falls silent then, as in untrusted_client of failures.sh.
case_expired_client() {
  issue_here late "$lab_pki/ca" clientAuth "$p256" -1
  serve
  profile "cert $lab_dir/late.crt
key $lab_dir/late.key"
  both_fail "4 5" "."
  grep -qF "certificate has expired" "$server_log" ||
    fail "the server has another complaint"
}

# -- TLS itself --------------------------------------------------------------

# tls_is WORDS LINES: the server names version and cipher suite.
tls_is() {
  serve
  profile "$2"
  compare server_says 1 "Control Channel: $1"
}
case_tls_version_min() { tls_is "TLSv1.3" "tls-version-min 1.3"; }
case_tls_version_max() { tls_is "TLSv1.2" "tls-version-max 1.2"; }
case_tls_version_apart() {
  serve "tls-version-max 1.2"
  profile "tls-version-min 1.3"
  both_fail "4 5" "TLS|does not answer" "TLS Error"
}
case_tls_cipher() {
  tls_is "TLSv1.2, cipher TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305" \
    "tls-version-max 1.2
tls-cipher TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256"
}
case_tls_ciphersuites() {
  tls_is "TLSv1.3, cipher TLSv1.3 TLS_AES_128_GCM_SHA256" \
    "tls-ciphersuites TLS_AES_128_GCM_SHA256"
}
case_tls_groups() {
  serve "tls-groups secp384r1"
  profile "tls-groups secp521r1:secp384r1"
  compare
}
case_tls_groups_apart() {
  serve "tls-groups secp384r1"
  profile "tls-groups X25519"
  both_fail "4 5" "TLS|does not answer" "TLS"
}
