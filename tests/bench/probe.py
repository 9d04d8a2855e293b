"""Small datagrams through a tunnel, and how long they did not come back.

    probe.py echo PORT
        says "listening", then returns what comes.
    probe.py send DEVICE HOST PORT SECONDS LIMIT
        sends one through DEVICE every five milliseconds and says "answered"
        when the first comes back. Goes on for SECONDS, and until two seconds
        after the last long silence, but not longer than LIMIT. Ends with the
        fields of a JSON object: the longest time without an answer, when it
        ended on the machine's monotonic clock, how many were sent, answered,
        and answered late.
"""

import select
import socket
import sys
import time

INTERVAL = 0.005
SILENCE = 0.5  # what is worth waiting for the end of
WAKE = 2.0
LATE = 0.25


def echo(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        # Not bound to the tunnel's address, which goes and comes.
        own.bind(("", port))
        print("listening", flush=True)
        while True:
            datagram, sender = own.recvfrom(2048)
            try:
                own.sendto(datagram, sender)
            except OSError:
                pass


class Prober:
    def __init__(self, device, target):
        self.device = device
        self.target = target
        self.own = None
        self.sent = self.answered = self.late = 0
        self.began = self.last = time.monotonic()
        self.longest = (0.0, 0.0)  # how long, since when
        self.woke = 0.0  # the end of the last long silence

    def open(self):
        """A device that was made anew is another one: bound again."""
        self.own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.own.setblocking(False)
        self.own.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                            self.device.encode())

    def close(self):
        if self.own:
            self.own.close()
        self.own = None

    def send(self):
        self.sent += 1
        try:
            if not self.own:
                self.open()
            self.own.sendto(b"%f" % time.monotonic(), self.target)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def receive(self):
        while self.own:
            try:
                datagram = self.own.recv(2048)
            except OSError:
                return
            self.count(time.monotonic(), float(datagram))

    def count(self, now, sent_at):
        if not self.answered:
            print("answered", flush=True)
            self.last = now
        self.answered += 1
        self.late += now - sent_at > LATE
        if now - self.last > SILENCE:
            self.woke = now
        self.longest = max(self.longest, (now - self.last, self.last))
        self.last = now

    def flows(self, now):
        return now - self.last < SILENCE and now - self.woke > WAKE

    def run(self, seconds, limit):
        due = self.began
        while True:
            now = time.monotonic()
            age = now - self.began
            if age > limit or (age > seconds and self.flows(now)):
                break
            if now >= due:
                self.send()
                # What a busy machine has missed is not made up for.
                due = max(due + INTERVAL, now)
            wait = max(0.0, due - time.monotonic())
            if self.own:
                select.select([self.own], [], [], wait)
            else:
                time.sleep(wait)
            self.receive()
        now = time.monotonic()
        longest, since = max(self.longest, (now - self.last, self.last))
        print(f'"gap": {longest:.4f}, "ended": {since + longest:.4f}, '
              f'"sent": {self.sent}, "answered": {self.answered}, '
              f'"late": {self.late}, '
              f'"back": {"true" if self.flows(now) else "false"}', flush=True)


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "echo":
        echo(int(arguments[1]))
    elif len(arguments) == 6 and arguments[0] == "send":
        _, device, host, port, seconds, limit = arguments
        Prober(device, (host, int(port))).run(float(seconds), float(limit))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
