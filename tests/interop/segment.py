"""The largest segment that a TCP connection through the tunnel may carry.

segment.py listen PORT             says "listening", then what its peer allows
segment.py connect ADDRESS PORT
"""
import socket
import sys


def listen(port: int) -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", port))
        server.listen(1)
        print("listening", flush=True)
        server.settimeout(10)
        connection, _ = server.accept()
        with connection:
            size = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            print("segment", size, flush=True)


def connect(address: str, port: int) -> None:
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.recv(1)


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    connect(sys.argv[2], int(sys.argv[3]))
