# SPDX-License-Identifier: MIT
"""How long slabd's loop serves nobody, by its own histogram of turns."""
import json
import os
import subprocess

import show

REACH_P999_MS = 20
REACH_MS = 50


def once(bench, name):
    """What one situation showed, and the results that were not as they should
    be."""
    size = "quick" if bench.options.quick else "full"
    done = subprocess.run([bench.place.program("silence"), size, name],
                          stdout=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, "builddir": bench.options.build})
    lines = done.stdout.splitlines()
    faults = [line for line in lines
              if line.startswith(("not ok", "Bail out"))]
    found = [json.loads(line) for line in lines if line.startswith("{")]
    row = found[0] if found else {"name": name, "says": name,
                                  "skipped": "it did not end"}
    row["faults"] = faults
    return row


def cells(row):
    if row["skipped"]:
        return [row["says"], *["-"] * 5, row["skipped"]]
    return [row["says"], f"{row['turns']:,}",
            *(f"{row[k]:.2f}" for k in ("p50_ms", "p99_ms", "p999_ms",
                                        "longest_ms")),
            "; ".join(filter(None, (row["what"], row["note"],
                                    *row["faults"])))]


def judged(row):
    for key, name, reach in (("p999_ms", "p99.9", REACH_P999_MS),
                             ("longest_ms", "longest", REACH_MS)):
        yield [f"{row['says']}: {name}", f"{row[key]:.2f} ms",
               f"{reach} ms", "met" if row[key] <= reach else "missed"]


def run(bench):
    names = subprocess.run([bench.place.program("silence"), "--list"],
                           stdout=subprocess.PIPE, text=True,
                           check=True).stdout.split()
    found = []
    for name in names:
        bench.say(f"silence: {name}")
        found.append(once(bench, name))
        bench.log({"workload": "silence", **found[-1]})
    show.lines("Turns of the loop, ms (without the wait for a processor)",
               ["", "turns", "p50", "p99", "p99.9", "longest",
                "which it was"], [cells(row) for row in found])
    show.lines("What is wanted of them", ["", "is", "wanted", ""],
               [line for row in found if not row["skipped"]
                for line in judged(row)])
    bench.results["silence"] = found
