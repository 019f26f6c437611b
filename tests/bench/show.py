# SPDX-License-Identifier: MIT
"""The tables on the terminal."""
import statistics

RATES = ("W3", "W4", "W5", "W8", "W8two", "W8one")
TITLES = {
    "W1": "one object, alloc then free",
    "W2": "256 allocs, then 256 frees",
    "W2bulk": "the same, 32 at a time",
    "W2b": "100,000 objects, written, freed in shuffled order",
    "W2b-grown": "the same in a pool that grew from the default start",
    "W3": "two threads, each at W2",
    "W4": "from thread to thread",
    "W5": "from process to process",
    "W6": "a request: 80 objects of 96 B one by one, then all gone",
    "W7": "pointer chase",
    "W8": "get and put back so many objects, in bulks of 32",
    "W8two": "the same, two threads",
    "W8one": "the same, in bulks of one",
}
# What the project wants to reach: workload, against whom, bound, beyond,
# sizes. Costs are to be at most the bound, rates at least.
TARGETS = (
    ("W1", "floor", 1.25, 1.1, None), ("W1", "dpdk", 0.5, None, None),
    ("W1", "mimalloc", 0.35, None, None),
    ("W1", "floor", 1.0, None, None, "slabd-local"),
    ("W2", "floor", 1.5, 1.2, None), ("W2", "dpdk", 0.65, None, None),
    ("W2bulk", "dpdk", 1.2, 1.0, None),
    ("W2b", "floor", 1.3, 1.1, (256, 1024)),
    ("W2b", "dpdk", 1.0, None, (256, 1024)),
    ("W2b-grown", "floor", 1.3, 1.1, (256, 1024)),
    ("W2b-grown", "dpdk", 1.0, None, (256, 1024)),
    ("W3", "dpdk", 2.0, 2.3, None),
    ("W4", "dpdk", 1.0, 1.2, None), ("W4", "mimalloc", 2.5, None, None),
    ("W5", "dpdk", 0.5, 1.0, None), ("W5", "boost-node", 5.0, None, None),
    ("W5", "dpdk", 1.5, 2.5, None, "slabd-channel"),
    ("W5", "floor", 1.0, 1.2, None, "slabd-channel"),
    ("W7", "hugetlb", 1.03, None, None),
    ("W8", "dpdk", 0.8, 1.0, None), ("W8two", "dpdk", 0.8, 1.0, None),
    ("W8one", "dpdk", 1.0, None, None),
)

HOW = {"slabd-local": " by handle", "slabd-channel": " by channel"}


def table(head, rows):
    """Columns as wide as they must be, the first to the left."""
    lines = ([head] if any(head) else []) + rows
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(line, widths))]
        print("  " + "  ".join(cells).rstrip())


def figure(group, name, kind):
    """Time or rate, and slabd's ratio to it."""
    each = group.each(name, kind)
    if each is None:
        return "-"
    rate = group.workload in RATES
    text = f"{1000 / each:.1f}" if rate else f"{each:.2f}"
    ratio = group.ratio("slabd", name, kind)
    if name == "slabd" or ratio is None:
        return text + " " * 8
    value = 1 / ratio[0] if rate else ratio[0]
    return f"{text} ({value:.2f}x)".rjust(len(text) + 8)


def workloads(groups):
    for workload in dict.fromkeys(w for w, _ in groups if w in TITLES):
        mine = {s: g for (w, s), g in groups.items() if w == workload}
        kinds = list(dict.fromkeys(
            k for g in mine.values() for k in g.classes()))
        for kind in kinds:
            unit = "M/s" if workload in RATES else "ns"
            where = "" if kind == "one" else f", CPUs {kind}"
            print(f"\n{workload}: {TITLES[workload]}{where}; {unit} "
                  "(slabd's ratio to it)")
            names = list(dict.fromkeys(
                n for g in mine.values() for n in g.names()))
            table(["", *(f"{s} B" if isinstance(s, int) else s for s in mine)],
                  [[n, *(figure(g, n, kind) for g in mine.values())]
                   for n in names])


def judge(group, against, bound, beyond, who="slabd"):
    """One row of the table of targets; class near, if there was any."""
    rate = group.workload in RATES
    row = {"workload": group.workload, "size": group.size, "who": who,
           "against": against, "rate": rate, "bound": bound,
           "beyond": beyond, "class": None, "value": None, "met": None}
    for kind in group.classes():
        ratio = group.ratio(who, against, kind)
        if ratio is None:
            continue
        row["class"] = kind
        row["value"] = 1 / ratio[0] if rate else ratio[0]
        row["rounds"] = ratio[1]
        # Only where the CPUs are near do two threads say anything here.
        if kind in ("one", "near"):
            row["met"] = (row["value"] >= bound if rate
                          else row["value"] <= bound)
        break
    return row


def verdict(row):
    if row["value"] is None:
        return "not measured"
    if row["met"] is None:
        return f"CPUs {row['class']}: says nothing"
    good = row["beyond"] is not None and (
        row["value"] >= row["beyond"] if row["rate"]
        else row["value"] <= row["beyond"])
    return "beyond" if good else "reached" if row["met"] else "SHORT"


def targets(groups):
    """Rows of the project's targets."""
    rows = []
    for workload, against, bound, beyond, sizes, *who in TARGETS:
        for (name, size), group in groups.items():
            if name == workload and (sizes is None or size in sizes):
                rows.append(judge(group, against, bound, beyond, *who))
    return rows


def judged(rows):
    if not rows:
        return
    print("\nTo reach, slabd's cost (W3 to W5, W8: rate) to theirs")
    table(["", "size", "against", "to reach", "beyond", "is", ""],
          [[r["workload"] + HOW.get(r.get("who"), ""), str(r["size"]), r["against"],
            (">= " if r["rate"] else "<= ") + f"{r['bound']:.2f}",
            "" if r["beyond"] is None else f"{r['beyond']:.2f}",
            "-" if r["value"] is None else f"{r['value']:.2f}",
            verdict(r)] for r in rows])


def mib(row):
    if row is None:
        return ["-", "-"]
    return [f"{row['bytes'] / 2**20:.1f}", f"{row['bytes'] / row['asked']:.2f}"]


def replay(groups, memory):
    for trace, rows in memory.items():
        group = groups[trace, "trace"]
        counts = sorted({row["processes"] for row in rows})
        found = {(row["who"], row["processes"]): row for row in rows}
        print(f"\nreplay of {trace}: ns an event (slabd's ratio to it), MiB "
              "at the peak, times what was asked for")
        table(["", "time", *(t for n in counts for t in
                             (f"MiB, {n} at once", "x asked"))],
              [[name, figure(group, name, "one"),
                *(t for n in counts for t in mib(found.get((name, n))))]
               for name in group.names()])
        for n in counts:
            if ("slabd", n) in found:
                print(f"  slabd's MiB, {n} at once: " + ", ".join(
                    f"{what} {found['slabd', n][part] / 2**20:.1f}"
                    for what, part in (
                        ("slabs", "carved"), ("metadata", "metadata"),
                        ("the processes' own", "own"))))


def memory_target(trace, found):
    """One row of the table of targets, or none."""
    size = {row["who"]: row["bytes"] for row in found}
    best = min(((b, w) for w, b in size.items() if w != "slabd"), default=None)
    if not best or "slabd" not in size:
        return []
    value = size["slabd"] / max(best[0], 1)
    return [{"workload": trace, "size": f"memory x{found[0]['processes']}",
             "against": best[1], "rate": False, "bound": 1.25, "beyond": 1.0,
             "class": "one", "value": value, "met": value <= 1.25,
             "rounds": 1}]


def replay_targets(groups, memory):
    rows = []
    for trace, found in memory.items():
        group = groups[trace, "trace"]
        for name in group.names():
            if name != "slabd":
                rows.append(judge(group, name, 1.0, None))
        for n in sorted({row["processes"] for row in found}):
            rows += memory_target(
                trace, [row for row in found if row["processes"] == n])
    return rows


def beyond_clock(ns, step):
    return f"{ns:.0f}" if ns > step else f"<{max(step, 1):.0f}"


def tail(title, group):
    """Medians over the rounds of each percentile; the largest maximum."""
    found = {}
    for name in group.names():
        for what in ("alloc", "free"):
            rounds = [r[name][what] for r in group.rounds if name in r]
            found.setdefault(name, {})[what] = {
                "p50": statistics.median(r["p50"] for r in rounds),
                "p99": statistics.median(r["p99"] for r in rounds),
                "p999": statistics.median(r["p999"] for r in rounds),
                "max": max(r["max"] for r in rounds),
                "n": sum(r["n"] for r in rounds)}
    step = min((r["step"] for results in group.rounds
                for r in results.values()), default=0)
    print(f"\nSingle operations, {title}: ns, less what the clock costs, "
          f"which goes in steps of {step:.0f}")
    table(["", "", "p50", "p99", "p99.9", "max"],
          [[name if what == "alloc" else "", what,
            *(beyond_clock(found[name][what][p], step)
              for p in ("p50", "p99", "p999", "max"))]
           for name in found for what in ("alloc", "free")])
    return {"clock_step_ns": step, **found}


def lines(title, head, rows):
    print(f"\n{title}")
    table(head, [[str(cell) for cell in row] for row in rows])
