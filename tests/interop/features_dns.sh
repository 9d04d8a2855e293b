# Name servers of the tunnel. The stock client of 2.6 leaves them to scripts, so
# what it ends with is only the host without them: the rest is our own rule.

# names_are TEXT: the lines that matter in resolv.conf, while the tunnel is up.
names_are() {
  take_names() { grep -vE '^#|^$' "$lab_dir/resolv.conf"; }
  if is_ours; then
    [ "$(take_names)" = "$1" ] || {
      cat "$lab_dir/resolv.conf" >&2
      fail "/etc/resolv.conf has not what was pushed"
    }
  else
    cmp -s "$lab_dir/resolv.conf" "$lab_dir/resolv.conf.before" ||
      fail "openvpn has touched /etc/resolv.conf"
  fi
}

# sets_names PUSHED TEXT [CLIENT-LINES]
sets_names() {
  set_resolv_conf "# by hand" "nameserver 192.0.2.53" "search example.net" \
    "options timeout:1"
  serve "$(pushed "$1")"
  profile "${3:-}"
  compare names_are "$2"
}

case_dns_dhcp_option() {
  sets_names "dhcp-option DNS 10.8.0.1
dhcp-option DNS 10.8.0.2
dhcp-option DNS6 fd08::1
dhcp-option DOMAIN example.org
dhcp-option DOMAIN-SEARCH example.com
dhcp-option NTP 10.8.0.1" "nameserver 10.8.0.1
nameserver 10.8.0.2
nameserver fd08::1
search example.org example.com
options timeout:1"
}
case_dns_block() {
  sets_names "dns search-domains example.org example.com
dns server 0 address 10.8.0.1 fd08::1
dhcp-option DNS 10.8.0.99" "nameserver 10.8.0.1
nameserver fd08::1
search example.org example.com
options timeout:1"
}
case_dns_by_profile() {
  sets_names "" "nameserver 10.8.0.1
search example.net
options timeout:1" "dhcp-option DNS 10.8.0.1"
}
case_dns_route_nopull() {
  sets_names "dhcp-option DNS 10.8.0.1
dns server 0 address 10.8.0.1" "nameserver 192.0.2.53
search example.net
options timeout:1" route-nopull
}

# A new connection sets them again; afterwards the first content comes back.
case_dns_reconnect() {
  set_resolv_conf "nameserver 192.0.2.53"
  serve "push 'dhcp-option DNS 10.8.0.1'"
  profile
  each names_after_reconnect
}
names_after_reconnect() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  kill -USR1 "$client_pid"
  client_says 15 "$up_phrase" 2
  names_are "nameserver 10.8.0.1"
  leave
}

# The client has given up root, and must put the file back all the same.
case_dns_user_nobody() {
  set_resolv_conf "nameserver 192.0.2.53"
  serve "push 'dhcp-option DNS 10.8.0.1'"
  profile "user nobody
group nogroup"
  compare names_are "nameserver 10.8.0.1"
}

# Somebody else has written the file meanwhile: theirs stays.
case_dns_written_by_others() {
  set_resolv_conf "nameserver 192.0.2.53"
  serve "push 'dhcp-option DNS 10.8.0.1'"
  profile
  each leaves_others_alone
}
leaves_others_alone() {
  start_client "$lab_dir/client.ovpn"
  client_is_up
  echo "nameserver 192.0.2.54" >"$lab_dir/resolv.conf"
  leave
  [ "$(cat "$lab_dir/resolv.conf")" = "nameserver 192.0.2.54" ] ||
    fail "what somebody else wrote is gone"
  cp "$lab_dir/resolv.conf.before" "$lab_dir/resolv.conf"
}

# Pushed words that a shell or resolv.conf might misread.
case_dns_hostile() {
  sets_names "dhcp-option DOMAIN a;touch $lab_dir/executed
dhcp-option DOMAIN-SEARCH \$(touch $lab_dir/executed)
dns search-domains \$(touch $lab_dir/executed)
dhcp-option DNS 10.8.0.1;touch
dhcp-option DNS6 10.8.0.1
dhcp-option DNS 10.8.0.1" "nameserver 10.8.0.1
search example.net
options timeout:1"
  [ ! -e "$lab_dir/executed" ] || fail "a pushed word was executed"
  grep -q "WARNING.*dhcp-option" "$lab_dir/client-ours.log" ||
    [ "${our_client##*/}" = openvpn ] || fail "no warning names dhcp-option"
}

# -- systemd-resolved --------------------------------------------------------

# A bus with a resolved that writes down what it is told.
start_resolved() {
  cat >"$lab_dir/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=$lab_dir/bus</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
END
  export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$lab_dir/bus"
  run_child "$ns_server" "$lab_dir/bus.log" dbus-daemon --nofork \
    --config-file="$lab_dir/bus.conf"
  wait_until 5 test -S "$lab_dir/bus" || fail "no bus"
  run_child "$ns_server" "$lab_dir/resolve1.log" "$python" \
    "$here/resolve1.py"
  wait_for_line 10 "$child" "$lab_dir/resolve1.log" listening ||
    fail "no systemd-resolved"
  set_resolv_conf "nameserver 127.0.0.53" "options edns0 trust-ad"
}

# tells_resolved PUSHED CALLS [CLIENT-LINES]
tells_resolved() {
  start_resolved
  serve "$(pushed "$1")"
  profile "${3:-}"
  each calls_of_resolved "$2"
  expect_agreement settings ways
}
calls_of_resolved() {
  echo listening >"$lab_dir/resolve1.log"
  visit resolved_was_told "$1"
  is_ours || return 0
  says "$lab_dir/resolve1.log" 1 "^RevertLink $link\$" ||
    fail "systemd-resolved was not told to forget"
}
resolved_was_told() {
  cmp -s "$lab_dir/resolv.conf" "$lab_dir/resolv.conf.before" ||
    fail "/etc/resolv.conf was touched"
  link=$(device_index)
  is_ours || return 0
  sed -n "s/ $link / /p" "$lab_dir/resolve1.log" >"$lab_dir/calls"
  printf '%s\n' "$1" | diff - "$lab_dir/calls" >&2 || {
    cat "$lab_dir/resolve1.log" >&2
    fail "systemd-resolved was told something else"
  }
}

case_resolved_dhcp_option() {
  tells_resolved "dhcp-option DNS 10.8.0.1
dhcp-option DNS6 fd08::1
dhcp-option DOMAIN example.org" "SetLinkDNSEx 10.8.0.1|0| fd08::1|0|
SetLinkDomains example.org ~.
SetLinkDefaultRoute yes"
}
case_resolved_dns_block() {
  tells_resolved "dns search-domains example.org
dns server 0 address 10.8.0.1:5353
dns server 0 dnssec yes
dns server 0 transport DoT
dns server 0 sni dns.example.org
dns server 0 resolve-domains internal.example.org" \
    "SetLinkDNSEx 10.8.0.1|5353|dns.example.org
SetLinkDomains example.org ~internal.example.org
SetLinkDefaultRoute no
SetLinkDNSSEC yes
SetLinkDNSOverTLS yes"
}
case_resolved_user_nobody() {
  open_lab_to_others
  tells_resolved "dhcp-option DNS 10.8.0.1" "SetLinkDNSEx 10.8.0.1|0|
SetLinkDomains ~.
SetLinkDefaultRoute yes" "user nobody"
}
