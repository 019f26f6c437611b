# SPDX-License-Identifier: MIT
"""The order gateway of client/examples: slabd beside malloc and jemalloc."""
import os
import re
import statistics
import subprocess

import show
from place import Slabd

ORDERS = 2_000_000
KILLS = 100
COST = re.compile(r": (\d+) orders/s, ([\d.]+) us of CPU an order, ([\d.]+) %")
LOST = re.compile(r": (\d+) kills: (\d+) lost, (\d+) twice and marked, (\d+) twice unmarked")
# whom, of slabd's orders/s and CPU an order to theirs: at least, at the most
REACH = (("malloc", 1.5, 0.65), ("jemalloc", 1.2, 0.85))
SHARE = 4.0
LINES = 60
MARKS = ("/* ---- around the library: from here", "/* ---- to here")


class Run:
    """One run of one way: what it printed."""

    def __init__(self, bench, arguments, env):
        program = os.path.join(bench.options.build, "client/examples/gateway")
        done = subprocess.run([program, *arguments], stdout=subprocess.PIPE,
                              text=True, check=False,
                              env={**os.environ, **env})
        cost = COST.search(done.stdout)
        if cost is None:
            raise RuntimeError("gateway " + " ".join(arguments) + " failed")
        self.rate, self.cpu, self.share = map(float, cost.groups())
        self.lost = tuple(map(int, LOST.search(done.stdout).groups()))


def ways(bench):
    """name -> arguments, environment."""
    found = {"slabd": (["--with", "slabd"], {}),
             "malloc": (["--with", "malloc"], {}),
             "malloc in batches": (["--with", "malloc", "--batch", "128"], {})}
    preload = bench.mallocs().get("jemalloc")
    if preload is not None:
        found["jemalloc"] = (["--with", "malloc"], preload[1])
        found["jemalloc in batches"] = (found["malloc in batches"][0],
                                        preload[1])
    return found


def ratio(runs, name, what):
    """slabd's to theirs, the median of same rounds."""
    return statistics.median(
        getattr(ours, what) / max(getattr(theirs, what), 1e-9)
        for ours, theirs in zip(runs["slabd"], runs[name]))


def middle(runs, what):
    return statistics.median(getattr(run, what) for run in runs)


def lines_around(source):
    """Those of the example that only the library asks for."""
    path = os.path.join(source, "client/examples/gateway_slabd.c")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    part = text[text.index(MARKS[0]):text.index(MARKS[1])]
    return sum(1 for line in part.splitlines()[1:] if line.strip())


def judged(runs, lost, around):
    rows = []
    for name, rate, cpu in REACH:
        if name in runs:
            for what, is_, bound, good in (
                    ("orders/s", ratio(runs, name, "rate"), rate, 1),
                    ("CPU an order", ratio(runs, name, "cpu"), cpu, -1)):
                rows.append([f"{what}, by {name}", f"{is_:.2f}x",
                             f"{bound:.2f}x",
                             "met" if is_ * good >= bound * good else "missed"])
    share = middle(runs["slabd"], "share")
    rows.append(["share of CPU in allocation and hand-over", f"{share:.1f} %",
                 f"{SHARE:.0f} %", "met" if share <= SHARE else "missed"])
    kills, gone, marked, twice = lost
    rows.append([f"lost, twice unmarked, by {kills} kills ({marked} marked)",
                 f"{gone}, {twice}", "0, 0",
                 "met" if kills > 0 and gone + twice == 0 else "missed"])
    rows.append(["lines around the library", around, LINES,
                 "met" if around <= LINES else "missed"])
    return rows


def run(bench):
    rounds = 3 if bench.options.quick else 7
    todo = ways(bench)
    runs = {name: [] for name in todo}
    orders = ["--orders", str(ORDERS)]
    with Slabd(bench.place, "256M"):
        for i in range(rounds):
            bench.say(f"gateway, round {i + 1} of {rounds}")
            names = list(todo)
            for name in names[i % len(names):] + names[:i % len(names)]:
                arguments, env = todo[name]
                runs[name].append(Run(bench, arguments + orders, env))
                bench.log({"workload": "gateway", "who": name,
                           **vars(runs[name][-1])})
        bench.say(f"gateway, {KILLS} kills")
        lost = Run(bench, ["--with", "slabd", "--kills", str(KILLS), *orders],
                   {}).lost
    show.lines(f"An order gateway of four processes, {ORDERS} orders; "
               "slabd's to theirs",
               ["", "orders/s", "ratio", "CPU us", "ratio", "of it passing"],
               [[name, f"{middle(all_, 'rate'):.0f}",
                 f"{ratio(runs, name, 'rate'):.2f}x",
                 f"{middle(all_, 'cpu'):.2f}",
                 f"{ratio(runs, name, 'cpu'):.2f}x",
                 f"{middle(all_, 'share'):.1f} %"]
                for name, all_ in runs.items()])
    around = lines_around(bench.options.source)
    show.lines("What is wanted of it", ["", "is", "wanted", ""],
               judged(runs, lost, around))
    bench.results["gateway"] = {
        "runs": {name: [vars(run) for run in all_]
                 for name, all_ in runs.items()},
        "lost": lost, "lines": around}
