#!/bin/sh
# Throughput of our client against the stock one, at the same stock server, in
# the same namespaces, in turn: A B A B. Prints every round, the medians and
# their ratio. Nothing here is a test: compare the ratio, not the figures.
#
#   tunnel.sh [PROTOCOL [CIPHER]]          udp AES-256-GCM
#
# ROUNDS (3) and SECONDS_EACH (5) make it longer; WIRE says what the wire does:
#   ideal   packets of 64 KiB cross the veth pair whole (the default)
#   nic     the kernel segments and checksums, the receiver merges again, as
#           with a plain network card; needs the package ethtool
set -u
. "$(dirname "$0")/../interop/lib.sh"
need_root "$@"
protocol=${1:-udp}
cipher=${2:-AES-256-GCM}
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-5}
wire=${WIRE:-ideal}
ours=$CLIENT

# The second word of the file's lines that start with NAME: their median.
median() {
  sed -n "s/^$1 //p" "$lab_dir/figures" | sort -n |
    awk '{ a[NR] = $1 }
      END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'
}

# measure NAME CLIENT: one connection, one figure for each direction.
measure() {
  CLIENT=$2
  start_client "$lab_dir/client.ovpn"
  client_is_up
  up=$(iperf_mbit "$ns_client" -c 10.8.0.1 -t "$seconds") ||
    fail "iperf3 to the server"
  down=$(iperf_mbit "$ns_client" -c 10.8.0.1 -t "$seconds" -R) ||
    fail "iperf3 from the server"
  # Time on the processor, of the client alone: user and system ticks.
  ticks=$(awk '{ print $14 + $15 }' "/proc/$client_pid/stat")
  kill -TERM "$client_pid"
  client_ends_within 10
  expect_settings
  [ -z "${3:-}" ] || return 0
  printf '%s.up %s\n%s.down %s\n%s.ticks %s\n' \
    "$1" "$up" "$1" "$down" "$1" "$ticks" >>"$lab_dir/figures"
  printf '%-8s %8s %8s %8s\n' "$1" "$up" "$down" "$ticks"
}

lab_open "bench-$protocol"
make_pki || fail "no PKI"
if [ "$wire" = nic ]; then
  command -v ethtool >/dev/null || fail "WIRE=nic needs the package ethtool"
  for run in in_client in_server; do
    $run ethtool -K veth0 tx off gro on >/dev/null 2>&1 ||
      fail "ethtool cannot set up the wire"
  done
fi
write_server "$lab_dir/server.conf" "$protocol" tls-crypt "$cipher" "verb 3"
write_client "$lab_dir/client.ovpn" "$protocol" tls-crypt
start_server "$lab_dir/server.conf"
remember_settings
start_iperf

say "kernel $(uname -r), $(nproc) cores, load $(cut -d ' ' -f 1 /proc/loadavg)"
say "$protocol $cipher, wire $wire, $rounds rounds of $seconds s, TCP, 1 flow"
printf '%-8s %8s %8s %8s\n' client "Mbit up" "down" "ticks"
# The first runs of a session are slower than all others: thrown away.
warm=$seconds
seconds=1
measure stock openvpn discard
measure ours "$ours" discard
seconds=$warm
round=0
while [ "$round" -lt "$rounds" ]; do
  measure stock openvpn
  measure ours "$ours"
  round=$((round + 1))
done

printf '\n%-14s %10s %10s %8s\n' median stock ours ratio
for what in up down ticks; do
  stock=$(median stock.$what)
  mine=$(median ours.$what)
  ratio=$(awk "BEGIN { printf \"%.2f\", $mine / ($stock ? $stock : 1) }")
  case $what in
    up) label="Mbit/s up" ;;
    down) label="Mbit/s down" ;;
    ticks) label="CPU ticks" ;;
  esac
  printf '%-14s %10s %10s %8s\n' "$label" "$stock" "$mine" "$ratio"
done
