"""A UDP relay that loses, delays and doubles datagrams by a seed.

    lossy_relay.py LISTEN-ADDRESS PORT TO-ADDRESS PORT [--loss RATE]
                   [--delay SECONDS] [--jitter SECONDS] [--duplicate RATE]
                   [--seed N]

Says "listening" when it does, and what it did when it is ended: the time of the
first datagram on the machine's monotonic clock, and counts. Whether the
n-th datagram of a direction is lost depends on the seed, the direction and n
alone, so two clients that are sent through it in turn meet the same losses.
Each client address has a socket of its own towards the server, as behind NAT.
"""

import argparse
import heapq
import random
import select
import signal
import socket
import sys
import time


class Direction:
    """The fate of the datagrams of one direction."""

    def __init__(self, options, name):
        self.random = random.Random(f"{options.seed} {name}")
        self.options = options
        self.seen = self.lost = self.doubled = 0

    def fates(self):
        """Seconds after which a copy goes on; one item for each copy."""
        # The same number of draws for each datagram, whatever becomes of it.
        lost, doubled, late, later = (self.random.random() for _ in range(4))
        self.seen += 1
        if lost < self.options.loss:
            self.lost += 1
            return []
        delays = [self.options.delay + late * self.options.jitter]
        if doubled < self.options.duplicate:
            self.doubled += 1
            delays.append(self.options.delay + later * self.options.jitter)
        return delays

    def __str__(self):
        return f"seen {self.seen}, lost {self.lost}, doubled {self.doubled}"


class Relay:
    def __init__(self, options):
        self.target = (options.to_address, options.to_port)
        self.up = Direction(options, "up")
        self.down = Direction(options, "down")
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind((options.address, options.port))
        self.back = {}  # socket by client
        self.client = {}  # client by socket
        self.held = []  # (when, order, socket, datagram, to)
        self.order = 0
        self.first = None

    def socket_of(self, client):
        if client not in self.back:
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            # Not connected: a server that is away must not raise errors here.
            back.bind(("", 0))
            self.back[client] = back
            self.client[back] = client
        return self.back[client]

    def take(self, ready):
        datagram, sender = ready.recvfrom(65536)
        if ready is self.front:
            way, out, to = self.up, self.socket_of(sender), self.target
        else:
            way, out, to = self.down, self.front, self.client[ready]
        now = time.monotonic()
        self.first = self.first or now
        for after in way.fates():
            self.order += 1
            heapq.heappush(self.held,
                           (now + after, self.order, out, datagram, to))

    def give(self):
        """Sends what is due; seconds until the next is, or none."""
        while self.held:
            wait = self.held[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, out, datagram, to = heapq.heappop(self.held)
            try:
                out.sendto(datagram, to)
            except OSError:
                pass  # as a wire would: gone
        return None

    def run(self):
        while True:
            wait = self.give()
            sockets = [self.front, *self.client]
            for ready in select.select(sockets, [], [], wait)[0]:
                try:
                    self.take(ready)
                except OSError:
                    pass


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("to_address")
    parser.add_argument("to_port", type=int)
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--jitter", type=float, default=0)
    parser.add_argument("--duplicate", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    relay = Relay(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("listening", flush=True)
    try:
        relay.run()
    except (SystemExit, KeyboardInterrupt):
        print(relay.first or 0, flush=True)
        print(f"up: {relay.up}; down: {relay.down}", flush=True)


main()
