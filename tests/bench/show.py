# SPDX-License-Identifier: MIT
"""The tables on the terminal."""

RATES = ("W3", "W4", "W5")
TITLES = {
    "W1": "one object, alloc then free",
    "W2": "256 allocs, then 256 frees",
    "W2bulk": "the same, 32 at a time",
    "W2b": "100,000 objects, written, freed in shuffled order",
    "W3": "two threads, each at W2",
    "W4": "from thread to thread",
    "W5": "from process to process",
    "W6": "a request: 80 objects of 96 B one by one, then all gone",
    "W7": "pointer chase",
}
# What the project wants to reach: workload, against whom, bound, beyond,
# sizes. Costs are to be at most the bound, rates at least.
TARGETS = (
    ("W1", "floor", 1.25, 1.1, None), ("W1", "dpdk", 0.5, None, None),
    ("W1", "mimalloc", 0.35, None, None),
    ("W2", "floor", 1.5, 1.2, None), ("W2", "dpdk", 0.65, None, None),
    ("W2bulk", "dpdk", 1.2, 1.0, None),
    ("W2b", "floor", 1.3, 1.1, (256, 1024)),
    ("W2b", "dpdk", 1.0, None, (256, 1024)),
    ("W3", "dpdk", 2.0, 2.3, None),
    ("W4", "dpdk", 1.0, 1.2, None), ("W4", "mimalloc", 2.5, None, None),
    ("W5", "dpdk", 0.5, 1.0, None), ("W5", "boost-node", 5.0, None, None),
    ("W7", "hugetlb", 1.03, None, None),
)


def table(head, rows):
    """Columns as wide as they must be, the first to the left."""
    lines = [head] + rows
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
    for workload in dict.fromkeys(w for w, _ in groups):
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
            table(["", *(f"{s} B" for s in mine)],
                  [[n, *(figure(g, n, kind) for g in mine.values())]
                   for n in names])


def judge(group, against, bound, beyond):
    """One row of the table of targets; class near, if there was any."""
    rate = group.workload in RATES
    row = {"workload": group.workload, "size": group.size,
           "against": against, "rate": rate, "bound": bound,
           "beyond": beyond, "class": None, "value": None, "met": None}
    for kind in group.classes():
        ratio = group.ratio("slabd", against, kind)
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
    rows = []
    for workload, against, bound, beyond, sizes in TARGETS:
        for (name, size), group in groups.items():
            if name == workload and (sizes is None or size in sizes):
                rows.append(judge(group, against, bound, beyond))
    if rows:
        print("\nTo reach, slabd's cost (W3 to W5: rate) to theirs")
        table(["", "size", "against", "to reach", "beyond", "is", ""],
              [[r["workload"], str(r["size"]), r["against"],
                (">= " if r["rate"] else "<= ") + f"{r['bound']:.2f}",
                "" if r["beyond"] is None else f"{r['beyond']:.2f}",
                "-" if r["value"] is None else f"{r['value']:.2f}",
                verdict(r)] for r in rows])
    return rows
