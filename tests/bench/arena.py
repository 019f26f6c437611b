# SPDX-License-Identifier: MIT
"""Arenas beside an inline bump, others' pools and malloc."""
import json
import os
import subprocess

import show

# row, who: the arena's time by theirs, at the most
REACH = {("W6", "bump"): 1.3, ("W6", "nginx"): 0.35, ("W6", "apr"): 0.35,
         ("200000", "malloc"): 1 / 8}
REACH_US = {"reset of 200000": 12, "80 objects given and taken": 1}


def judged(row):
    reach = REACH.get((row["row"], row["who"]))
    if reach is None:
        return None
    return [f"arena, {row['row']}, by {row['who']}", f"{row['ratio']:.3f}x",
            f"{reach:.3f}x", "met" if row["ratio"] <= reach else "missed"]


def run(bench):
    bench.say("arena")
    done = subprocess.run([bench.place.program("arena")],
                          stdout=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, "builddir": bench.options.build})
    rows = [json.loads(line) for line in done.stdout.splitlines()
            if line.startswith("{")]
    for row in rows:
        bench.log({"workload": "arena", **row})
    show.lines("Arenas: ns an object of 96 B, and the arena's time by theirs",
               ["", "who", "ns", "ratio"],
               [[row["row"], row["who"], f"{row['ns']:.3f}",
                 f"{row['ratio']:.3f}"] for row in rows if "ns" in row])
    wanted = [line for line in map(judged, (r for r in rows if "ns" in r))
              if line is not None]
    wanted += [[row["row"], f"{row['us']:.3f} us", f"{REACH_US[row['row']]} us",
                "met" if row["us"] <= REACH_US[row["row"]] else "missed"]
               for row in rows if "us" in row]
    show.lines("What is wanted of them", ["", "is", "wanted", ""], wanted)
    bench.results["arena"] = rows
