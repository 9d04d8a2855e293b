"""How long clients take to connect through a lossy relay, ours and the stock
one in turn, with the same losses for both.

    handshakes.py PLAN      a file in JSON, written by faults.sh

    {"clients": {"stock": [WORD...], "ours": [WORD...]}, # commands
     # prefixes, for namespaces
     "lanes": [{"client": [WORD...], "server": [WORD...], "port": N}...],
     "relay": [WORD...],        # PORT in any command: the lane's port
     "rates": [0, 0.1...], "tries": N, "limit": SECONDS, "phrase": "..."}

Prints one JSON line for each connection: seconds from the start of the process,
and of those the seconds until its first datagram. Lanes work at the same time,
since clients mostly wait for what was lost; without losses only one does. A try
that is not up within the limit is a failure and has no time.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

children = set()


def start(lane, where, words):
    words = [word.replace("PORT", str(lane["port"])) for word in words]
    child = subprocess.Popen(
        lane[where] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace")
    children.add(child)
    return child


def end(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    children.discard(process)


def end_all(*_):
    for child in children:
        child.kill()
    os._exit(143)


def seconds_until(phrase, process, began, limit):
    """Seconds until a line of the process has the phrase, or none."""
    found = queue.Queue()

    def read():
        for line in process.stdout:
            if phrase in line:
                found.put(time.monotonic() - began)
                break
        else:
            found.put(None)
        for _ in process.stdout:
            pass  # or it would wait for somebody to read

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        return found.get(timeout=limit)
    except queue.Empty:
        return None


def connect(plan, lane, name, rate, seed):
    relay = start(lane, "server", plan["relay"]
                  + ["--loss", str(rate), "--seed", str(seed)])
    try:
        if relay.stdout.readline().strip() != "listening":
            raise RuntimeError("the relay does not start")
        began = time.monotonic()
        client = start(lane, "client", plan["clients"][name])
        try:
            took = seconds_until(plan["phrase"], client, began, plan["limit"])
        finally:
            end(client)
    finally:
        end(relay)
    first, counts = relay.stdout.read().strip().split("\n")
    return {"figure": "handshake", "client": name, "loss": rate, "seed": seed,
            "seconds": None if took is None else round(took, 4),
            "until_first": round(float(first) - began, 4), "relay": counts}


def work(plan, lane, jobs, say):
    while True:
        try:
            rate, seed = jobs.get_nowait()
        except queue.Empty:
            return
        for name in plan["clients"]:
            say(connect(plan, lane, name, rate, seed))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end_all)
    lock = threading.Lock()

    def say(result):
        with lock:
            print(json.dumps(result), flush=True)

    for rate in plan["rates"]:
        jobs = queue.Queue()
        for seed in range(1, plan["tries"] + 1):
            jobs.put((rate, seed))
        lanes = plan["lanes"] if rate else plan["lanes"][:1]
        workers = [threading.Thread(target=work, args=(plan, lane, jobs, say))
                   for lane in lanes]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


main()
