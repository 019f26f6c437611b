# SPDX-License-Identifier: MIT
"""One client allocates 2 GiB as fast as it can from a pool of 16 MiB."""
import subprocess

from place import Huge, Slabd
import show

MIB = 2048
PAGES = MIB // 2 + 64
ROUNDS = 3
# Size of an object, hugepages reserved or not, and the targets: percent of the
# time in allocations over 20 us, their 99.99th percentile, the slowest.
CASES = ((4096, True, 5.0), (256, False, 10.0))
TARGET_US = 100
TARGET_MS = 5


def once(bench, size):
    with Slabd(bench.place, "16M", "3G"):
        out = subprocess.run([bench.place.program("growth"), str(size),
                              str(MIB)], check=True, capture_output=True,
                             text=True).stdout
    return [float(word) for word in out.split()]


def case(bench, size, reserved):
    """The median of each column. The first run is not counted: memory that the
    host has not given yet is not slabd's matter."""
    runs = []
    for _ in range(ROUNDS + 1):
        with Huge(PAGES if reserved else 0):
            runs.append(once(bench, size))
    return [sorted(column)[ROUNDS // 2] for column in zip(*runs[1:])]


def run(bench):
    bench.say("growth: 2 GiB at full speed from a pool of 16 MiB")
    rows, targets = [], []
    for size, reserved, most in CASES:
        ms, share, high, slowest, failed = case(bench, size, reserved)
        name = f"{size} B, {'reserved' if reserved else 'not reserved'}"
        rows.append([name, f"{ms:.0f} ms", f"{share:.1f} %",
                     f"{high:.1f} us", f"{slowest:.2f} ms",
                     f"{failed:.0f}"])
        targets += [[f"{name}: over 20 us", f"{share:.1f} %",
                     f"{most:.0f} %", share <= most],
                    [f"{name}: p99.99", f"{high:.1f} us",
                     f"{TARGET_US} us", high <= TARGET_US],
                    [f"{name}: slowest", f"{slowest:.2f} ms",
                     f"{TARGET_MS} ms", slowest <= TARGET_MS]]
    show.lines("Growth", ["objects", "in all", "over 20 us", "p99.99",
                          "slowest", "failed"], rows)
    show.lines("What is wanted of it", ["", "is", "wanted", ""],
               [[*row, "met" if met else "missed"] for *row, met in targets])
    bench.results["growth"] = rows
