# The data channel: ciphers, compression framing, fragments, sizes.

# Packets of all kinds of contents and lengths, both ways.
exchange_pings() {
  expect_answer "$ns_client" 10.8.0.1 -s 1400 -p 00
  expect_answer "$ns_server" 10.8.0.66 -s 1400 -p 00
  expect_answer "$ns_server" 10.8.0.66 -s 1400 -p 0123456789abcdef
  expect_answer "$ns_server" fd08::66 -s 3000
}

# -- ciphers -----------------------------------------------------------------

# negotiates NAME SERVER-LINES CLIENT-LINES
negotiates() {
  cipher=$1
  serve "${2:-}"
  profile "data-ciphers $1
${3:-}"
  compare uses_cipher "$1"
}
uses_cipher() {
  server_says 1 "(Data Channel: cipher|Cipher) '$1'"
  exchange_pings
}
case_cipher_aes_128_gcm() { negotiates AES-128-GCM; }
case_cipher_aes_192_gcm() { negotiates AES-192-GCM; }
case_cipher_chacha20() { negotiates CHACHA20-POLY1305; }
case_cipher_aes_128_cbc() { negotiates AES-128-CBC; }
case_cipher_aes_256_cbc_sha256() {
  negotiates AES-256-CBC "auth SHA256" "auth SHA256"
}
case_cipher_aes_256_cbc_sha512() {
  protocol=tcp
  negotiates AES-256-CBC "auth SHA512" "auth SHA512"
}

# The server's order decides.
case_cipher_order() {
  cipher=CHACHA20-POLY1305:AES-128-GCM
  serve
  profile "data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305"
  compare uses_cipher CHACHA20-POLY1305
}

case_cipher_mismatch() {
  cipher=AES-128-GCM
  serve
  profile "data-ciphers AES-256-GCM:CHACHA20-POLY1305"
  both_fail 6 "AUTH_FAILED,Data channel cipher negotiation failed"
}

# An old server with one cipher and none of the negotiation pushes it all the
# same; an old profile names it in the old way.
case_cipher_old_names() {
  cipher=AES-256-CBC
  serve "cipher AES-256-CBC"
  profile "ncp-ciphers AES-256-GCM:AES-256-CBC
cipher AES-256-CBC"
  compare uses_cipher AES-256-CBC
}

# The cipher of last resort does not stand in the list that the server sees.
case_cipher_fallback_unlisted() {
  cipher=AES-256-CBC
  serve
  profile "data-ciphers AES-256-GCM
data-ciphers-fallback AES-256-CBC"
  both_fail 6 "AUTH_FAILED,Data channel cipher negotiation failed"
}

# -- compression -------------------------------------------------------------

# framing SERVER-LINES CLIENT-LINES
framing() {
  serve "$1"
  profile "${2:-}"
  compare exchange_pings
}
case_comp_lzo_no() { framing "comp-lzo no" "comp-lzo no"; }
case_comp_lzo_no_pushed() {
  framing "comp-lzo no
push \"comp-lzo no\""
}
case_compress_stub() {
  framing "compress stub
push \"compress stub\""
}
case_compress_stub_v2() {
  framing "compress stub-v2
push \"compress stub-v2\""
}
case_compress_migrate() { framing "compress migrate" "comp-lzo"; }

# The server compresses what it sends; the client opens that, and sends
# uncompressed packets in the same framing.
compressed() {
  serve "allow-compression yes
$1
push \"$1\""
  profile "allow-compression ${2:-asym}"
  compare opens_compressed_packets
}
opens_compressed_packets() {
  exchange_pings
  local before after
  before=$(sent_by_server)
  expect_ping "$ns_server" 10.8.0.66 -s 1400 -p 00 -i 0.01
  after=$(sent_by_server)
  [ $((after - before)) -lt 3000 ] ||
    fail "the server did not compress: 3 packets made $((after - before)) bytes"
}
sent_by_server() {
  in_server cat /sys/class/net/veth0/statistics/tx_bytes
}
case_comp_lzo_yes() { compressed "comp-lzo yes"; }
case_comp_lzo_adaptive() { compressed "comp-lzo adaptive"; }
case_compress_lzo() { compressed "compress lzo" yes; }
case_compress_lz4() { compressed "compress lz4"; }
case_compress_lz4_v2() { compressed "compress lz4-v2" yes; }
# With fragments and CBC in one packet.
case_compress_cbc_fragment() {
  cipher=AES-256-CBC
  serve "allow-compression yes
compress lz4
push \"compress lz4\"
fragment 1200
mssfix 0"
  profile "allow-compression asym
data-ciphers AES-256-CBC
fragment 1200
mssfix 0"
  compare opens_compressed_packets
}

# Pushed, but this client has not allowed it.
case_compress_not_allowed() {
  serve "allow-compression yes
compress lz4
push \"compress lz4\""
  profile "allow-compression no"
  both_fail 8 "[Cc]ompression"
}

# -- sizes -------------------------------------------------------------------

case_fragment() {
  # Or pieces of one packet would cross the wire as one, to be cut apart by a
  # network card that is not there.
  in_client ip link set dev veth0 gso_max_segs 1
  serve "fragment 1200
mssfix 0"
  profile "fragment 1200
mssfix 0"
  compare big_packets_cross
}
big_packets_cross() {
  expect_answer "$ns_client" 10.8.0.1 -s 1472 -M do
  expect_answer "$ns_server" 10.8.0.66 -s 1472 -M do
  expect_answer "$ns_client" fd08::1 -s 4000
  # Nothing on the wire is larger: 42 bytes of Ethernet, IP and UDP.
  capture_wire "$lab_dir/wire.pcap" udp and greater 1243
  expect_answer "$ns_client" 10.8.0.1 -s 1472 -M do
  end_capture
  [ -z "$(tcpdump -n -r "$lab_dir/wire.pcap" 2>/dev/null)" ] ||
    fail "a datagram is larger than fragment allows"
}
case_fragment_mtu() {
  serve "fragment 1300 mtu"
  profile "fragment 1300 mtu"
  compare exchange_pings
}

# The server leaves TCP alone, so what both ends see is the client's doing.
segments() {
  serve "mssfix 0
${2:-}"
  profile "$1"
  compare see_segments
}
see_segments() {
  found "from the client $(segment "$ns_client" "$ns_server" 10.8.0.1)"
  found "from the server $(segment "$ns_server" "$ns_client" 10.8.0.66)"
  found "from the client, IPv6 $(segment "$ns_client" "$ns_server" fd08::1)"
}
# segment FROM TO ADDRESS: what the listener at the address may send.
segment() {
  local log=$lab_dir/segment.log
  run_child "$2" "$log" "$python" "$here/segment.py" listen 5002
  wait_for_line 10 "$child" "$log" listening || fail "no listener"
  ip netns exec "$1" "$python" "$here/segment.py" connect "$3" 5002 ||
    fail "no connection to $3"
  wait_for_line 10 "$child" "$log" segment || fail "no segment size"
  wait_until 5 gone "$child" || fail "the listener does not end"
  sed -n 's/segment //p' "$log"
}
case_mssfix_default() { segments ""; }
case_mssfix_plain() { segments "mssfix 1200"; }
case_mssfix_mtu() { segments "mssfix 1300 mtu"; }
case_mssfix_fixed() { segments "mssfix 1100 fixed"; }
case_mssfix_off() { segments "mssfix 0"; }
case_mssfix_cbc_tcp() {
  protocol=tcp
  cipher=AES-128-CBC
  segments "mssfix 1250
data-ciphers AES-128-CBC"
}
case_mssfix_framing() {
  segments "comp-lzo no
mssfix 1250" "comp-lzo no"
}

case_tun_mtu() {
  serve "tun-mtu 1400"
  profile "tun-mtu 1400"
  compare exchange_pings
}
case_tun_mtu_pushed() {
  serve "tun-mtu 1300"
  profile
  compare see_segments
}
case_tun_mtu_too_large() {
  serve "tun-mtu 1700"
  profile
  compare :
}
