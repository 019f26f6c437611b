# SPDX-License-Identifier: MIT
"""How long slabd takes to decide: plans for random pictures of pools."""
import json
import subprocess

import show

TIMES, QUICK_TIMES = 300, 100
TARGET_US = 1000
TARGET_SIZE = (16, 1000)


def run(bench):
    bench.say("plans: 4, 16, 64 nodes x 100, 1,000, 4,000 caches")
    times = QUICK_TIMES if bench.options.quick else TIMES
    done = subprocess.run([bench.place.program("plan"), str(times)],
                          stdout=subprocess.PIPE, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for row in found:
        bench.log({"workload": "plan", **row})
    show.lines("Plans, microseconds of CPU time", ["", "p50", "p99", "max"],
               [[f"{r['nodes']} nodes x {r['caches']:,} caches: {r['mixture']}",
                 *(f"{r[k]:,.0f}" for k in ("p50_us", "p99_us", "max_us"))]
                for r in found])
    show.lines("What is wanted of them", ["", "is", "wanted", ""],
               [[f"16 nodes x 1,000 caches: {r['mixture']}, p99",
                 f"{r['p99_us']:,.0f} us", f"{TARGET_US:,} us",
                 "met" if r["p99_us"] <= TARGET_US else "missed"]
                for r in found
                if (r["nodes"], r["caches"]) == TARGET_SIZE])
    bench.results["plan"] = found
