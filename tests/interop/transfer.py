"""Carries one file over one TCP connection; both ends print its SHA-256.

    transfer.py receive PORT         prints "listening", then the digest
    transfer.py send HOST PORT FILE  prints the digest
"""

import hashlib
import socket
import sys

CHUNK = 1 << 18
TIME_LIMIT = 100  # seconds without a byte


def receive(port):
    with socket.create_server(("", port)) as listener:
        listener.settimeout(TIME_LIMIT)
        print("listening", flush=True)
        connection, _ = listener.accept()
    digest = hashlib.sha256()
    with connection:
        connection.settimeout(TIME_LIMIT)
        while chunk := connection.recv(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def send(host, port, path):
    digest = hashlib.sha256()
    with socket.create_connection((host, port), TIME_LIMIT) as connection:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                connection.sendall(chunk)
    return digest.hexdigest()


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "receive":
        print("sha256", receive(int(arguments[1])))
    elif len(arguments) == 4 and arguments[0] == "send":
        print("sha256", send(arguments[1], int(arguments[2]), arguments[3]))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
