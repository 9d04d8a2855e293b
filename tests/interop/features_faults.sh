# Faults on purpose: losses, dead layers, dead servers, a hostile wire.

# With one of ours there is nothing to compare: these run our client alone.

# only_ours COMMAND...
only_ours() {
  if is_ours; then
    side=ours
    "$@"
    expect_settings
    side=""
  else
    say "the stock client has no faults to show"
  fi
}

# faulty SPECIFICATION...: our client with these faults, up.
faulty() {
  local words="" word
  for word in "$@"; do words="$words --fault $word"; done
  # shellcheck disable=SC2086 # a list of words
  start_client "$lab_dir/client.ovpn" --allow-faults $words
}

# sessions COUNT: it has come up so often and lives.
sessions() {
  running "$client_pid" || fail "the client has ended"
  [ "$(grep -cF "$up_phrase" "$client_log")" = "$1" ] ||
    fail "it came up $(grep -cF "$up_phrase" "$client_log") times, not $1"
}

# tells_status PATTERN...: each stands in the statistics of this moment.
tells_status() {
  kill -USR2 "$client_pid"
  client_says 5 "^END|END$"
  for pattern in "$@"; do
    client_says 1 "$pattern"
  done
}

answers() { in_client ping -n -q -c 1 -W 0.3 10.8.0.1 >/dev/null; }

# answers_again SECONDS: the server is within reach.
answers_again() {
  wait_until "$1" answers || fail "no traffic after $1 s"
}

# -- packets -----------------------------------------------------------------

# The first handshake is spared, for the sake of the time it would take.
noise="from=1s,drop=0.2,reorder=0.1,duplicate=0.1,corrupt=0.05"

# Keys are renewed and a file arrives as it was, whatever the wire does.
case_fault_noise() {
  serve "reneg-sec 5"
  profile
  only_ours endures_noise
}
endures_noise() {
  faulty "network.up:$noise,seed=11" "network.down:$noise,seed=12"
  client_is_up
  head -c 2000000 /dev/urandom >"$lab_dir/file"
  carry_file "$ns_client" "$ns_server" 10.8.0.1
  # Mostly some seconds; the last of many losses in a row is worth waiting for.
  server_says 100 "Control Channel: TLSv1" 2
  carry_file "$ns_server" "$ns_client" 10.8.0.66
  sessions 1
  tells_status 'network.*dropped [0-9]' 'network.*corrupted [0-9]' \
    'network.*reordered [0-9]' 'network.*duplicated [0-9]'
  leave
}

# carry_file FROM TO ADDRESS
carry_file() {
  local receiver log=$lab_dir/received-$2.log sent
  run_child "$2" "$log" "$python" "$here/transfer.py" receive 5001
  receiver=$child
  wait_for_line 10 "$receiver" "$log" listening || fail "no receiver"
  sent=$(ip netns exec "$1" timeout 60 "$python" "$here/transfer.py" send \
    "$3" 5001 "$lab_dir/file") || fail "sending the file to $3 failed"
  wait_until 30 gone "$receiver" || fail "the receiver does not end"
  grep -qxF "$sent" "$log" || fail "the file arrived changed at $3"
}

# The link goes and comes while traffic flows; the session does not end.
case_fault_link() {
  serve
  profile
  only_ours endures_silence
}
endures_silence() {
  faulty "network:up=3s,down=2s"
  client_is_up
  wait_until 10 silent || fail "the link does not go down"
  answers_again 10
  wait_until 10 silent || fail "the link does not go down again"
  answers_again 10
  sessions 1
  leave
}
silent() { ! answers; }

# -- layers ------------------------------------------------------------------

# Each is dead once, more than two seconds apart: four in ten seconds are
# forgiven. Packets flow after each, and nobody has to connect anew.
case_fault_layers_die() {
  serve
  profile
  only_ours outlives network muxer data_channel tun host
}
# Once the key is in use, their work is done; the next key has new ones, whose
# time begins anew, so one after the other.
case_fault_handshake_layers_die() {
  serve
  profile
  for layer in reliable control tls; do
    only_ours outlives $layer
  done
}
outlives() {
  local faults="" after=2 layer lost
  for layer in "$@"; do
    faults="$faults $layer:kill=${after}s"
    after=$((after + 3))
  done
  # shellcheck disable=SC2086 # a list of words
  faulty $faults
  client_is_up
  run_child "$ns_client" "$lab_dir/flow.log" ping -n -q -i 0.01 \
    -w "$after" 10.8.0.1
  wait_until $((after + 5)) gone "$child" || fail "ping does not end"
  for layer in "$@"; do
    client_says 1 "layer $layer died"
  done
  answers_again 3
  sessions 1
  # 100 packets each second; what is lost with a layer is a handful.
  lost=$(awk '/ packets transmitted, / { print $1 - $4 }' "$lab_dir/flow.log")
  [ "${lost:-9999}" -le $(($# * 20)) ] || fail "$lost packets were lost"
  leave
}

# Dead before there is a key: a new session, once.
case_fault_first_handshake_dies() {
  serve
  profile
  only_ours connects_in_spite reliable control tls
}
connects_in_spite() {
  local layer
  for layer in "$@"; do
    # Slow enough that the time is sure to fall into the handshake.
    faulty "network:delay=150ms" "$layer:kill=400ms"
    client_is_up 20
    expect_answer "$ns_client" 10.8.0.1
    client_says 1 "layer $layer died"
    sessions 1
    [ "$(says_hello)" -le 2 ] || fail "$layer: more than one new session"
    leave
  done
}
# How often the client began to connect.
says_hello() { grep -cF "link remote:" "$client_log"; }

case_fault_five_deaths() {
  serve
  profile
  only_ours gives_up
}
gives_up() {
  faulty "muxer:kill=2s,every=1s"
  client_is_up
  client_ends_within 15
  expect_exit 12
}

# -- specifications ----------------------------------------------------------

# refused_faults PATTERN WORD...: before anything is touched.
refused_faults() {
  local pattern=$1
  shift
  start_client "$lab_dir/client.ovpn" "$@"
  client_ends_within 5
  expect_exit 2
  expect_words "$pattern"
}
case_fault_not_allowed() {
  profile
  only_ours refused_faults "allow-faults" --fault "network:drop=0.1"
}
case_fault_unknown_knob() {
  profile
  only_ours refused_faults "dorp.*drop" --allow-faults \
    --fault "network.up:dorp=0.1"
}
case_fault_unknown_layer() {
  profile
  only_ours refused_faults "netwrok.*network" --allow-faults \
    --fault "netwrok:drop=0.1"
}

# -- the server --------------------------------------------------------------

# Traffic flows again after the server was restarted, over a poor link too.
loses_server() {
  if is_ours; then
    faulty "network:drop=0.05,reorder=0.1,seed=3"
  else
    start_client "$lab_dir/client.ovpn"
  fi
  client_is_up
  run_child "$ns_client" "$lab_dir/flow.log" ping -n -q -i 0.02 10.8.0.1
  flow=$child
  sleep 0.5
  kill "-$1" "$server_pid"
  wait_until 10 gone "$server_pid" || fail "the server does not end"
  start_server "$lab_dir/server.conf"
  answers_again 20
  kill -INT "$flow"
  leave
}
mortal_server() {
  configure_server "${1:-}"
  sed -i "s/^keepalive .*/keepalive 1 3/" "$lab_dir/server.conf"
  start_server "$lab_dir/server.conf"
  profile "persist-tun"
}
case_fault_server_killed() {
  mortal_server
  each loses_server KILL
}
case_fault_server_ended() {
  mortal_server "explicit-exit-notify 1"
  each loses_server TERM
}

# -- a hostile wire ----------------------------------------------------------

# Nobody believes what is not authenticated, nor keeps it.
is_flooded() {
  local before after
  run_child "$ns_server" "$lab_dir/flood.log" "$python" "$here/flood.py" \
    "$server_address" 20000
  wait_for_line 10 "$child" "$lab_dir/flood.log" listening || fail "no flood"
  start_client "$lab_dir/client.ovpn"
  client_is_up
  # The first packets of each kind are warm-up.
  expect_ping "$ns_client" 10.8.0.1
  before=$(resident)
  wait_for_line 20 "$child" "$lab_dir/flood.log" done ||
    fail "the flood does not end"
  after=$(resident)
  expect_ping "$ns_client" 10.8.0.1
  sessions 1
  [ "$after" -le $((before + 2048)) ] ||
    fail "memory grew from $before to $after KiB"
  [ "$(grep -c "Control Channel: TLSv1" "$client_log")" -le 1 ] ||
    fail "the flood made it renew its keys"
  leave
}
resident() { awk '/^VmRSS:/ { print $2 }' "/proc/$client_pid/status"; }
flooded() {
  wrap=$1
  serve
  profile
  shift
  "$@" is_flooded
}
# Here anybody can speak for the server to a new session, which the stock client
# begins for each reset, and loses packets over.
case_flood_plain() { flooded none only_ours; }
case_flood_tls_auth() { flooded tls-auth each; }
case_flood_tls_crypt() { flooded tls-crypt each; }
