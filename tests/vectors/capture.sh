#!/bin/sh
# Writes handshake-WRAP.hex anew: the first datagrams between a stock client and
# a stock server of this machine's openvpn, for each control wrapping, with the
# static key they used. Throw-away keys: nothing else uses them.
#
#   capture.sh            needs root, openvpn, tcpdump and python3
set -u
. "$(dirname "$0")/../interop/lib.sh"
need_root "$@"
out=$lab_top/tests/vectors
CLIENT=openvpn
for wrap in none tls-auth tls-crypt; do
  (
    lab_open "capture-$wrap"
    make_pki || fail "no PKI"
    write_server "$lab_dir/server.conf" udp $wrap AES-256-GCM "verb 3"
    write_client "$lab_dir/client.ovpn" udp $wrap
    start_server "$lab_dir/server.conf"
    run_child "$ns_client" "$lab_dir/tcpdump.log" \
      tcpdump -Z root --immediate-mode -n -i veth0 -c 16 \
      -w "$lab_dir/wire.pcap" udp port 1194
    dump=$child
    wait_for_line 10 "$dump" "$lab_dir/tcpdump.log" "listening on" ||
      fail "tcpdump does not listen"
    start_client "$lab_dir/client.ovpn"
    client_is_up
    expect_ping "$ns_client" 10.8.0.1
    wait_until 10 gone "$dump" || fail "there were no 16 datagrams"
    kill -TERM "$client_pid"
    client_ends_within 10
    {
      echo "# $(openvpn --version | head -n 1 | cut -d ' ' -f 1-3), client and" \
        "server, UDP, wrap $wrap; made by capture.sh"
      if [ "$wrap" != none ]; then
        echo "key $(sed -n '/BEGIN/,/END/p' "$lab_pki/$wrap.pem" |
          grep -v -- '-----' | tr -d '\n')"
      fi
      python3 "$out/pcap_to_hex.py" "$lab_dir/wire.pcap" 16
    } >"$out/handshake-$wrap.hex"
  ) || exit 1
done
