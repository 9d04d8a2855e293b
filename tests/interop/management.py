"""Gives one command to the management interface of an openvpn.

management.py SOCKET COMMAND
"""
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_UNIX) as management:
        management.settimeout(10)
        management.connect(sys.argv[1])
        management.sendall(sys.argv[2].encode() + b"\n")
        answer = b""
        while b"SUCCESS" not in answer:
            piece = management.recv(4096)
            if not piece or b"ERROR" in answer:
                sys.exit(answer.decode())
            answer += piece


main()
