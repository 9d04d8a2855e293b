# Signals: what SIGHUP changes and what it leaves, what a second SIGTERM cuts
# short. And faults that somebody asked for.

begin() {
  server_lines=$(wc -l <"$server_log")
  start_client "$lab_dir/client.ovpn"
  client_is_up
}

# reload PATTERN [COUNT]: the client reads its profile again and says this.
reload() {
  kill -HUP "$client_pid"
  client_says 5 "SIGHUP\[hard,\] received: $1" "${2:-1}"
}

client_socket() {
  in_client ss -Huan | awk '$5 ~ /:1194$/ { print $4 }'
}

# connected COUNT: the server has seen so many sessions of this client.
connected() {
  local count
  count=$(tail -n "+$((server_lines + 1))" "$server_log" |
    grep -c "Peer Connection Initiated")
  [ "$count" = "$1" ] || fail "the server saw $count connections, not $1"
}

# stays COMMAND...: whatever the command does, the session stays what it was,
# and no packet is lost.
stays() {
  local socket ping
  socket=$(client_socket)
  [ -n "$socket" ] || fail "the client has no socket"
  run_child "$ns_client" "$lab_dir/traffic.log" \
    ping -n -q -c 40 -i 0.05 -W 3 10.8.0.1
  ping=$child
  "$@"
  wait_until 10 gone "$ping" || fail "ping does not end"
  says "$lab_dir/traffic.log" 1 " 0% packet loss" || fail "a ping was lost"
  [ "$(client_socket)" = "$socket" ] || fail "the client has another socket"
  says "$client_log" 2 "$up_phrase" && fail "the client has connected anew"
  connected 1
}

# -- SIGHUP ------------------------------------------------------------------

# Both come back with what the profile says now.
case_sighup() {
  reach="$reach 172.20.5.1"
  serve
  profile "persist-tun"
  cp "$lab_dir/client.ovpn" "$lab_dir/former.ovpn"
  each comes_back_with_more
  expect_agreement settings ways
}
comes_back_with_more() {
  cp "$lab_dir/former.ovpn" "$lab_dir/client.ovpn"
  begin
  echo "route 172.20.5.0 255.255.255.0" >>"$lab_dir/client.ovpn"
  kill -HUP "$client_pid"
  client_says 15 "$up_phrase" 2
  take_picture
  leave
}

case_sighup_nothing_changed() {
  serve
  profile
  only_ours reads_the_same
}
reads_the_same() {
  begin
  stays reload "nothing changed"
  # Neither a comment nor an option without effect is a change.
  printf '%s\n' "# a comment" "persist-key" >>"$lab_dir/client.ovpn"
  stays reload "nothing changed" 2
  leave
}

# The host's changes are told from verb 3 on.
case_sighup_verb() {
  serve
  profile
  edit_profile "s/^verb 3/verb 1/"
  only_ours becomes_talkative
}
becomes_talkative() {
  begin
  says "$client_log" 1 "\[#\]" && fail "verb 1 tells of changes of the host"
  edit_profile "s/^verb 1/verb 3/"
  stays reload "verb changed"
  leave
  says "$client_log" 1 "\[#\]" || fail "verb 3 tells nothing"
}

# What only counts at the start is named, each time it is found changed.
case_sighup_start_options() {
  serve
  profile
  only_ours warns_about_start
}
warns_about_start() {
  begin
  echo "nice 5" >>"$lab_dir/client.ovpn"
  stays reload "nice changed"
  expect_words "WARNING: option 'nice' changed: .* restart"
  reload "nice changed" 2
  edit_profile "/^nice/d"
  reload "nothing changed"
  leave
}

# Another status file, and what was in the old one stays there.
case_sighup_status() {
  serve
  profile "status $lab_dir/status-1 1"
  only_ours writes_elsewhere
}
writes_elsewhere() {
  begin
  wait_until 5 says "$lab_dir/status-1" 1 ^END || fail "no status file"
  edit_profile "s/status-1/status-2/"
  stays reload "status changed"
  wait_until 5 says "$lab_dir/status-2" 1 ^END || fail "no other status file"
  says "$lab_dir/status-1" 1 ^END || fail "the old status file is gone"
  leave
}

# A route more, then a route less: what stays is never taken away meanwhile.
case_sighup_route_added() {
  serve "$(pushed "route 172.20.5.0 255.255.255.0")"
  profile "route 172.21.0.0 255.255.0.0"
  reach="$reach 172.20.5.1"
  only_ours changes_one_route
}
changes_one_route() {
  local device
  begin
  device=$(device_index)
  run_child "$ns_client" "$lab_dir/monitor.log" ip monitor route
  wait_until 5 monitor_is_awake || fail "ip monitor tells nothing"
  echo "route 172.22.0.0 255.255.0.0" >>"$lab_dir/client.ovpn"
  reload "route changed, connecting anew"
  client_says 15 "$up_phrase" 2
  has_route 172.22.0.0/16 || fail "the new route is not there"
  wait_until 5 says "$lab_dir/monitor.log" 1 "^172.22.0.0/16" ||
    fail "ip monitor does not tell of the new route"
  for address in $reach; do
    expect_answer "$ns_client" "$address"
  done
  edit_profile "/^route 172.22/d"
  reload "route changed, connecting anew" 2
  client_says 15 "$up_phrase" 3
  wait_until 5 says "$lab_dir/monitor.log" 1 "^Deleted 172.22.0.0/16" ||
    fail "the route that is gone from the profile is still there"
  for network in 172.20.5.0/24 172.21.0.0/16 10.8.0.0/24; do
    has_route "$network" || fail "$network is gone"
    says "$lab_dir/monitor.log" 1 "^Deleted $network" &&
      fail "$network was taken away meanwhile"
  done
  [ "$(device_index)" = "$device" ] || fail "another device"
  connected 3
  leave
}
has_route() { [ -n "$(in_client ip route show "$1")" ]; }
monitor_is_awake() {
  in_client ip route add 203.0.113.0/24 dev lo
  in_client ip route del 203.0.113.0/24 dev lo
  says "$lab_dir/monitor.log" 1 "^Deleted 203.0.113.0/24"
}

# The content of a file counts, not its name.
case_sighup_crl() {
  make_crl "$lab_pki/client.crt"
  serve
  profile "crl-verify $lab_dir/crl.pem"
  only_ours learns_of_revocation
}
learns_of_revocation() {
  begin
  stays reload "nothing changed"
  make_crl "$lab_pki/server.crt"
  reload "crl-verify changed, connecting anew"
  client_says 15 "revoked"
  says "$client_log" 2 "$up_phrase" && fail "a revoked server was accepted"
  leave
}

# Every mistake is told, and nothing else happens.
case_sighup_broken_profile_keeps_session() {
  serve
  profile
  cp "$lab_dir/client.ovpn" "$lab_dir/former.ovpn"
  only_ours keeps_what_works
}
keeps_what_works() {
  begin
  printf '%s\n' "no-such-optoin 1" "verb 99" "crl-verify $lab_dir/missing" \
    "route 172.21.0.0 255.255.0.0" >>"$lab_dir/client.ovpn"
  stays reload "the configuration cannot be used"
  expect_words "client.ovpn:[0-9]+: option 'verb'"
  expect_words "cannot read .*missing"
  # Readable, but of no use: the certificates are looked at as well.
  cp "$lab_dir/former.ovpn" "$lab_dir/client.ovpn"
  sed "/^<key>/,/^<\/key>/d" "$lab_dir/former.ovpn" >"$lab_dir/client.ovpn"
  {
    echo "<key>"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    echo "</key>"
  } >>"$lab_dir/client.ovpn"
  stays reload "the configuration cannot be used" 2
  cp "$lab_dir/former.ovpn" "$lab_dir/client.ovpn"
  stays reload "nothing changed"
  leave
}

# Whoever wants a new connection gets one.
case_sighup_for_usr1() {
  serve
  profile "remap-usr1 SIGHUP"
  only_ours reconnects_by_usr1
}
reconnects_by_usr1() {
  begin
  kill -USR1 "$client_pid"
  client_says 5 "SIGHUP\[hard,\] received: nothing changed"
  client_says 15 "$up_phrase" 2
  expect_answer "$ns_client" 10.8.0.1
  leave
}

# Privileges are gone, and the process is elsewhere: files are still found.
case_sighup_user_nobody() {
  serve
  profile "user nobody
group nogroup
persist-tun"
  chmod 644 "$lab_dir/client.ovpn"
  open_lab_to_others
  only_ours reloads_as_nobody
}
reloads_as_nobody() {
  local device
  begin
  device=$(device_index)
  stays reload "nothing changed"
  echo "route 172.21.0.0 255.255.0.0" >>"$lab_dir/client.ovpn"
  reload "route changed, connecting anew"
  client_says 15 "$up_phrase" 2
  has_route 172.21.0.0/16 || fail "the new route is not there"
  [ "$(device_index)" = "$device" ] || fail "another device"
  edit_profile "s/^dev tun/dev tun7/"
  reload "the configuration cannot be used"
  expect_words "another device takes a restart"
  expect_answer "$ns_client" 10.8.0.1
  leave
}

# The terminal is gone, and the process is elsewhere: what was typed serves
# again, and names of files mean what they meant.
case_sighup_daemon() {
  serve_ann
  on_terminal "Enter Auth Username:" ann "Enter Auth Password:" "open sesame"
  profile "auth-user-pass
daemon
writepid $lab_dir/pid
log $lab_dir/daemon.log"
  cd "$lab_dir" || exit 1
  only_ours reloads_in_background
}
reloads_in_background() {
  server_lines=$(wc -l <"$server_log")
  start_client client.ovpn
  client_ends_within 20
  expect_exit 0
  wait_until 10 test -s "$lab_dir/pid" || fail "no file with the process id"
  client_pid=$(cat "$lab_dir/pid")
  lab_children="$lab_children $client_pid"
  client_log=$lab_dir/daemon.log
  client_is_up
  stays reload "nothing changed"
  echo "route 172.21.0.0 255.255.0.0" >>"$lab_dir/client.ovpn"
  reload "route changed, connecting anew"
  client_says 15 "$up_phrase" 2
  has_route 172.21.0.0/16 || fail "the new route is not there"
  # Nobody can be asked for another login.
  echo "static-challenge Token 1" >>"$lab_dir/client.ovpn"
  reload "the configuration cannot be used"
  expect_answer "$ns_client" 10.8.0.1
  kill -TERM "$client_pid"
  wait_until 5 gone "$client_pid" || fail "the client does not end"
}

case_sighup_sd_notify() {
  run_child "$ns_server" "$lab_dir/notify.log" "$python" "$here/notify.py" \
    "$lab_dir/notify"
  wait_for_line 10 "$child" "$lab_dir/notify.log" listening ||
    fail "no service manager"
  serve
  profile
  export NOTIFY_SOCKET="$lab_dir/notify"
  only_ours tells_of_reload
}
tells_of_reload() {
  begin
  told READY=1
  reload "nothing changed"
  told RELOADING=1
  told MONOTONIC_USEC=
  wait_until 5 says "$lab_dir/notify.log" 2 "^READY=1" ||
    fail "the service manager was not told that the reload is over"
  leave
}

# -- the second signal -------------------------------------------------------

# A script that hangs is waited for; whoever asks twice does not want to.
case_second_signal() {
  script down <<END
echo \$\$ >"$lab_dir/down.pid"
exec sleep 60
END
  serve "$(pushed "route 172.20.5.0 255.255.255.0")"
  profile "script-security 2
down-pre
down $lab_dir/down"
  only_ours is_told_twice
}
is_told_twice() {
  local begun
  begin
  kill -TERM "$client_pid"
  wait_until 5 test -s "$lab_dir/down.pid" || fail "down did not run"
  lab_children="$lab_children $(cat "$lab_dir/down.pid")"
  running "$client_pid" || fail "the client does not wait for the script"
  begun=$(milliseconds)
  kill -TERM "$client_pid"
  client_ends_within 4
  [ $(($(milliseconds) - begun)) -lt 3500 ] || fail "it takes too long"
  expect_exit 143
  expect_words "Told to stop once more"
}

# The first signal says what it is, whichever comes second.
case_second_signal_of_another_kind() {
  script down <<END
echo \$\$ >"$lab_dir/down.pid"
exec sleep 60
END
  serve
  profile "script-security 2
down-pre
down $lab_dir/down"
  only_ours is_told_otherwise
}
is_told_otherwise() {
  begin
  kill -INT "$client_pid"
  wait_until 5 test -s "$lab_dir/down.pid" || fail "down did not run"
  lab_children="$lab_children $(cat "$lab_dir/down.pid")"
  kill -TERM "$client_pid"
  client_ends_within 4
  expect_exit 130
}

# -- faults ------------------------------------------------------------------

case_fault_without_allow_is_refused() {
  cannot "fault network.up:drop=0.05" "add --allow-faults"
}
case_fault_bad_spec_names_position() {
  cannot "allow-faults
fault network.up:dorp=0.05" "at byte 12 of .network.up:dorp=0.05.: .*drop"
}
case_fault_drop_shown_in_status() {
  serve
  profile
  only_ours loses_packets "network.up:opcode=data,drop=0.3,seed=7"
}
loses_packets() {
  start_client "$lab_dir/client.ovpn" --allow-faults --fault "$1"
  client_is_up
  expect_words "WARNING: FAULTS ARE ON: network\.up:.*drop=0.3.*seed=7"
  in_client ping -n -q -c 100 -i 0.01 -W 1 10.8.0.1 >"$lab_dir/ping.txt" 2>&1
  grep -q " 0% packet loss" "$lab_dir/ping.txt" && fail "no ping was lost"
  grep -q " 100% packet loss" "$lab_dir/ping.txt" && fail "no ping came through"
  kill -USR2 "$client_pid"
  client_says 5 "fault network\.up: .*dropped [1-9]"
  leave
}
case_fault_knobs_are_shown() { only_ours shows_knobs; }
shows_knobs() {
  "$our_client" --show-faults >"$lab_dir/knobs" ||
    fail "--show-faults ends with $?"
  for word in network data_channel drop reorder seed kill; do
    grep -qw -- "$word" "$lab_dir/knobs" || fail "$word is not shown"
  done
}
