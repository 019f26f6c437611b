#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./dev bench: runs the contestants, computes, prints, writes build/bench."""
import argparse
import glob
import json
import os
import signal
import sys
import time

from contest import Failure, Group, Worker
from place import Huge, Place, Slabd
import arena
import drift
import gateway
import growth
import host
import picture
import plan
import pool
import recovery
import scale
import show
import silence
import wake

SIZES = (64, 256, 1024)
ONE_THREAD = ("W1", "W2", "W2bulk", "W2b", "W6")
TWO_SIDES = ("W3", "W4", "W5", "W8two")
SECTIONS = ("W7", "replay", "tail", "scale", "pool", "growth", "recovery",
            "drift", "plan", "silence", "wake", "arena", "gateway",
            "host")
PRELOADED = {"mimalloc": "libmimalloc.so.2*", "jemalloc": "libjemalloc.so.2",
             "tcmalloc": "libtcmalloc_minimal.so.4"}
LIBRARIES = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib",
             "/usr/local/lib")
TRACES = ("gateway", "sqlite", "nginx", "mariadb")
CROWD = 8  # processes that share a pool, in the table of memory
GROWN = "W2b-grown"
WORKLOADS = ("W1", "W2", "W2bulk", "W2b", "W3", "W4", "W5", "W6")
BULKS = ("W8", "W8two", "W8one")
LOCAL = "slabd-local"
CHANNEL = "slabd-channel"  # in W5 alone
BY_HANDLE = ("W1", "W2", "W2b")  # what it takes part in
KEPT = ((128, 64), (512, 64), (8192, 64), (512, 2048))  # objects, bytes


class Bench:
    def __init__(self, options):
        self.options = options
        self.place = Place(options.build)
        self.cpus = sorted(os.sched_getaffinity(0))
        self.began = time.monotonic()
        options.out = os.path.realpath(options.out)
        self.rounds = options.rounds or (9 if options.quick else 13)
        self.ms = options.ms or (20 if options.quick else 80)
        os.makedirs(options.out, exist_ok=True)
        self.samples = open(os.path.join(options.out, "samples.jsonl"), "w",
                            encoding="utf-8")
        self.results = {"quick": options.quick, "rounds": self.rounds,
                        "sample_ms": self.ms, "groups": [], "targets": []}
        self.groups = {}

    def say(self, text):
        print(f"[{time.monotonic() - self.began:5.0f}s] {text}", flush=True)

    def log(self, result):
        self.samples.write(json.dumps(result) + "\n")
        self.samples.flush()

    def wants(self, name):
        return not self.options.only or name in self.options.only

    def contestants(self, workload, size, extra=()):
        """name -> what starts it."""
        line = self.contestant_line(workload, size, extra)
        return {name: (lambda n=name, p=program, e=env: Worker(n, line(p), e))
                for name, (program, env) in self.peers().items()
                if (name != LOCAL or workload in BY_HANDLE) and
                (name != CHANNEL or workload == "W5")}

    def contestant_line(self, workload, size, extra=()):
        """program -> its command line. One thread runs where we do not."""
        first, last = self.cpus[0], self.cpus[-1]
        cpus = f"{first},{last}" if workload in TWO_SIDES else f"{last},{first}"
        rest = ["--workload", workload, "--bytes", str(size), "--cpus", cpus,
                *extra]
        return lambda program: [self.place.program(program), *rest]

    def peers(self):
        """name -> program, environment; those that are here."""
        found = {"slabd": ("work_slabd", self.rest()),
                 LOCAL: ("work_local", self.rest()),
                 CHANNEL: ("work_channel", self.rest()),
                 "floor": ("work_floor", {})}
        if os.path.exists(self.place.program("work_dpdk")):
            huge = self.place.hugetlbfs()
            env = {"RUNTIME_DIRECTORY": self.place.folder}
            if huge:
                env["BENCH_HUGE"] = huge
            found["dpdk"] = ("work_dpdk", env)
        found.update(self.mallocs())
        if os.path.exists(self.place.program("work_boost")):
            found["boost-node"] = found["boost-alloc"] = ("work_boost", {})
        return found

    def rest(self):
        """What serves a program of ours where it calls malloc."""
        return self.mallocs().get("tcmalloc", ("", {}))[1]

    @staticmethod
    def mallocs():
        found = {}
        for name, library in PRELOADED.items():
            paths = [p for folder in LIBRARIES
                     for p in glob.glob(os.path.join(folder, library))]
            if paths:
                found[name] = ("work_malloc", {"LD_PRELOAD": paths[0]})
        found["glibc"] = ("work_malloc", {})
        return found

    def missing(self):
        """Contestants whose packages are not here, said once."""
        here = self.peers()
        for name in ("dpdk", *PRELOADED, "boost-node"):
            if name not in here:
                self.say(f"{name} is not installed: left out")

    def group(self, workload, size, title=None, starts=None):
        """title: its name and what stands above its column."""
        starts = starts or self.contestants(workload, size)
        two = workload in TWO_SIDES
        title, size = title or (workload, size)
        group = Group(title, size, self.log)
        extra = (1 if self.options.quick else 3) * self.rounds if two else 0
        group.run(starts, self.rounds, self.ms, extra)
        self.groups[title, size] = group
        self.results["groups"].append(group.report())
        for name, why in group.left_out.items():
            self.say(f"  {name} left out: {why}")

    def workloads(self):
        if not self.options.only and (self.options.tail or self.options.scale):
            return
        names = [w for w in WORKLOADS if self.wants(w)]
        if names:
            self.workloads_of(names)
        names = [w for w in BULKS if self.wants(w)]
        if names:
            self.bulks(names)
        if self.wants(GROWN):
            self.grown()

    def bulks(self, names):
        """DPDK's own way of measuring, beside DPDK."""
        with Slabd(self.place, "512M"), Huge(256):
            for name in names:
                if name in TWO_SIDES and len(self.cpus) < 2:
                    self.say(f"{name} needs two CPUs: left out")
                    continue
                for keep, size in KEPT:
                    column = f"{keep} of {size} B"
                    self.say(f"{name}, {column}")
                    self.group(name, size, (name, column),
                               self.some(name, ("slabd", "dpdk"),
                                         ["--live", str(keep)], size))
        show.workloads({k: g for k, g in self.groups.items()
                        if k[0] in names})

    def grown(self):
        """W2b as users get it: the pool as large as by default, at first."""
        with Slabd(self.place, None), Huge(320):
            for size in SIZES:
                self.say(f"{GROWN}, {size} bytes")
                self.group("W2b", size, (GROWN, size))
        show.workloads({k: g for k, g in self.groups.items()
                        if k[0] == GROWN})

    def workloads_of(self, names):
        with Slabd(self.place, "1G") as slabd, Huge(320):
            self.results["backing"] = slabd.backing()
            for name in names:
                if name in TWO_SIDES and len(self.cpus) < 2:
                    self.say(f"{name} needs two CPUs: left out")
                    continue
                for size in (96,) if name == "W6" else SIZES:
                    self.say(f"{name}, {size} bytes")
                    self.group(name, size)
        show.workloads({k: self.groups[k] for k in self.groups
                        if k[0] in names})

    def traces(self):
        """Names and files; the cut ones of the tests if there are no others."""
        folder = os.environ.get("SLABD_TRACES") or os.path.join(
            self.options.source, "..", "shared", "traces")
        full = {n: os.path.join(folder, n + ".trace.zst") for n in TRACES}
        full = {n: p for n, p in full.items() if os.path.exists(p)}
        if full:
            return full
        data = os.path.join(self.options.source, "tests", "data")
        return {f"{n}-cut": os.path.join(data, f"{n}-cut.trace.zst")
                for n in ("gateway", "mariadb")}

    def some(self, workload, names, extra, size=64):
        """Those contestants alone, with further arguments."""
        starts = self.contestants(workload, size, extra)
        return {n: starts[n] for n in names if n in starts}

    def memory(self, name, start, slabd, n):
        """Bytes of n processes of a contestant, all at the peak of their
        first replay at once."""
        before = slabd.pool()
        workers = []
        try:
            for _ in range(n):
                workers.append(start())
            for worker in workers:
                worker.ask(1)
            results = [worker.answer() for worker in workers]
            after = slabd.pool()
        except Failure as failure:
            self.say(f"  {name} left out: {failure}")
            return None
        finally:
            for worker in workers:
                worker.close()
        row = {"who": name, "processes": n,
               "asked": sum(r["asked_peak"] for r in results),
               "large": results[0]["large"],
               "own": sum(r["rss_peak"] - r["rss_start"] for r in results)}
        if name == "slabd":
            # The metadata that it has touched is counted with the pool's.
            row["own"] -= sum(r["shmem"] for r in results)
            row["carved"] = after["carved_bytes"] - before["carved_bytes"]
            row["metadata"] = after["metadata_bytes"]
        row["bytes"] = sum(row.get(part, 0)
                           for part in ("own", "carved", "metadata"))
        return row

    def memories(self, starts, n):
        """One row a contestant, from a slabd that has carved nothing yet."""
        with Slabd(self.place, "16M", "2G") as slabd:
            rows = [self.memory(name, start, slabd, n)
                    for name, start in starts.items()]
        return [row for row in rows if row]

    def replay(self):
        memory = {}
        traces = list(self.traces().items())
        for trace, path in traces:
            found = self.replay_one(trace, ["--trace", path])
            memory[trace] = found
            # What is too large for a slab is malloc's, slabd's replay as well:
            # so once more with what slabd serves.
            if any(row["large"] for row in found):
                title = trace + " to 2 MiB"
                memory[title] = self.replay_one(
                    title, ["--trace", path, "--largest", str(2 << 20)])
        self.results["memory"] = memory
        show.replay(self.groups, memory)
        self.results["targets"] += show.replay_targets(self.groups, memory)

    def replay_one(self, title, extra):
        self.say(f"replay of {title}")
        mallocs = self.mallocs()
        starts = self.some("trace", ("slabd", *mallocs), extra)
        found = self.memories(starts, 1) + self.memories(starts, CROWD)
        with Slabd(self.place, "16M", "2G"):
            group = Group(title, "trace", self.log)
            group.run(starts, self.rounds, self.ms * 3)
        self.groups[title, "trace"] = group
        self.results["groups"].append(group.report())
        return found

    def chase(self):
        sizes = (64, 512) if self.options.quick else (64, 512, 1536)
        for mib in sizes:
            self.say(f"W7, {mib} MiB")
            extra = ["--live", str(mib << 14)]
            with Slabd(self.place, f"{mib * 5 // 4 + 64}M"), \
                    Huge(mib // 2 + 2):
                starts = self.some("W7", ("slabd",), extra)
                line = self.contestant_line("W7", 64, extra)("work_floor")
                for name in ("hugetlb", "4k"):
                    starts[name] = lambda n=name, l=line: Worker(
                        n, l, {"BENCH_PAGES": n})
                group = Group("W7", f"{mib}M", self.log)
                group.run(starts, self.rounds, self.ms)
            self.groups["W7", f"{mib}M"] = group
            self.results["groups"].append(group.report())
        show.workloads({k: g for k, g in self.groups.items() if k[0] == "W7"})

    def tail(self):
        names = ("slabd", "dpdk", "mimalloc")
        gateway = [p for n, p in self.traces().items() if "gateway" in n]
        found = {}
        with Slabd(self.place, "1G"), Huge(640):
            for size in SIZES:
                found[f"W2b, {size} B"] = self.some("tail-W2b", names, [], size)
            for path in gateway[:1]:
                found["gateway trace"] = self.some(
                    "tail-trace", names, ["--trace", path])
            for title, starts in found.items():
                self.say(f"worst single operations: {title}")
                group = Group("tail " + title, "tail", self.log)
                group.run(starts, self.rounds, self.ms * 3)
                self.results.setdefault("tail", {})[title] = show.tail(
                    title, group)

    def run(self):
        sections = (("workloads", self.workloads), ("W7", self.chase),
                    ("replay", self.replay), ("tail", self.tail),
                    ("scale", lambda: scale.run(self)),
                    ("pool", lambda: pool.run(self)),
                    ("growth", lambda: growth.run(self)),
                    ("recovery", lambda: recovery.run(self)),
                    ("plan", lambda: plan.run(self)),
                    ("silence", lambda: silence.run(self)),
                    ("host", lambda: host.run(self)),
                    ("wake", lambda: wake.run(self)),
                    ("arena", lambda: arena.run(self)),
                    ("gateway", lambda: gateway.run(self)),
                    ("drift", lambda: drift.run(self)))
        try:
            self.missing()
            for name, section in sections:
                if name == "workloads" or self.chosen(name):
                    section()
            rows = show.targets(self.groups) + self.results["targets"]
            self.results["targets"] = rows
            show.judged(rows)
        finally:
            self.results["seconds"] = round(time.monotonic() - self.began)
            self.samples.close()
            self.place.close()
            self.write()

    def chosen(self, name):
        """Whether a section runs: asked for, or part of such a run."""
        wanted = {n for n in ("tail", "scale") if getattr(self.options, n)}
        if self.options.only or wanted:
            return name in wanted or name in (self.options.only or ())
        return name in ("W7", "replay") or not self.options.quick

    def write(self):
        path = os.path.join(self.options.out, "results")
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump(self.results, file, indent=1)
            file.write("\n")
        picture.write(path + ".svg", self.results)
        self.say(f"written: {path}.json, {path}.svg")

    def status(self):
        """1 if slabd itself was left out anywhere."""
        lame = [g["workload"] for g in self.results["groups"]
                if "slabd" in g["left_out"]]
        if lame:
            self.say("slabd failed in " + ", ".join(lame))
        return 1 if lame else 0


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--source", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true",
                        help="about two minutes")
    parser.add_argument("--only", type=lambda text: text.split(","),
                        help="these workloads and sections alone")
    parser.add_argument("--tail", action="store_true",
                        help="the worst single operations alone")
    parser.add_argument("--scale", action="store_true",
                        help="processes, caches, pool size, objects alone")
    parser.add_argument("--insn", action="store_true",
                        help="instruction counts alone, by callgrind")
    parser.add_argument("--rounds", type=int, help="rounds of a group")
    parser.add_argument("--ms", type=float, help="length of a sample")
    options = parser.parse_args(argv)
    known = (*WORKLOADS, *BULKS, GROWN, *SECTIONS)
    for name in options.only or ():
        if name not in known:
            parser.error(f"--only {name}: one of {', '.join(known)}")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(parse(sys.argv[1:]))
    bench.run()
    sys.exit(bench.status())


if __name__ == "__main__":
    main()
