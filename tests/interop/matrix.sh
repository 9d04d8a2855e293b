#!/bin/sh
# One tunnel to a stock OpenVPN server: pings of both families both ways, a
# checksummed file both ways, a clean end, nothing left behind.
#
#   matrix.sh {udp|tcp|udp6|tcp6} {none|tls-auth|tls-crypt} CIPHER
set -u
. "$(dirname "$0")/lib.sh"
need_root "$@"
protocol=$1
wrap=$2
cipher=$3

lab_open "$protocol-$wrap-$cipher"
make_pki || fail "no PKI"

write_server "$lab_dir/server.conf" "$protocol" "$wrap" "$cipher"
write_client "$lab_dir/client.ovpn" "$protocol" "$wrap"
start_server "$lab_dir/server.conf"
remember_settings
start_client "$lab_dir/client.ovpn"
client_is_up

grep -qE "Data Channel: .*cipher '$cipher'|Cipher '$cipher'" "$server_log" ||
  fail "the server does not say that it uses $cipher"

address=$(tunnel_address)
address6=$(tunnel_address6)
[ -n "$address" ] || fail "the tunnel has no IPv4 address"
[ -n "$address6" ] || fail "the tunnel has no IPv6 address"
expect_ping "$ns_client" 10.8.0.1
expect_ping "$ns_server" "$address"
expect_ping "$ns_client" fd08::1
expect_ping "$ns_server" "$address6"
# Larger than the tunnel's MTU: fragments of the inner packet.
expect_ping "$ns_client" 10.8.0.1 -s 4000

# carry FROM TO ADDRESS: the file goes to a receiver at that address.
carry() {
  received=$lab_dir/received-$2.log
  run_child "$2" "$received" python3 "$lab_top/tests/interop/transfer.py" \
    receive 5001
  wait_for_line 10 "$child" "$received" listening || fail "no receiver"
  receiver=$child
  began=$(milliseconds)
  sent=$(ip netns exec "$1" timeout 120 python3 \
    "$lab_top/tests/interop/transfer.py" send "$3" 5001 "$lab_dir/file") ||
    fail "sending the file to $3 failed"
  wait_until 10 gone "$receiver" || fail "the receiver does not end"
  took=$(($(milliseconds) - began))
  grep -qxF "$sent" "$received" || fail "the file arrived changed at $3"
  [ "$sent" = "sha256 $digest" ] || fail "the sender read another file"
  say "$TRANSFER_MB MB to $3 in $took ms"
}

head -c "${TRANSFER_MB}M" /dev/urandom >"$lab_dir/file"
digest=$(sha256sum "$lab_dir/file" | cut -d ' ' -f 1)
carry "$ns_client" "$ns_server" 10.8.0.1
carry "$ns_server" "$ns_client" "$address"
rm -f "$lab_dir/file"

# The user ends it: SIGTERM over UDP, SIGINT over TCP.
case $protocol in
  udp*) kill -TERM "$client_pid" && code=143 ;;
  tcp*) kill -INT "$client_pid" && code=130 ;;
esac
client_ends_within 5
expect_exit $code
expect_settings
