# The control channel: wrapping, renegotiation, sizes.

# Makes keys of tls-crypt-v2; the words are metadata in base64.
crypt_v2_keys() {
  openvpn --genkey tls-crypt-v2-server "$lab_dir/v2-server.pem" &&
    openvpn --tls-crypt-v2 "$lab_dir/v2-server.pem" \
      --genkey tls-crypt-v2-client "$lab_dir/v2-client.pem" "$@" ||
    fail "no keys for tls-crypt-v2"
  wrap=none
}

case_tls_crypt_v2() {
  crypt_v2_keys
  serve "tls-crypt-v2 \"$lab_dir/v2-server.pem\""
  profile "tls-crypt-v2 \"$lab_dir/v2-client.pem\""
  compare
}

case_tls_crypt_v2_inline() {
  crypt_v2_keys
  serve "tls-crypt-v2 \"$lab_dir/v2-server.pem\""
  profile "<tls-crypt-v2>
$(cat "$lab_dir/v2-client.pem")
</tls-crypt-v2>"
  compare
}

case_tls_crypt_v2_force_cookie() {
  crypt_v2_keys
  serve "tls-crypt-v2 \"$lab_dir/v2-server.pem\" force-cookie"
  profile "tls-crypt-v2 \"$lab_dir/v2-client.pem\""
  compare
}

case_tls_crypt_v2_tcp() {
  protocol=tcp
  crypt_v2_keys
  serve "tls-crypt-v2 \"$lab_dir/v2-server.pem\" force-cookie"
  profile "tls-crypt-v2 \"$lab_dir/v2-client.pem\""
  compare
}

# What is wrapped into the client's key arrives.
case_tls_crypt_v2_metadata() {
  crypt_v2_keys "$(printf 'laptop of Ann' | base64)"
  script verify-metadata <<END
cat "\$metadata_file" >>"$lab_dir/metadata"
END
  serve "tls-crypt-v2 \"$lab_dir/v2-server.pem\"
tls-crypt-v2-verify $lab_dir/verify-metadata"
  profile "tls-crypt-v2 \"$lab_dir/v2-client.pem\""
  metadata_arrived() {
    grep -qF "laptop of Ann" "$lab_dir/metadata" || fail "no metadata"
    rm "$lab_dir/metadata"
  }
  compare metadata_arrived
}

case_tls_crypt_v2_wrong_key() {
  crypt_v2_keys
  serve "tls-crypt-v2 \"$lab_dir/v2-server.pem\""
  crypt_v2_keys
  profile "tls-crypt-v2 \"$lab_dir/v2-client.pem\""
  both_fail 4 "does not answer" "TLS key negotiation failed|server_poll"
}

tls_auth_with() {
  wrap=tls-auth
  serve "auth $1"
  profile "auth $1"
  compare
}
case_tls_auth_sha256() { tls_auth_with SHA256; }
case_tls_auth_sha512() { tls_auth_with SHA512; }

case_tls_auth_without_direction() {
  wrap=none
  serve "tls-auth \"$lab_pki/tls-auth.pem\""
  profile "tls-auth \"$lab_pki/tls-auth.pem\""
  compare
}

# -- renegotiation -----------------------------------------------------------

# The server asks for new keys after two seconds. The second handshake is
# wrapped with a key that comes out of the first.
renegotiate() {
  serve "${1:-}
reneg-sec 2"
  profile "${2:-}"
  compare keys_are_renewed
}
keys_are_renewed() {
  server_says 10 "Control Channel: TLSv1" 2
  expect_answer "$ns_client" 10.8.0.1
  expect_answer "$ns_server" 10.8.0.66
}
case_reneg_none() {
  wrap=none
  renegotiate
}
case_reneg_tls_auth() {
  wrap=tls-auth
  renegotiate
}
case_reneg_tls_crypt() { renegotiate; }
case_reneg_tls_crypt_v2() {
  crypt_v2_keys
  renegotiate "tls-crypt-v2 \"$lab_dir/v2-server.pem\"" \
    "tls-crypt-v2 \"$lab_dir/v2-client.pem\""
}
case_reneg_tcp() {
  protocol=tcp
  renegotiate
}
# The client may be the one that asks.
case_reneg_by_client() {
  serve
  profile "reneg-sec 2"
  compare keys_are_renewed
}

# -- sizes -------------------------------------------------------------------

case_max_packet_size() {
  serve
  profile "max-packet-size 500"
  each sends_small_packets
}
sends_small_packets() {
  capture_wire "$lab_dir/wire.pcap" "udp and src host 10.199.0.2"
  visit :
  end_capture
  # Only the handshake is large here. 42 bytes of Ethernet, IP and UDP.
  [ -z "$(tcpdump -n -r "$lab_dir/wire.pcap" greater 543 2>/dev/null)" ] ||
    fail "a control packet is larger than 500 bytes"
}

# Certificates of several KB: many control packets, beyond the window of
# unacknowledged ones.
case_big_certificates() {
  issue_here server "$lab_pki/ca" serverAuth "$p256" 3650 \
    "nsComment=$(head -c 6000 /dev/zero | tr '\0' s)"
  issue_here client "$lab_pki/ca" clientAuth "$p256" 3650 \
    "nsComment=$(head -c 6000 /dev/zero | tr '\0' c)"
  serve "cert $lab_dir/server.crt
key $lab_dir/server.key"
  profile "cert $lab_dir/client.crt
key $lab_dir/client.key"
  compare
}

# The server keeps no state before the third packet, so a client that says its
# first words twice is one client.
case_stateless_handshake() {
  wrap=tls-auth
  serve "connect-freq-initial 4 60"
  profile "tls-timeout 1"
  one_initiation() {
    server_says 1 "Peer Connection Initiated" 1
    [ "$(grep -c "TLS: Initial packet from" "$server_log")" -le 2 ] ||
      fail "the server took one client for many"
  }
  compare one_initiation
}

# An independent dissector reads what goes over the wire.
dissected() {
  serve
  profile
  each dissect "$@"
  expect_agreement
}
dissect() {
  local capture=$lab_dir/$side.pcap
  capture_wire "$capture" udp port 1194
  start_client "$lab_dir/client.ovpn"
  client_is_up
  expect_answer "$ns_client" 10.8.0.1
  leave
  end_capture
  tshark -r "$capture" -d udp.port==1194,openvpn "$@" -V \
    >"$lab_dir/$side.dissected" 2>"$lab_dir/tshark.log" ||
    fail "tshark does not read it"
  if grep -qiE "malformed|unknown opcode|expert info.*error" \
    "$lab_dir/$side.dissected"; then
    fail "tshark calls a packet malformed"
  fi
  # Each kind of packet that the client sends, and the fields it has.
  tshark -r "$capture" -d udp.port==1194,openvpn "$@" -T fields \
    -e openvpn.opcode -Y 'ip.src==10.199.0.2' 2>/dev/null | sort -u |
    while read -r opcode; do found "opcode $opcode"; done
  tshark -r "$capture" -d udp.port==1194,openvpn "$@" -T fields \
    -e openvpn.mpid -Y 'ip.src==10.199.0.2 && openvpn.mpid' 2>/dev/null |
    sort -nu | head -n 3 | while read -r id; do found "message $id"; done
  [ "$(tshark -r "$capture" -d udp.port==1194,openvpn "$@" -T fields \
    -e openvpn.sessionid -Y 'ip.src==10.199.0.2 && openvpn.sessionid' \
    2>/dev/null | sort -u | grep -c .)" = 1 ] ||
    fail "tshark sees other than one session id"
}
case_dissector_none() {
  wrap=none
  dissected
}
case_dissector_tls_auth() {
  wrap=tls-auth
  dissected -o openvpn.tls_auth:TRUE -o openvpn.tls_auth_hmac_size:20
}
