# SPDX-License-Identifier: MIT
"""Contestants as processes that take turns, and what a round of them says."""
import json
import os
import select
import statistics
import subprocess

# Round trip of a cache line between the two CPUs, in ns: the host moves them.
SIBLING_MAX = 66
NEAR_MAX = 170


class Failure(Exception):
    """A contestant that can't go on; its text says why."""


class Worker:
    """One contestant's program, set up for one workload."""

    def __init__(self, name, command, env=None, timeout=120):
        self.name = name
        self.timeout = timeout
        self.count = 1000
        self.rest = b""
        self.process = subprocess.Popen(
            command, env={**os.environ, "BENCH_NAME": name, **(env or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.lacks = "lacks" in self.answer()

    def answer(self):
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            if not select.select([pipe], [], [], self.timeout)[0]:
                self.kill()
                raise Failure(f"no answer in {self.timeout} s")
            part = os.read(pipe, 65536)
            if not part:
                why = self.process.stderr.read().decode(errors="replace")
                status = self.process.wait()
                raise Failure(why.strip().split("\n")[-1]
                              or f"ended with status {status}")
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        # What other libraries print to standard output is none of ours.
        return json.loads(line) if line.startswith(b"{") else self.answer()

    def ask(self, count):
        try:
            self.process.stdin.write(b"%d\n" % count)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer says why

    def sample(self, count=None):
        self.ask(count or self.count)
        return self.answer()

    def settle(self, ms):
        """Warms up, and finds the count that takes about so long. What is
        waited for once, as for the first slabs, is no part of that: so again."""
        for _ in range(4):
            while True:
                result = self.sample()
                if result["ns"] > ms * 1e6 / 16 or self.count > 1e9:
                    break
                self.count *= 8
            each = max(result["ns"] / max(result["ops"], 1), 0.01)
            self.count = max(1, int(ms * 1e6 / each))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
                self.process.wait(20)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.kill()
        self.process.stdout.close()
        self.process.stderr.close()
        # Boost's segment outlives a process that was ended.
        segment = f"/dev/shm/slabd-bench-{self.process.pid}"
        if os.path.exists(segment):
            os.unlink(segment)


def class_of(result):
    """sibling, near or far; mixed when the CPUs moved during the sample."""
    if "probe" not in result:
        return "one"
    kinds = {("sibling" if ns < SIBLING_MAX else
              "near" if ns < NEAR_MAX else "far") for ns in result["probe"]}
    return kinds.pop() if len(kinds) == 1 else "mixed"


class Group:
    """All contestants of one workload and size, in rotated rounds."""

    def __init__(self, workload, size, log):
        self.workload = workload
        self.size = size
        self.log = log
        self.rounds = []
        self.left_out = {}

    def run(self, starts, rounds, ms, extra=0):
        """starts: name -> function that gives a Worker. In up to `extra` more
        rounds, waits for the CPUs to be near each other."""
        workers = []
        try:
            for name, start in starts.items():
                try:
                    worker = start()
                    workers.append(worker)
                    if worker.lacks:
                        workers.remove(worker)
                        worker.close()
                    else:
                        worker.settle(ms)
                except Failure as failure:
                    self.drop(workers, name, failure)
            number = 0
            while workers and (number < rounds or (
                    number < rounds + extra and self.near() < rounds * 2 // 3)):
                self.round(workers, number)
                number += 1
        finally:
            for worker in workers:
                worker.close()
        return self

    def drop(self, workers, name, failure):
        self.left_out[name] = str(failure)
        for worker in [w for w in workers if w.name == name]:
            workers.remove(worker)
            worker.close()

    def round(self, workers, number):
        turn = number % len(workers)
        results = {}
        for worker in workers[turn:] + workers[:turn]:
            try:
                result = worker.sample()
            except Failure as failure:
                self.drop(workers, worker.name, failure)
                continue
            result["who"] = worker.name
            result["class"] = class_of(result)
            results[worker.name] = result
            self.log({**result, "round": number})
        self.rounds.append(results)

    def near(self):
        """Rounds that slabd and the one it was luckless with were near in;
        all rounds, where there is one thread."""
        near = ("near", "one")
        mine = [r for r in self.rounds
                if r.get("slabd", {}).get("class") in near]
        return min((sum(1 for r in mine if r.get(n, {}).get("class") in near)
                    for n in self.names() if n not in self.left_out),
                   default=len(mine))

    def names(self):
        return list(dict.fromkeys(n for r in self.rounds for n in r))

    def classes(self):
        found = {r["class"] for results in self.rounds
                 for r in results.values()}
        return [c for c in ("one", "near", "sibling", "far") if c in found]

    def each(self, name, kind, what="each"):
        """Median of one contestant's own figure in one class."""
        values = [r[name][what] for r in self.rounds
                  if name in r and r[name]["class"] == kind]
        return statistics.median(values) if values else None

    def ratio(self, over, under, kind, what="each"):
        """Median of same-round ratios; both samples in the class."""
        values = [r[over][what] / r[under][what] for r in self.rounds
                  if over in r and under in r and r[under][what] > 0
                  and r[over]["class"] == kind == r[under]["class"]]
        return (statistics.median(values), len(values)) if values else None

    def report(self):
        """For results.json."""
        table = []
        for kind in self.classes():
            for name in self.names():
                each = self.each(name, kind)
                if each is None:
                    continue
                ratio = self.ratio("slabd", name, kind)
                table.append({"class": kind, "who": name, "each_ns": each,
                              "slabd_to_it": ratio and ratio[0],
                              "rounds": ratio[1] if ratio else 0})
        return {"workload": self.workload, "size": self.size,
                "rounds": len(self.rounds), "medians": table,
                "left_out": self.left_out}
