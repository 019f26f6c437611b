# SPDX-License-Identifier: MIT
"""Objects freed on another node than they were allocated on, a hundred million
times: where their slabs stand then, under our policy and under others."""
import json
import os
import subprocess

from place import Slabd
import drift_picture
import show

FREES = 100_000_000
FREES_QUICK = 10_000_000
POLICIES = {
    "home": "slabd: to the list of the node where the slab lies",
    "slub": "SLUB: the freeing CPU keeps 4, then to where they lie",
    "stay": "to the freeing node's list, until nothing in it is in use",
    "stay-all": "to the freeing node's list, for good",
}
TOPOLOGY = "[slabd]\ntopology = node:4 core:1 pu:1\n"
# What others move, slabd would take for lent and return.
ALONE = "[balance]\nenabled = no\n"
START, MOST = "16M", "256M"
BINS = 400         # looks that are kept of a run
GROWTH = 8         # a list grows by an eighth at a time
TARGET_LOCAL = 99.9


def control_of(pid):
    """slabd's own control file: clients have it read-only."""
    folder = f"/proc/{pid}/fd"
    for fd in sorted(os.listdir(folder), key=int):
        path = os.path.join(folder, fd)
        if os.readlink(path).split(" ")[0].endswith("-control"):
            return path
    raise RuntimeError("slabd has no control file")


def audit(bench, slabd):
    done = subprocess.run(
        [os.path.join(bench.place.build, "daemon/slabctl"), "--control",
         slabd.control, "audit"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("audit: " + done.stdout + done.stderr)


def lines_of(bench, slabd, policy, frees):
    command = [bench.place.program("drift"), "run", policy, str(frees)]
    if policy != "home":
        command.append(control_of(slabd.process.pid))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"drift {policy}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def most(looks, name):
    """Of each node, its most; and the most of all nodes at one time."""
    rows = [look[name] for look in looks]
    return [max(column) for column in zip(*rows)], max(map(sum, rows))


def fewer(looks, frees):
    """So many that a picture shows, the last of each bin."""
    bins = {}
    for look in looks:
        bins[look["at"] * BINS // frees] = look
    return [{key: look[key] for key in ("at", "afar", "listed", "foreign", "slabs")}
            for look in bins.values()]


def measure(bench, policy, frees):
    """Phases, each with what its looks say, and the looks."""
    head = TOPOLOGY + (ALONE if policy != "home" else "")
    with Slabd(bench.place, START, MOST, head=head) as slabd:
        lines = lines_of(bench, slabd, policy, frees)
        audit(bench, slabd)
    looks = [line for line in lines if "look" in line]
    phases, since = [], [looks[0]]
    for line in lines:
        since += [line] if "look" in line else []
        if "phase" not in line:
            continue
        last = since[-1]
        half = next(look for look in since
                    if look["at"] >= last["at"] - line["frees"] / 2)
        line["late_frees"] = last["at"] - half["at"]
        line["late_afar"] = last["afar"] - half["afar"]
        line["start"], line["end"] = since[0]["listed"], last["listed"]
        line["most"], _ = most(since, "listed")
        _, line["astray"] = most(since, "foreign")
        line["slabs"] = last["slabs"]
        line["local_pct"] = 100 * (1 - line["afar"] / line["frees"])
        line["pair_ns"] = line["ns"] / line["frees"]
        if line["refused"]:
            raise RuntimeError(f"drift {policy}: frees were refused")
        phases.append(line)
        since = [last]
    return {"phases": phases, "end": looks[-1],
            "looks": fewer(looks, phases[-1]["frees"] * len(phases))}


def numbers(row):
    return " ".join(f"{n:4}" for n in row)


def table(policy, run):
    show.lines(
        f"Drift, {policy}: {POLICIES[policy]}",
        ["", "listed at its end", "at most", "astray", "slabs", "local",
         "ns a pair"],
        [[p["phase"], numbers(p["end"]), numbers(p["most"]), p["astray"],
          sum(p["slabs"]), f"{p['local_pct']:.3f} %", f"{p['pair_ns']:.0f}"]
         for p in run["phases"]])


def within(run):
    """By how much the lists of nodes 0 and 1 differ once both have had their
    turn, in growth steps of theirs: ends of "1 to 0" and the two after it."""
    ends = [phase["end"] for phase in run["phases"][1:4]]
    slabs = run["phases"][1]["slabs"]
    return max((max(node) - min(node)) / max(1, slabs[i] // GROWTH)
               for i, node in enumerate(list(zip(*ends))[:2]))


def grown(run):
    """Per cent of allocations that were local in the second half of each
    phase: the lists have grown to what the work needs by then."""
    frees, afar = (sum(p[name] for p in run["phases"])
                   for name in ("late_frees", "late_afar"))
    return 100 * (1 - afar / frees)


def share(run):
    """Per cent of allocations that were local: as the receivers saw it, and as
    the clients' counts say."""
    frees, afar, took, remote = (
        sum(p[name] for p in run["phases"])
        for name in ("frees", "afar", "refilled", "remote_allocs"))
    return 100 * (1 - afar / frees), 100 * (1 - remote / took)


def astray(run):
    return max(p["astray"] for p in run["phases"])


def judge(run):
    local, counted = share(run)
    ends = run["end"]["listed"] == run["end"]["slabs"]
    return [
        ["slabs on another node's list", f"{astray(run)} at most", "0",
         astray(run) == 0],
        ["lists as the work turns back, apart in growth steps",
         f"{within(run):.2f}", "1", within(run) <= 1],
        ["in the end each slab on its own list", "yes" if ends else "no",
         "yes", ends],
        ["local allocations, as received", f"{local:.3f} %",
         f"{TARGET_LOCAL} %", local >= TARGET_LOCAL],
        ["local allocations, by slabd's counts", f"{counted:.3f} %",
         f"{TARGET_LOCAL} %", counted >= TARGET_LOCAL],
        ["the same once the lists have grown", f"{grown(run):.3f} %",
         f"{TARGET_LOCAL} %", grown(run) >= TARGET_LOCAL]]


def compare(runs):
    """All policies by the whole run."""
    rows = []
    for policy, run in runs.items():
        took = sum(p["ns"] for p in run["phases"])
        frees = sum(p["frees"] for p in run["phases"])
        rows.append([policy, astray(run),
                     max(max(p["most"]) for p in run["phases"]),
                     sum(run["end"]["slabs"]), f"{share(run)[0]:.3f} %",
                     f"{grown(run):.3f} %", f"{took / frees:.0f}"])
    show.lines("Drift, the whole run", ["", "astray at most", "longest list",
                                        "slabs carved", "local",
                                        "once grown", "ns a pair"], rows)


def cost(bench):
    with Slabd(bench.place, "64M", "256M", head=TOPOLOGY):
        done = subprocess.run([bench.place.program("drift"), "cost"],
                              capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    show.lines("A free of 256 bytes, ns on one thread", ["", "median"],
               [[r["cost"], f"{r['ns']:.1f}"] for r in rows])
    return {r["cost"]: r["ns"] for r in rows}


def run(bench):
    frees = FREES_QUICK if bench.options.quick else FREES
    runs = {}
    for policy in POLICIES:
        bench.say(f"drift: {frees:,} frees on another node, {policy}")
        runs[policy] = measure(bench, policy, frees)
        table(policy, runs[policy])
    compare(runs)
    rows = judge(runs["home"])
    show.lines(f"Wanted after {frees:,} frees on another node",
               ["", "is", "wanted", ""],
               [[*row, "met" if met else "missed"] for *row, met in rows])
    costs = cost(bench)
    path = os.path.join(bench.options.out, "drift.svg")
    drift_picture.write(path, runs, POLICIES)
    bench.say(f"written: {path}")
    bench.results["drift"] = {"frees": frees, "policies": runs,
                              "targets": rows, "free_ns": costs}
