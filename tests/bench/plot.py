"""Tables and a plot of what faults.sh has measured.

    plot.py RAW [FAULTS-MD]

RAW has one JSON object in a line. Prints the tables; writes them into the
section "Figures" of FAULTS-MD between two marks, and the plot of handshakes
beside it. What was not measured stays out.
"""

import json
import os
import platform
import sys
from statistics import median

BEGIN = "<!-- figures: written by tests/bench/faults.sh -->"
END = "<!-- end of figures -->"
HEADING = "## Figures"
PLOT = "faults-handshake.svg"
CLIENTS = ("stock", "ours")


# -- numbers -----------------------------------------------------------------


def seconds(x):
    if x is None:
        return "none"
    return f"{x * 1000:.0f} ms" if x < 1 else f"{x:.2f} s"


def percentile(values, share):
    """Of values that may lack: those come last, since they took longest."""
    ordered = sorted(values, key=lambda x: float("inf") if x is None else x)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def middle(values):
    """The median, where None is longer than anything."""
    numbers = [float("inf") if x is None else x for x in values]
    result = median(numbers)
    return None if result == float("inf") else result


def ratio(mine, other):
    if mine is None or not other:
        return "-"
    return f"{mine / other:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(x) for x in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def pick(results, figure, **fields):
    return [x for x in results if x["figure"] == figure
            and all(x.get(name) == value for name, value in fields.items())]


def values_of(results, name):
    """In the order in which they first appear."""
    return list(dict.fromkeys(x[name] for x in results))


# -- the figures -------------------------------------------------------------


def renegotiations(results):
    rows = []
    for by in ("client", "server", "both"):
        for x in pick(results, "renegotiation", by=by):
            if x.get("failed"):
                rows.append([by, "failed"] + [""] * 5)
                continue
            rows.append([by, x["renegotiations"], x["no_key"],
                         x["server_no_key"], f'{x["up_lost"]}/{x["up_sent"]}',
                         f'{x["down_lost"]}/{x["down_sent"]}',
                         x["sessions"] - 1])
    if not rows:
        return ""
    return ("### Packets without a key\n\n"
            "Keys renewed every two seconds at a stock server, under iperf3 "
            "with 10 Mbit/s of UDP each way.\n\n"
            + table(["asked for by", "renegotiations", "dropped for want of a "
                     "key, ours", "the server's complaints", "lost up",
                     "lost down", "reconnections"], rows))


EVENTS = {
    "nothing": "nothing happens",
    "server_term": "server restarted, SIGTERM",
    "server_kill": "server restarted, SIGKILL",
    "link_down": "link down for 10 s",
}


def gap(result):
    """Until traffic was back."""
    if result.get("failed") or not result["back"]:
        return None
    return result["gap"]


def delay(result):
    """The part of it in which the server was within reach."""
    if gap(result) is None or result["again"] is None:
        return None
    return max(0.0, result["ended"] - result["again"])


def recoveries(results):
    text = ""
    mine = [x for x in pick(results, "recovery")
            if x["event"].startswith("layer.") or x["event"] == "nothing"]
    rows = []
    for event in values_of(mine, "event"):
        tries = pick(mine, "recovery", event=event)
        gaps = [gap(x) for x in tries]
        rows.append([event.replace("layer.", "").upper() if "layer." in event
                     else EVENTS[event], len(tries), seconds(middle(gaps)),
                     seconds(percentile(gaps, 1)),
                     max(x.get("sessions", 1) for x in tries) - 1])
    if rows:
        text += ("### Time to traffic again: a layer dies\n\n"
                 "The longest silence on a stream of one datagram each 5 ms "
                 "through the tunnel and back, after one layer of ours was "
                 "killed.\n\n"
                 + table(["dies", "tries", "median", "longest",
                          "reconnections"], rows) + "\n")
    both = [x for x in pick(results, "recovery")
            if x["event"] in EVENTS and x["event"] != "nothing"]
    rows = []
    for event in ("server_term", "server_kill", "link_down"):
        for keepalive in values_of(both, "keepalive"):
            tries = pick(both, "recovery", event=event, keepalive=keepalive)
            if not tries:
                continue
            row = [EVENTS[event], keepalive, len(tries) // len(CLIENTS)]
            for part in (gap, delay):
                of = {name: [part(x) for x in tries if x["client"] == name]
                      for name in CLIENTS}
                middles = {name: middle(of[name]) if of[name] else None
                           for name in CLIENTS}
                row += [seconds(middles[name]) for name in CLIENTS]
                row.append(ratio(middles["ours"], middles["stock"]))
            rows.append(row)
    if rows:
        text += ("### Time to traffic again: against stock openvpn\n\n"
                 "Medians of the longest silence, and of its part after the "
                 "server was within reach again. The server has "
                 "`explicit-exit-notify 1`, so it says that it goes when it is "
                 "asked to; a killed one does not.\n\n"
                 + table(["event", "keepalive", "tries", "stock", "ours",
                          "ratio", "stock, once possible",
                          "ours, once possible", "ratio"], rows))
    return text.rstrip("\n") + "\n" if text else ""


def start_up(results):
    """What a process does before its first datagram is no handshake."""
    of = {name: [x["until_first"] for x in
                 pick(results, "handshake", loss=0, client=name)
                 if "until_first" in x] for name in CLIENTS}
    if not all(of.values()):
        return ""
    return (f" Of that {seconds(median(of['stock']))} (stock) and "
            f"{seconds(median(of['ours']))} (ours) are the start of the "
            "process, before its first datagram.")


def handshakes(results, plot):
    rows = []
    for loss in sorted(values_of(pick(results, "handshake"), "loss")):
        of = {name: [x["seconds"] for x in
                     pick(results, "handshake", loss=loss, client=name)]
              for name in CLIENTS}
        if not all(of.values()):
            continue
        middles = {name: middle(of[name]) for name in CLIENTS}
        rows.append([f"{loss * 100:.0f} %", len(of["ours"])]
                    + [seconds(middles[name]) for name in CLIENTS]
                    + [ratio(middles["ours"], middles["stock"])]
                    + [seconds(percentile(of[name], 0.9)) for name in CLIENTS]
                    + [of[name].count(None) for name in CLIENTS])
    if not rows:
        return ""
    return ("### Time to connect through losses\n\n"
            "From the start of the process to *Initialization Sequence "
            "Completed*, through a relay that loses so many datagrams each way "
            "and delays the others by 10 ms; the same seeds for both clients, "
            f"in turn.{start_up(results)}\n\n"
            + table(["loss each way", "tries", "stock, median",
                     "ours, median", "ratio", "stock, 90 %", "ours, 90 %",
                     "stock, failures", "ours, failures"], rows)
            + (f"\n![Time to connect over the rate of loss]({PLOT})\n"
               if plot else ""))


def memory(results):
    rows = [[x["kills"], f'{x["kib"]} KiB', f'{x["allocated"]} KiB',
             x["actors"]]
            for x in pick(results, "memory")]
    if not rows:
        return ""
    return ("### Memory over many deaths\n\n"
            "One client on the virtual clock whose layers are killed in turn; "
            "what the process holds.\n\n"
            + table(["kills", "resident", "allocated", "actors"], rows))


# -- the plot ----------------------------------------------------------------

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 60, 20, 20, 50
COLOURS = {"stock": "#c2410c", "ours": "#1d4ed8"}


class Axes:
    """Loss from left to right, seconds upwards on a scale of powers of ten."""

    def __init__(self, losses, times):
        self.low, self.high = 0.05, 1.0
        while self.high < max(times):
            self.high *= 10
        self.losses = losses

    def x(self, loss):
        span = max(self.losses) or 1
        return LEFT + 20 + (WIDTH - LEFT - RIGHT - 40) * loss / span

    def y(self, time):
        from math import log10
        share = (log10(max(time, self.low)) - log10(self.low)) / (
            log10(self.high) - log10(self.low))
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def svg(self):
        for time in (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000):
            if time <= self.high:
                y = self.y(time)
                yield (f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" '
                       'stroke="#ccc"/>')
                yield (f'<text x="{LEFT - 8}" y="{y + 4:.1f}" '
                       f'text-anchor="end">{time:g} s</text>')
        for loss in self.losses:
            yield (f'<text x="{self.x(loss):.1f}" y="{HEIGHT - BOTTOM + 20}" '
                   f'text-anchor="middle">{loss * 100:.0f} %</text>')
        yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" '
               'text-anchor="middle">datagrams lost each way</text>')


def draw(results, path):
    """Each try as a dot, the medians as a line."""
    of = {name: pick(results, "handshake", client=name) for name in CLIENTS}
    times = [x["seconds"] for name in CLIENTS for x in of[name]
             if x["seconds"] is not None]
    if not times:
        return False
    losses = sorted(values_of(pick(results, "handshake"), "loss"))
    axes = Axes(losses, times)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>', *axes.svg()]
    for shift, name in ((-5, "stock"), (5, "ours")):
        colour, points = COLOURS[name], []
        for loss in losses:
            tries = [x["seconds"] for x in of[name] if x["loss"] == loss]
            x = axes.x(loss) + shift
            out += [f'<circle cx="{x:.1f}" cy="{axes.y(time):.1f}" r="2" '
                    f'fill="{colour}" fill-opacity="0.35"/>'
                    for time in tries if time is not None]
            if tries and middle(tries) is not None:
                points.append(f"{x:.1f} {axes.y(middle(tries)):.1f}")
        out.append(f'<path d="M{"L".join(points)}" fill="none" '
                   f'stroke="{colour}" stroke-width="2"/>')
        y = TOP + (15 if name == "stock" else 33)
        out.append(f'<path d="M{LEFT + 15} {y - 4}h24" stroke="{colour}" '
                   f'stroke-width="2"/><text x="{LEFT + 45}" y="{y}">{name}, '
                   'median and each try</text>')
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    return True


# -- the document ------------------------------------------------------------


def put_into(path, text):
    """Between the marks; the section is appended when it is missing."""
    try:
        with open(path, encoding="utf-8") as file:
            old = file.read()
    except FileNotFoundError:
        old = "# Faults\n"
    block = f"{BEGIN}\n\n{text}\n{END}"
    if BEGIN in old and END in old:
        before, rest = old.split(BEGIN, 1)
        new = before + block + rest.split(END, 1)[1]
    elif HEADING + "\n" in old:
        before, rest = old.split(HEADING + "\n", 1)
        new = f"{before}{HEADING}\n\n{block}\n\n" + rest.lstrip("\n")
    else:
        new = f"{old.rstrip()}\n\n{HEADING}\n\n{block}\n"
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(new.rstrip("\n") + "\n")
    os.replace(path + ".new", path)


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    with open(arguments[0], encoding="utf-8") as file:
        results = [json.loads(line) for line in file if line.strip()]
    document = arguments[1] if len(arguments) == 2 else None
    plot = document and draw(
        results, os.path.join(os.path.dirname(document), PLOT))
    parts = [renegotiations(results), recoveries(results),
             handshakes(results, plot), memory(results)]
    text = "\n".join(part for part in parts if part)
    print(text)
    if document:
        kernel = platform.release().split("-")[0]
        put_into(document, f"Measured with Linux {kernel} on "
                 f"{os.cpu_count()} cores, both ends on one machine. Times of "
                 "milliseconds are as fine as a busy machine's scheduler.\n\n"
                 + text)


main(sys.argv[1:])
