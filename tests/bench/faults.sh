#!/bin/sh
# What faults cost, ours against the stock client at the same stock server:
# the figures of docs/faults.md, which this command rewrites.
#
#   faults.sh [a|b|c|d|all]
#
#   a  packets lost for want of a key while keys are renewed under load
#   b  time to traffic again after each death of a layer, after a restart of
#      the server, and after ten seconds without a link
#   c  time to connect through a lossy relay
#   d  memory after many deaths of layers, in one process on a virtual clock
#
# RENEGOTIATIONS (50) for each way of a; TRIES_LAYER (5) and TRIES_EVENT (3) for
# b; RATES ("0 0.1 0.2 0.3 0.4"), TRIES (21) and LIMIT (150 s) for c; KILLS
# (10000) for d. LANES (4) work at the same time where they mostly wait, three
# times as many in c.
# RAW is the file of all single results, one JSON object in a line; DOCS is
# where faults.md is, or empty to leave it alone.
set -u
bench=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" != 0 ]; then
  exec sudo -n env BUILD="${BUILD-}" CLIENT="${CLIENT-}" RATES="${RATES-}" \
    RENEGOTIATIONS="${RENEGOTIATIONS-}" TRIES_LAYER="${TRIES_LAYER-}" \
    TRIES_EVENT="${TRIES_EVENT-}" TRIES="${TRIES-}" LIMIT="${LIMIT-}" \
    KILLS="${KILLS-}" LANES="${LANES-}" RAW="${RAW-}" \
    ${DOCS+DOCS="$DOCS"} sh "$0" "$@"
fi
. "$bench/../interop/lib.sh"
need_root "$@"
# Debian's own interpreter: others may take long to start.
python=/usr/bin/python3
layers="network muxer reliable control tls data_channel tun host"
ours=$CLIENT
: "${RENEGOTIATIONS:=50}" "${TRIES_LAYER:=5}" "${TRIES_EVENT:=3}" "${TRIES:=21}"
: "${RATES:=0 0.1 0.2 0.3 0.4}" "${LIMIT:=150}" "${KILLS:=10000}" "${LANES:=4}"
: "${RAW:=$BUILD/faults.jsonl}"
DOCS=${DOCS-$lab_top/docs}
export BUILD CLIENT LANES RAW RENEGOTIATIONS

# A job that fails leaves a result without a figure.
result=""
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  [ -z "$result" ] || record '"failed": true'
  exit 1
}
# record FIELDS: one result; the fields in $result name it.
record() { printf '{%s, %s}\n' "$result" "$1" >>"$RAW"; }

# -- one laboratory for each job ---------------------------------------------

# which_client NAME
which_client() {
  case $1 in
    stock) CLIENT=openvpn ;;
    ours) CLIENT=$ours ;;
  esac
}

# open_job NAME KEEPALIVE [SERVER-LINES [CLIENT-LINES]]
open_job() {
  lab_open "$1"
  write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM \
    "explicit-exit-notify 1
${3:-}"
  sed -i "s/^keepalive .*/keepalive $2/" "$lab_dir/server.conf"
  write_client "$lab_dir/client.ovpn" udp tls-crypt
  printf '%s\n' persist-tun persist-key "${4:-}" >>"$lab_dir/client.ovpn"
  start_server "$lab_dir/server.conf"
}

# udp_load PORT OPTION...: iperf3 for $seconds; it is $child.
udp_load() {
  local port=$1
  shift
  run_child "$ns_server" "$lab_dir/iperf-server.$port" iperf3 -s -p "$port" \
    --forceflush
  wait_for_line 5 "$child" "$lab_dir/iperf-server.$port" "Server listening" ||
    fail "iperf3 does not start"
  run_child "$ns_client" "$lab_dir/load.$port" iperf3 -c 10.8.0.1 -p "$port" \
    -u -b 10M -l 1200 -t "$seconds" "$@"
}
# lost_and_sent PORT NAME
lost_and_sent() {
  sed -n 's!.* \([0-9]*\)/\([0-9]*\) (.*receiver!"_lost": \1, "_sent": \2!p' \
    "$lab_dir/load.$1" | sed "s/_/${2}_/g"
}

# renegotiation {client|server|both}: keys are renewed every two seconds.
renegotiation() {
  local by_client="reneg-sec 0" by_server="reneg-sec 0" up down
  result="\"figure\": \"renegotiation\", \"by\": \"$1\""
  case $1 in client | both) by_client="reneg-sec 2" ;; esac
  case $1 in server | both) by_server="reneg-sec 2 2" ;; esac
  open_job "reneg-$1" "10 60" "$by_server" "$by_client"
  start_client "$lab_dir/client.ovpn"
  client_is_up
  seconds=$((RENEGOTIATIONS * 2 + 2))
  udp_load 5201
  up=$child
  udp_load 5202 -R
  down=$child
  wait_until $((seconds + 20)) gone "$up" || fail "iperf3 does not end"
  wait_until 20 gone "$down" || fail "iperf3 does not end"
  statistics
  up=$(lost_and_sent 5201 up)
  down=$(lost_and_sent 5202 down)
  [ -n "$up" ] && [ -n "$down" ] || fail "iperf3 counts nothing"
  record "$up, $down, \"renegotiations\": $(($(grep -c \
    "Control Channel: TLSv1" "$server_log") - 1)), \"no_key\": $(sed -n \
    '/dropped \[/s/.*no_key \([0-9]*\).*/\1/p' "$client_log" |
      awk '{ n += $1 } END { print n + 0 }'), \"server_no_key\": $(grep -cE \
    "keys are out of sync|not initialized \(yet\)" "$server_log"), \
\"sessions\": $(grep -cF "$up_phrase" "$client_log")"
}

# Our client's, into its log.
statistics() {
  kill -USR2 "$client_pid" 2>/dev/null || fail "the client has ended"
  wait_for_line 5 "$client_pid" "$client_log" "END" || fail "no statistics"
}

# recovery CLIENT EVENT PING PING-RESTART TRY
recovery() {
  local after=3 prober outside again=""
  result="\"figure\": \"recovery\", \"client\": \"$1\", \"event\": \"$2\", \
\"keepalive\": \"$3 $4\", \"try\": $5"
  which_client "$1"
  open_job "recovery-$1-$2" "$3 $4"
  run_child "$ns_server" "$lab_dir/echo.log" "$python" "$bench/probe.py" \
    echo 5005
  wait_for_line 10 "$child" "$lab_dir/echo.log" listening || fail "no echo"
  case $2 in
    layer.*) start_client "$lab_dir/client.ovpn" --allow-faults \
      --fault "${2#layer.}:kill=${after}s" ;;
    *) start_client "$lab_dir/client.ovpn" ;;
  esac
  client_is_up
  run_child "$ns_client" "$lab_dir/probe.log" "$python" "$bench/probe.py" \
    send "$(tunnel_device)" 10.8.0.1 5005 $((after + 3)) $(($4 * 2 + 60))
  prober=$child
  wait_for_line 10 "$prober" "$lab_dir/probe.log" answered ||
    fail "nothing comes back through the tunnel"
  sleep 1
  case $2 in
    server_term) restart_server TERM ;;
    server_kill) restart_server KILL ;;
    link_down) cut_link 10 ;;
  esac
  wait_until $(($4 * 2 + 90)) gone "$prober" || fail "the prober does not end"
  if [ "$2" = link_down ]; then
    wait_until 30 gone "$outside" || fail "the prober outside does not end"
    again=$(sed -n 's/.*"ended": \([0-9.]*\).*/\1/p' "$lab_dir/outside.log")
  fi
  case $2 in
    layer.*) grep -qF "layer ${2#layer.} died" "$client_log" ||
      fail "nothing has died" ;;
  esac
  record "$(tail -n 1 "$lab_dir/probe.log"), \"again\": ${again:-null}, \
\"sessions\": $(grep -cF "$up_phrase" "$client_log")"
}
restart_server() {
  kill "-$1" "$server_pid"
  wait_until 20 gone "$server_pid" || fail "the server does not end"
  wait "$server_pid" 2>/dev/null
  start_server "$lab_dir/server.conf"
  # The time since the machine began, as of the prober's clock.
  read -r again _ </proc/uptime
}
# At the other end: this host keeps its addresses and ways. Its kernel takes up
# to a second until it sends again, so somebody outside the tunnel looks when.
cut_link() {
  run_child "$ns_client" "$lab_dir/outside.log" "$python" "$bench/probe.py" \
    send veth0 "$server_address" 5005 $(($1 + 4)) $(($1 + 20))
  outside=$child
  sleep 0.5
  in_server ip link set veth0 down
  sleep "$1"
  in_server ip link set veth0 up
}

# -- all jobs of a figure ----------------------------------------------------

# forget FIGURE: its results of an earlier run.
forget() {
  touch "$RAW"
  sed -i "/\"figure\": \"$1\"/d" "$RAW"
}

# in_lanes COUNT: each line of stdin is a job, so many at a time.
in_lanes() {
  xargs -P "$1" -L 1 sh "$0" job >"$RAW.log" 2>&1 ||
    say "some jobs failed: see $RAW.log"
}

figure_a() {
  say "a: $RENEGOTIATIONS renewals of keys by each side, and by both"
  forget renegotiation
  printf 'renegotiation %s\n' client server both | in_lanes 3
}

figure_b() {
  local keepalive event number client layer
  say "b: $TRIES_LAYER deaths of each layer, $TRIES_EVENT of each other event"
  forget recovery
  {
    # The long ones first, so that no lane waits for them at the end.
    for keepalive in "10 60" "1 3"; do
      for event in server_kill link_down server_term; do
        for number in $(seq "$TRIES_EVENT"); do
          for client in stock ours; do
            echo "recovery $client $event $keepalive $number"
          done
        done
      done
    done
    for number in $(seq "$TRIES_LAYER"); do
      echo "recovery ours nothing 10 60 $number"
      for layer in $layers; do
        echo "recovery ours layer.$layer 10 60 $number"
      done
    done
  } | in_lanes "$LANES"
}

# add_lane NUMBER: a namespace behind the server's, for one client at a time;
# says what handshakes.py must know of it.
add_lane() {
  local ns=$ns_client net=10.199.$((100 + $1)) port=$((2000 + $1))
  if [ "$1" != 0 ]; then
    ns=$ns_client-$1
    ip netns add "$ns" && echo "$ns" >>"$lab_dir/lanes" &&
      ip link add veth0 netns "$ns" type veth peer name "veth$1" \
        netns "$ns_server" || fail "cannot make lane $1"
    in_server ip addr add "$net.1/24" dev "veth$1"
    in_server ip link set "veth$1" up
    ip netns exec "$ns" sh -c "ip link set lo up; ip link set veth0 up
      ip addr add $net.2/24 dev veth0; ip route add default via $net.1"
  fi
  write_client "$lab_dir/client-$port.ovpn" udp tls-crypt
  sed -i "s/^remote .*/remote $server_address $port/" \
    "$lab_dir/client-$port.ovpn"
  cat <<END
  {"port": $port, "server": ["ip", "netns", "exec", "$ns_server"],
   "client": ["ip", "netns", "exec", "$ns", "sh", "$lab_dir/with-own-names"]}
END
}
close_lanes() {
  local status=$? ns
  while read -r ns; do ip netns del "$ns"; done <"$lab_dir/lanes"
  (exit $status)
  lab_close
}

figure_c() {
  local number profile
  say "c: $TRIES connections of each client at each rate of loss"
  forget handshake
  lab_open handshakes
  : >"$lab_dir/lanes"
  trap close_lanes EXIT
  profile=$lab_dir/client-PORT.ovpn
  # One identity at many places at once, and each leaves without a word.
  write_server "$lab_dir/server.conf" udp tls-crypt AES-256-GCM "duplicate-cn"
  sed -i "s/^server .*/server 10.8.0.0 255.255.0.0/
    s/^keepalive .*/keepalive 10 60/" "$lab_dir/server.conf"
  start_server "$lab_dir/server.conf"
  {
    # shellcheck disable=SC2086 # the rates are a list of words
    printf '{"rates": [%s], "tries": %s, "limit": %s, "phrase": "%s",\n' \
      "$(echo $RATES | tr ' ' ,)" "$TRIES" "$LIMIT" "$up_phrase"
    cat <<END
 "clients": {"stock": ["openvpn", "--config", "$profile"],
             "ours": ["$ours", "--config", "$profile"]},
 "relay": ["$python", "$bench/lossy_relay.py", "$server_address", "PORT",
           "$server_address", "1194", "--delay", "0.01"],
 "lanes": [
END
    number=0
    while [ "$number" -lt $((LANES * 3)) ]; do
      [ "$number" = 0 ] || echo ,
      add_lane "$number"
      number=$((number + 1))
    done
    echo ']}'
  } >"$lab_dir/plan.json"
  "$python" "$bench/handshakes.py" "$lab_dir/plan.json" >>"$RAW" &
  lab_children="$lab_children $!"
  wait $! || fail "handshakes.py"
}

figure_d() {
  say "d: $KILLS deaths of layers in one process"
  if [ ! -x "$BUILD/vpn_bench" ]; then
    say "there is no $BUILD/vpn_bench: left out"
    return
  fi
  forget memory
  KILLS=$KILLS "$BUILD/vpn_bench" --benchmark_filter='^memory_after_kills' |
    grep '"figure"' >>"$RAW"
}

# -- main --------------------------------------------------------------------

make_pki || fail "no PKI"
case ${1:-all} in
  job)
    shift
    "$@"
    ;;
  a | b | c | d)
    "figure_$1"
    "$python" "$bench/plot.py" "$RAW" ${DOCS:+"$DOCS/faults.md"}
    ;;
  all)
    for figure in a b c d; do
      sh "$0" "$figure" || exit
    done
    ;;
  *)
    say "faults.sh [a|b|c|d|all]" >&2
    exit 2
    ;;
esac
