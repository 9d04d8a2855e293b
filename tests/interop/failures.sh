#!/bin/sh
# How a connection may fail, and what the client says then: one case for each
# reason, told apart by the exit code. Whatever happens, the client's network
# settings are as before, and no secret stands in the log.
#
#   failures.sh CASE
set -u
. "$(dirname "$0")/lib.sh"
need_root "$@"
case_name=$1

password="correct horse battery staple"
wrong_password="incorrect horse battery staple"

# One attempt with short limits; the options follow --config on the command
# line, as they do for openvpn.
one_attempt() {
  local config=$1
  shift
  start_client "$config" --connect-retry-max 1 --connect-timeout 5 \
    --hand-window 5 --resolv-retry 0 "$@"
}

# attempt_fails CODE CONFIG [OPTION...]
attempt_fails() {
  local code=$1
  shift
  one_attempt "$@"
  client_ends_within 30
  expect_exit "$code"
  if grep -qF "$up_phrase" "$client_log"; then
    fail "the client says that the tunnel is up"
  fi
}

default_server() {
  write_server "$lab_dir/server.conf" "${1:-udp}" "${2:-tls-crypt}" \
    AES-256-GCM
  start_server "$lab_dir/server.conf"
}

# A server that asks for a name and a password.
password_server() {
  printf '#!/bin/sh\ngrep -qxF "%s" "$1"\n' "$password" >"$lab_dir/check"
  chmod 755 "$lab_dir/check"
  # The server's script runs as root, but in a directory only we may read.
  write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM "script-security 2
auth-user-pass-verify $lab_dir/check via-file"
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  echo "auth-user-pass $lab_dir/credentials" >>"$lab_dir/client.ovpn"
  start_server "$lab_dir/server.conf"
}

# Neither a password nor a line of a key may stand in the client's log.
expect_no_secret() {
  for secret in "$password" "$wrong_password"; do
    if grep -qF "$secret" "$client_log"; then
      fail "the log shows the password"
    fi
  done
  for key in client.key tls-auth.pem tls-crypt.pem; do
    grep -v '^[-#]' "$lab_pki/$key" >"$lab_dir/secrets"
    if grep -qF -f "$lab_dir/secrets" "$client_log"; then
      fail "the log shows a line of $key"
    fi
  done
}

wrong_ca() {
  default_server
  write_client "$lab_dir/client.ovpn" udp tls-crypt other-ca
  attempt_fails 5 "$lab_dir/client.ovpn"
}

wrong_tls_crypt_key() {
  default_server udp tls-crypt
  write_client "$lab_dir/client.ovpn" udp tls-crypt ca client other
  attempt_fails 4 "$lab_dir/client.ovpn"
}

wrong_tls_auth_key() {
  default_server udp tls-auth
  write_client "$lab_dir/client.ovpn" udp tls-auth ca client other
  attempt_fails 4 "$lab_dir/client.ovpn"
}

wrong_password() {
  password_server
  printf 'user\n%s\n' "$wrong_password" >"$lab_dir/credentials"
  attempt_fails 6 "$lab_dir/client.ovpn" --verb 11
  grep -qF "AUTH_FAILED" "$client_log" ||
    fail "the log lacks the phrase that scripts look for"
}

# The same with the right one, or the case above would prove nothing.
right_password() {
  password_server
  printf 'user\n%s\n' "$password" >"$lab_dir/credentials"
  one_attempt "$lab_dir/client.ovpn" --verb 11
  client_is_up
  expect_ping "$ns_client" 10.8.0.1
  kill -TERM "$client_pid"
  client_ends_within 5
  expect_exit 143
}

# The host answers that nobody listens there.
no_server_udp() {
  write_client "$lab_dir/client.ovpn" udp none
  attempt_fails 4 "$lab_dir/client.ovpn"
}

# Nobody answers at all: the server's namespace does not forward.
silent_server_udp() {
  write_client "$lab_dir/client.ovpn" udp none
  sed -i 's/^remote .*/remote 10.199.9.99 1194/' "$lab_dir/client.ovpn"
  attempt_fails 4 "$lab_dir/client.ovpn"
}

tcp_refused() {
  write_client "$lab_dir/client.ovpn" tcp none
  attempt_fails 4 "$lab_dir/client.ovpn"
}

silent_server_tcp() {
  write_client "$lab_dir/client.ovpn" tcp none
  sed -i 's/^remote .*/remote 10.199.9.99 1194/' "$lab_dir/client.ovpn"
  attempt_fails 4 "$lab_dir/client.ovpn"
}

unresolvable_name() {
  write_client "$lab_dir/client.ovpn" udp none
  sed -i 's/^remote .*/remote no-such-host.invalid 1194/' \
    "$lab_dir/client.ovpn"
  # The look-up must end at once and never leave the machine. `ip netns exec`
  # gave the client a mount namespace of its own, so nobody else sees this.
  echo "hosts: files" >"$lab_dir/nsswitch.conf"
  printf '#!/bin/sh\nmount --bind %s /etc/nsswitch.conf && exec "$@"\n' \
    "$lab_dir/nsswitch.conf" >"$lab_dir/without-dns"
  chmod 755 "$lab_dir/without-dns"
  CLIENT_WRAPPER="$lab_dir/without-dns $CLIENT_WRAPPER"
  attempt_fails 3 "$lab_dir/client.ovpn"
}

# A typing error is found before anything is touched, and named.
bad_option() {
  default_server
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  sed -i '4s/^/remotee 10.199.9.1 1194\n/' "$lab_dir/client.ovpn"
  attempt_fails 2 "$lab_dir/client.ovpn"
  grep -qF "client.ovpn:4" "$client_log" ||
    fail "the message names no file and line"
  if is_ours; then
    grep -qE "remotee.*[^a-z]remote[^a-z]" "$client_log" ||
      fail "the message does not offer the nearest name"
  fi
  # The server saw nothing of it.
  if grep -qF "10.199.0.2:" "$server_log"; then
    fail "a packet left for the server"
  fi
}

missing_file() {
  write_client "$lab_dir/client.ovpn" udp none
  sed -i "s:^verb 3:tls-crypt $lab_dir/no-such-file.pem:" \
    "$lab_dir/client.ovpn"
  attempt_fails 2 "$lab_dir/client.ovpn"
  grep -qF "no-such-file.pem" "$client_log" ||
    fail "the message does not name the file"
}

# The server does not know who signed our certificate. A 2.6 server drops the
# session without sending its TLS alert, so all a client can see is a handshake
# that stops in the middle: no answer, or TLS that failed.
untrusted_client() {
  default_server
  write_client "$lab_dir/client.ovpn" udp tls-crypt ca other-client
  one_attempt "$lab_dir/client.ovpn"
  client_ends_within 30
  grep -qF "VERIFY ERROR" "$server_log" ||
    fail "the server has another complaint"
  if is_ours; then
    case $client_code in
      4 | 5) ;;
      *) fail "exit code $client_code instead of 4 or 5" ;;
    esac
  fi
}

# A client of the same authority plays the server.
wrong_purpose() {
  write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM
  sed -i "s:/server\\.:/client.:" "$lab_dir/server.conf"
  start_server "$lab_dir/server.conf"
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  attempt_fails 5 "$lab_dir/client.ovpn"
}

wrong_name() {
  default_server
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  attempt_fails 5 "$lab_dir/client.ovpn" --verify-x509-name other name
}

# Without the right to make a device there is no tunnel.
no_permission() {
  default_server
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  CLIENT_WRAPPER="setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
    $CLIENT_WRAPPER"
  attempt_fails 9 "$lab_dir/client.ovpn"
}

# The administrator of the server ends the session for good.
server_halts() {
  write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM \
    "management $lab_dir/management unix"
  start_server "$lab_dir/server.conf"
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  one_attempt "$lab_dir/client.ovpn"
  client_is_up
  python3 - "$lab_dir/management" <<'END'
import socket, sys
with socket.socket(socket.AF_UNIX) as management:
    management.settimeout(10)
    management.connect(sys.argv[1])
    management.sendall(b"client-kill 0 HALT\n")
    answer = b""
    while b"SUCCESS" not in answer:
        piece = management.recv(4096)
        if not piece or b"ERROR" in answer:
            sys.exit(answer.decode())
        answer += piece
END
  client_ends_within 15
  expect_exit 10
}

lab_open "$case_name"
make_pki || fail "no PKI"
remember_settings
"$case_name"
expect_settings
# The stock client, too, prints the password it sends at verb 11.
if is_ours; then
  expect_no_secret
fi
