"""Stands in for a service manager: writes down what a service tells it.

notify.py SOCKET        one line for each assignment, "listening" first
"""
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(sys.argv[1])
    print("listening", flush=True)
    while True:
        print(manager.recv(65536).decode().rstrip("\n"), flush=True)
