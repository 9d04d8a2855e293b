# The process itself: user, background, files, scripts, service manager, and the
# commands that touch no network.

# -- user --------------------------------------------------------------------

# Without root: routes are still undone, and a new connection still works.
case_user_nobody() {
  serve "$(pushed "redirect-gateway def1
route-ipv6 fd20:5::/64
route 192.0.2.7 255.255.255.255 net_gateway")"
  profile "user nobody
group nogroup
persist-tun
persist-key"
  reach="$reach 172.20.5.1 fd20:5::1"
  compare runs_as nobody nogroup
}
runs_as() {
  local real effective
  read -r _ real effective _ <<END
$(grep ^Uid: "/proc/$client_pid/status")
END
  [ "$real $effective" = "$(id -u "$1") $(id -u "$1")" ] ||
    fail "the client runs as user $effective"
  read -r _ real effective _ <<END
$(grep ^Gid: "/proc/$client_pid/status")
END
  [ "$effective" = "$(getent group "$2" | cut -d : -f 3)" ] ||
    fail "the client runs as group $effective"
}
case_group_only() {
  serve
  profile "group nogroup"
  compare runs_as root nogroup
}
# Keys and files can be read no more; what a reconnection needs is kept.
case_user_nobody_reconnects() {
  serve "$(pushed "route 172.20.5.0 255.255.255.0")"
  printf 'ann\nsesame\n' >"$lab_dir/login"
  chmod 600 "$lab_dir/login"
  cp "$lab_pki/client.key" "$lab_dir/client.key"
  chmod 600 "$lab_dir/client.key"
  profile "user nobody
persist-tun
persist-key
key $lab_dir/client.key
auth-user-pass $lab_dir/login"
  reach="$reach 172.20.5.1"
  each reconnect_by_signal USR1
  expect_agreement settings ways
}
case_user_unknown() {
  serve
  profile "user no-such-user"
  both_fail 2 "no-such-user"
}

# -- background and files ----------------------------------------------------

case_daemon() {
  serve
  profile "daemon
cd $lab_dir
writepid $lab_dir/pid
log $lab_dir/daemon.log"
  each goes_to_background
  expect_agreement settings ways
}
goes_to_background() {
  rm -f "$lab_dir/pid"
  echo "an old line" >"$lab_dir/daemon.log"
  start_client "$lab_dir/client.ovpn"
  client_ends_within 10
  expect_exit 0
  [ ! -s "$client_log" ] || fail "something is said before the log is open"
  wait_until 10 test -s "$lab_dir/pid" || fail "no file with the process id"
  client_pid=$(cat "$lab_dir/pid")
  lab_children="$lab_children $client_pid"
  client_log=$lab_dir/daemon.log
  client_is_up
  grep -q "an old line" "$client_log" && fail "log appends"
  take_picture
  [ "$(ps -o tty= -p "$client_pid" | tr -d ' ')" = "?" ] ||
    fail "the client still has a terminal"
  kill -TERM "$client_pid"
  wait_until 5 gone "$client_pid" || fail "the client does not end"
}

case_log_append() {
  serve
  profile "log-append $lab_dir/appended.log"
  each appends_to_log
}
appends_to_log() {
  echo "an old line" >"$lab_dir/appended.log"
  start_client "$lab_dir/client.ovpn"
  wait_until 10 says "$lab_dir/appended.log" 1 "$up_phrase" ||
    fail "the log does not say that the tunnel is up"
  leave
  says "$lab_dir/appended.log" 1 "an old line" || fail "the old log is gone"
}

# The same words; the numbers differ.
case_status_file() {
  serve
  profile "status $lab_dir/status 1"
  compare writes_status
}
writes_status() {
  wait_until 5 says "$lab_dir/status" 1 ^END || fail "no status file"
  found "$(sed -E 's/[0-9-]+ [0-9:]+$/TIME/; s/,[0-9]+$/,N/' "$lab_dir/status")"
  rm "$lab_dir/status"
}
case_status_by_signal() {
  serve
  profile
  compare says_statistics
}
says_statistics() {
  kill -USR2 "$client_pid"
  client_says 5 "OpenVPN STATISTICS"
}

# -- scripts -----------------------------------------------------------------

all_scripts="tls-verify ipchange up route-up route-pre-down down"

# record NAME...: scripts that write down arguments and environment.
record() {
  local name
  mkdir -p "$lab_dir/calls"
  for name in "$@"; do
    script "$name" <<END
echo "$name" >>"$lab_dir/calls/order"
printf '%s\n' "\$@" >>"$lab_dir/calls/$name.arguments"
env | grep -v '^_=' | sort >>"$lab_dir/calls/$name.environment"
END
  done
}
# What changes from run to run is of no interest, only that it is there. Order
# and arguments must be the same; of the environment, what openvpn gives.
same_calls() {
  local name
  kill -TERM "$client_pid"
  client_ends_within 5
  found "$(cat "$lab_dir/calls/order")"
  for name in $1; do
    found "$name: $(sed -E 's/^tun[0-9]+$/TUN/' \
      "$lab_dir/calls/$name.arguments" 2>&1)"
    sed -E "s/^/$name: /
      s/(daemon_pid|daemon_start_time|time_unix|time_ascii|PWD|OLDPWD|SHLVL)=.*/\1=/
      s/(trusted|untrusted)_port=.*/\1_port=/" \
      "$lab_dir/calls/$name.environment" | sort -u >"$lab_dir/$side.environment"
  done
  rm -r "$lab_dir/calls"
  mkdir "$lab_dir/calls"
}
scripted() {
  start_client "$lab_dir/client.ovpn" --setenv OWN_WORD hello
  client_is_up
  take_picture
  # Some scripts run when all is over.
  same_calls "$1"
}
runs_scripts() {
  record $1
  serve "$(pushed "route 172.20.5.0 255.255.255.0
route-ipv6 fd20:5::/64
dhcp-option DNS 10.8.0.1
dhcp-option DOMAIN example.org
dns search-domains example.org
dns server 0 address 10.8.0.1
setenv-safe COLOUR blue")"
  profile "script-security 2
$(for name in $1; do echo "$name '$lab_dir/$name first second'"; done)"
  each scripted "$1"
  expect_agreement settings ways
  comm -23 "$lab_dir/stock.environment" "$lab_dir/ours.environment" \
    >"$lab_dir/missing"
  [ ! -s "$lab_dir/missing" ] || {
    cat "$lab_dir/missing" >&2
    fail "the script finds less in its environment than with openvpn"
  }
}
case_script_up() { runs_scripts up; }
case_script_down() { runs_scripts down; }
case_script_route_up() { runs_scripts route-up; }
case_script_route_pre_down() { runs_scripts route-pre-down; }
case_script_ipchange() { runs_scripts ipchange; }
case_script_tls_verify() { runs_scripts tls-verify; }
case_script_order() {
  record $all_scripts
  serve "$(pushed "route 172.20.5.0 255.255.255.0")"
  profile "script-security 2
$(for name in $all_scripts; do echo "$name $lab_dir/$name"; done)"
  each scripted_order
}
scripted_order() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  leave
  found "$(cat "$lab_dir/calls/order")"
  : >"$lab_dir/calls/order"
}
case_script_order_up_delay() {
  all_scripts="up down"
  record $all_scripts
  serve
  profile "script-security 2
up-delay
down-pre
up $lab_dir/up
down $lab_dir/down"
  each scripted_order
  expect_agreement
}

# A level of 1 runs no script, and says so.
case_script_security() {
  record up
  serve
  profile "up $lab_dir/up"
  each refuses_script
}
refuses_script() {
  # shellcheck disable=SC2086 # the limits are a list of words
  start_client "$lab_dir/client.ovpn" $limits
  client_ends_within 10
  [ "$client_code" != 0 ] || fail "the client is content"
  expect_words "script-security"
  [ ! -e "$lab_dir/calls/order" ] || fail "the script ran"
}
case_script_tls_verify_refuses() {
  script judge <<'END'
[ "$1" = 1 ]
END
  refused "script-security 2
tls-verify $lab_dir/judge"
}
case_script_up_fails() {
  script up <<'END'
exit 3
END
  serve
  profile "script-security 2
up $lab_dir/up"
  both_fail 9 "up"
}

# -- service manager ---------------------------------------------------------

# READY comes when traffic flows, not before; the watchdog is fed.
case_sd_notify() {
  run_child "$ns_server" "$lab_dir/notify.log" "$python" "$here/notify.py" \
    "$lab_dir/notify"
  wait_for_line 10 "$child" "$lab_dir/notify.log" listening ||
    fail "no service manager"
  serve
  profile
  export NOTIFY_SOCKET="$lab_dir/notify" WATCHDOG_USEC=1000000
  each tells_manager
}
tells_manager() {
  echo listening >"$lab_dir/notify.log"
  visit told READY=1
  told STATUS=
  is_ours || return 0
  told WATCHDOG=1
  told STOPPING=1
}
told() {
  wait_until 5 says "$lab_dir/notify.log" 1 "^$1" ||
    fail "the service manager was not told $1"
}

# -- commands ----------------------------------------------------------------

# Keys that one makes, the other reads.
case_genkey() {
  cd "$lab_dir" || exit 1
  "$our_client" --genkey secret static.pem &&
    "$our_client" --genkey tls-crypt-v2-server v2-server.pem &&
    "$our_client" --tls-crypt-v2 v2-server.pem --genkey tls-crypt-v2-client \
      v2-client.pem || fail "no keys"
  [ "$(stat -c %a v2-client.pem)" = 600 ] || fail "others may read the key"
  # Theirs for the client, wrapped with our key for the server.
  openvpn --tls-crypt-v2 v2-server.pem --genkey tls-crypt-v2-client \
    v2-their-client.pem || fail "openvpn does not take our server key"
  wrap=none
  serve "tls-crypt-v2 $lab_dir/v2-server.pem"
  profile "tls-crypt-v2 $lab_dir/v2-client.pem"
  each visit :
  profile "tls-crypt-v2 $lab_dir/v2-their-client.pem"
  each visit :
  stop_server
  serve "tls-crypt $lab_dir/static.pem"
  profile "tls-crypt $lab_dir/static.pem"
  compare
}
case_show() {
  for list in ciphers digests tls groups; do
    "$our_client" --show-$list >"$lab_dir/ours.txt" ||
      fail "--show-$list ends with $?"
    openvpn --show-$list >"$lab_dir/stock.txt"
    case $list in
      ciphers) words="AES-256-GCM AES-128-CBC CHACHA20-POLY1305" ;;
      digests) words="SHA256 SHA512 SHA1" ;;
      tls) words="TLS_AES_256_GCM_SHA384 \
        TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384" ;;
      groups) words="secp384r1 secp521r1" ;;
    esac
    for word in $words; do
      grep -qw -- "$word" "$lab_dir/ours.txt" || fail "$list without $word"
      grep -qw -- "$word" "$lab_dir/stock.txt" || fail "openvpn lacks $word"
    done
  done
}
# One line of each kind, without touching the network.
case_explain() {
  profile "fast-io
script-security 2
plugin /usr/lib/openvpn/openvpn-plugin-auth-pam.so login
server 10.9.0.0 255.255.255.0
ns-cert-type server
no-such-option 7"
  [ "${our_client##*/}" != openvpn ] || return 0
  "$our_client" --explain "$lab_dir/client.ovpn" >"$lab_dir/explained"
  [ $? = 2 ] || fail "a profile that cannot be used is explained with code $?"
  # An unknown word may be a secret that lost its option, so it is not shown.
  grep -qF "(not shown)" "$lab_dir/explained" || fail "an unknown line is shown"
  for word in remote plugin server ns-cert-type verb; do
    grep -qE "^ *$word( |\$)" "$lab_dir/explained" || {
      cat "$lab_dir/explained" >&2
      fail "$word is not explained"
    }
  done
  for class in accepted refused "server" removed unknown; do
    grep -qi "$class" "$lab_dir/explained" || fail "nothing is $class"
  done
  grep -q -- "-----BEGIN" "$lab_dir/explained" && fail "a key is shown"
  return 0
}

# -- what it does not do -----------------------------------------------------

# cannot LINES PATTERN: refused by name before anything is touched.
cannot() {
  profile "$1"
  [ "${our_client##*/}" != openvpn ] || return 0
  side=ours
  start_client "$lab_dir/client.ovpn"
  client_ends_within 5
  expect_exit 2
  expect_words "$2"
  expect_settings
}
case_plugin_refused() {
  cannot "plugin /usr/lib/openvpn/plugins/openvpn-plugin-auth-pam.so login" \
    "plugin"
}
case_tap_refused() { cannot "dev tap" "tap"; }
case_secret_refused() { cannot "secret $lab_pki/other.pem" "secret"; }
case_server_option_refused() {
  cannot "push 'route 10.0.0.0 255.0.0.0'" "push"
}
# A later version may have it; the tunnel works without.
case_management_warns() {
  serve
  profile "management $lab_dir/management unix"
  each warns_about_management
}
warns_about_management() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  if is_ours; then
    expect_words "WARNING.*management"
  fi
  expect_answer "$ns_client" 10.8.0.1
  leave
}
case_unknown_options() {
  serve
  profile "ignore-unknown-option colour shape
colour blue
shape round
setenv opt taste sweet
setenv FORWARD_COMPATIBLE 1
setenv UV_WORD hello
push-peer-info"
  compare server_says 1 "peer info: UV_WORD=hello"
}
