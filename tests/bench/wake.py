# SPDX-License-Identifier: MIT
"""Waking a receiver in another process, beside two bare futex words."""
import json
import subprocess

from place import Slabd
import show

REACH = 1.2


def run(bench):
    bench.say("wake-up across processes")
    with Slabd(bench.place, "64M"):
        done = subprocess.run(
            [bench.place.program("wake"), "7" if bench.options.quick else "15"],
            stdout=subprocess.PIPE, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()
             if line.startswith("{")]
    if not found:
        bench.say(f"  wake ended with status {done.returncode}")
        return
    row = found[0]
    bench.log({"workload": "wake", **row})
    show.lines("From a send to the receiver's return from its sleep, ns",
               ["bare futex", "channel", "ratio"],
               [[f"{row['bare_ns']:.0f}", f"{row['channel_ns']:.0f}",
                 f"{row['ratio']:.3f}"]])
    show.lines("What is wanted of it", ["", "is", "wanted", ""],
               [["channel by bare futex", f"{row['ratio']:.2f}x", f"{REACH}x",
                 "met" if row["ratio"] <= REACH else "missed"]])
    bench.results["wake"] = row
