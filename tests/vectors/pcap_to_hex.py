"""Prints the first datagrams of a pcap file of Ethernet, IPv4 and UDP, one per
line: "C>S hex" towards port 1194, "S>C hex" from it."""
import struct
import sys


def main(path, limit):
    with open(path, "rb") as file:
        data = file.read()
    at = 24
    while at + 16 <= len(data) and limit > 0:
        size = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + size]
        at += 16 + size
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        udp = 14 + (frame[14] & 15) * 4
        to = struct.unpack_from(">H", frame, udp + 2)[0]
        length = struct.unpack_from(">H", frame, udp + 4)[0]
        way = "C>S" if to == 1194 else "S>C"
        print(way, frame[udp + 8:udp + length].hex())
        limit -= 1


main(sys.argv[1], int(sys.argv[2]))
