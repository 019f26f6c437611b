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

from contest import Group, Worker
from place import Huge, Place, Slabd
import show

SIZES = (64, 256, 1024)
ONE_THREAD = ("W1", "W2", "W2bulk", "W2b", "W6")
TWO_SIDES = ("W3", "W4", "W5")
PRELOADED = {"mimalloc": "libmimalloc.so.2*", "jemalloc": "libjemalloc.so.2",
             "tcmalloc": "libtcmalloc_minimal.so.4"}
LIBRARIES = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib",
             "/usr/local/lib")
WORKLOADS = ("W1", "W2", "W2bulk", "W2b", "W3", "W4", "W5", "W6")


class Bench:
    def __init__(self, options):
        self.options = options
        self.place = Place(options.build)
        self.cpus = sorted(os.sched_getaffinity(0))
        self.began = time.monotonic()
        self.rounds = options.rounds or (5 if options.quick else 9)
        self.ms = options.ms or (12 if options.quick else 60)
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
        cpus = (self.cpus[0], self.cpus[-1])
        if workload not in TWO_SIDES:
            cpus = (cpus[1], cpus[0])
        line = ["--workload", workload, "--bytes", str(size),
                "--cpus", f"{cpus[0]},{cpus[1]}", *extra]
        starts = {}
        for name, (program, env) in self.peers().items():
            path = self.place.program(program)
            starts[name] = (lambda n=name, p=path, e=env: Worker(
                n, [p, *line], e))
        return starts

    def peers(self):
        """name -> program, environment; those that are here."""
        found = {"slabd": ("work_slabd", {}), "floor": ("work_floor", {})}
        if os.path.exists(self.place.program("work_dpdk")):
            huge = self.place.hugetlbfs()
            found["dpdk"] = ("work_dpdk", {"BENCH_HUGE": huge} if huge else {})
        found.update(self.mallocs())
        if os.path.exists(self.place.program("work_boost")):
            found["boost-node"] = found["boost-alloc"] = ("work_boost", {})
        return found

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

    def group(self, workload, size, **how):
        starts = self.contestants(workload, size)
        two = workload in TWO_SIDES
        group = Group(workload, size, self.log)
        extra = (2 if self.options.quick else 4) * self.rounds if two else 0
        group.run(starts, self.rounds, self.ms, extra, **how)
        self.groups[workload, size] = group
        self.results["groups"].append(group.report())
        for name, why in group.left_out.items():
            self.say(f"  {name} left out: {why}")

    def workloads(self):
        names = [w for w in WORKLOADS if self.wants(w)]
        if not names:
            return
        with Slabd(self.place, "1G") as slabd, Huge(320):
            self.results["backing"] = slabd.backing()
            for name in names:
                if name in TWO_SIDES and len(self.cpus) < 2:
                    self.say(f"{name} needs two CPUs: left out")
                    continue
                for size in (96,) if name == "W6" else SIZES:
                    self.say(f"{name}, {size} bytes")
                    self.group(name, size)
        show.workloads(self.groups)

    def run(self):
        try:
            self.missing()
            self.workloads()
            self.results["targets"] = show.targets(self.groups)
        finally:
            self.results["seconds"] = round(time.monotonic() - self.began)
            self.samples.close()
            self.place.close()
            path = os.path.join(self.options.out, "results.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(self.results, file, indent=1)
                file.write("\n")
        self.say(f"written: {path}")


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true",
                        help="about two minutes")
    parser.add_argument("--only", type=lambda text: text.split(","),
                        help="these workloads and sections alone")
    parser.add_argument("--rounds", type=int, help="rounds of a group")
    parser.add_argument("--ms", type=float, help="length of a sample")
    return parser.parse_args(argv)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    Bench(parse(sys.argv[1:])).run()


if __name__ == "__main__":
    main()
