# SPDX-License-Identifier: MIT
"""What a pair costs slabd as processes, caches, the pool and the objects that
live grow: flat where the design says flat."""
import statistics
import time

from contest import Failure, Group, Worker
from place import Slabd
import show

SIZE = 64


def shown(bench, title, head, rows):
    show.lines(title, head, rows)
    bench.results.setdefault("scale", {})[title] = [
        dict(zip(head, row)) for row in rows]


def at_once(workers, count):
    """One sample of all, in ns from the first question to the last answer:
    each one's own time leaves out how long it waited for a CPU."""
    began = time.monotonic_ns()
    for worker in workers:
        worker.ask(count)
    for worker in workers:
        worker.answer()
    return time.monotonic_ns() - began


def processes(bench):
    rows = []
    cpus = len(bench.cpus)
    with Slabd(bench.place, "1G"):
        for n in (1, 8, 64):
            row = [n]
            for live in (256, 2000):
                command = bench.contestant_line("W2b", SIZE, [
                    "--live", str(live), "--cpus", "-1,-1"])("work_slabd")
                workers = []
                try:
                    for _ in range(n):
                        workers.append(Worker("slabd", command))
                    workers[0].settle(bench.ms * 2)
                    count = max(live, workers[0].count)
                    at_once(workers, count)
                    wall = statistics.median(
                        at_once(workers, count) for _ in range(3))
                    row.append(f"{wall * min(n, cpus) / (count * n):.2f}")
                finally:
                    for worker in workers:
                        worker.close()
            rows.append(row)
    shown(bench, "Processes at work at once: ns of CPU a pair, written and "
          "freed in shuffled order", ["processes", "256 live", "2000 live"],
          rows)


def of_group(bench, workload, names, extra):
    group = Group(workload + " " + " ".join(extra), SIZE, bench.log)
    group.run(bench.some(workload, names, extra, SIZE), bench.rounds, bench.ms)
    return group


def cells(group, names):
    out = []
    for name in names:
        each = group.each(name, "one")
        out.append("-" if each is None else f"{each:.2f}")
    return out


def caches(bench):
    names = ("slabd", "mimalloc")
    rows = []
    with Slabd(bench.place, "1G"):
        for n in (1, 64, 1000):
            group = of_group(bench, "caches", names, ["--caches", str(n)])
            rows.append([n, *cells(group, names)])
    shown(bench, "Caches that a thread goes round: ns a pair (malloc: sizes)",
          ["caches", *names], rows)


def pool_size(bench):
    rows = []
    for size in ("64M", "512M", "1G", "4G", "8G"):
        try:
            with Slabd(bench.place, size) as slabd:
                row = [size, slabd.backing(), f"{slabd.ready_s:.2f}"]
                for workload, extra in (("W1", []),
                                        ("W2b", ["--live", "100000"])):
                    group = of_group(bench, workload, ("slabd",), extra)
                    row += cells(group, ("slabd",))
                rows.append(row)
        except (RuntimeError, Failure) as failure:
            bench.say(f"  a pool of {size} left out: {failure}")
    shown(bench, "Pool size: ns a pair", ["pool", "pages", "ready in s", "W1",
                                          "W2b"], rows)


def objects(bench):
    names = ("slabd", "mimalloc", "jemalloc")
    rows = []
    with Slabd(bench.place, "2G"):
        for live in (10**3, 10**4, 10**5, 10**6, 10**7):
            group = of_group(bench, "churn", names, ["--live", str(live)])
            rows.append([live, *cells(group, names)])
    shown(bench, "Objects live, replaced at random: ns a pair",
          ["live", *names], rows)


def run(bench):
    for name, table in (("processes", processes), ("caches", caches),
                        ("pool size", pool_size), ("objects live", objects)):
        bench.say(f"scale: {name}")
        table(bench)
