"""A SOCKS5 proxy that asks for a name and a password: CONNECT and UDP ASSOCIATE.

socks.py ADDRESS PORT NAME PASSWORD        says "listening" when it does
"""
import select
import socket
import struct
import sys
import threading

address, port, name, password = sys.argv[1], int(sys.argv[2]), *sys.argv[3:5]


def exactly(client, size):
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def log_in(client) -> bool:
    _, count = exactly(client, 2)
    if 2 not in exactly(client, count):
        client.sendall(b"\x05\xff")
        return False
    client.sendall(b"\x05\x02")
    exactly(client, 1)
    given = [exactly(client, exactly(client, 1)[0]) for _ in range(2)]
    good = given == [name.encode(), password.encode()]
    client.sendall(b"\x01" + (b"\x00" if good else b"\x01"))
    return good


def destination(client):
    kind = exactly(client, 1)[0]
    if kind == 1:
        host = socket.inet_ntoa(exactly(client, 4))
    elif kind == 3:
        host = exactly(client, exactly(client, 1)[0]).decode()
    else:
        host = socket.inet_ntop(socket.AF_INET6, exactly(client, 16))
    return host, struct.unpack("!H", exactly(client, 2))[0]


def answer(client, bound):
    client.sendall(b"\x05\x00\x00\x01" + socket.inet_aton(bound[0])
                   + struct.pack("!H", bound[1]))


def connect(client, to):
    with socket.create_connection(to, 10) as server:
        answer(client, server.getsockname())
        other = {client: server, server: client}
        while True:
            for end in select.select(list(other), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                other[end].sendall(data)


def associate(client):
    """Each datagram has ten bytes before it: 0 0, fragment, kind, address."""
    inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with inner, outer:
        inner.bind((address, 0))
        answer(client, inner.getsockname())
        user = None
        while True:
            for end in select.select([client, inner, outer], [], [])[0]:
                if end is client:
                    return
                data, sender = end.recvfrom(65536)
                if end is inner and data[:4] == b"\x00\x00\x00\x01":
                    user = sender
                    to = socket.inet_ntoa(data[4:8])
                    outer.sendto(data[10:],
                                 (to, struct.unpack("!H", data[8:10])[0]))
                elif end is outer and user:
                    inner.sendto(b"\x00\x00\x00\x01"
                                 + socket.inet_aton(sender[0])
                                 + struct.pack("!H", sender[1]) + data, user)


def serve(client):
    with client:
        try:
            if not log_in(client):
                return
            command = exactly(client, 3)[1]
            to = destination(client)
            if command == 1:
                connect(client, to)
            else:
                associate(client)
        except OSError:
            pass


with socket.create_server((address, port)) as listener:
    print("listening", flush=True)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=serve, args=(peer,), daemon=True).start()
