# SPDX-License-Identifier: MIT
"""What a pool of 1 GiB costs: start-up, attaching, metadata, idling."""
import re
import subprocess
import time

from place import Slabd
import show

IDLE_S = 5


def ask(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().split("\n")
    return lines[-1]


def metadata(bench, slabd):
    """The pool full of 64-byte objects: metadata to data, in per cent."""
    filler = subprocess.Popen([bench.place.program("attach"), "fill"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    filled = filler.stdout.readline().strip()
    pool = slabd.pool()
    filler.communicate("\n")
    share = 100 * pool["metadata_bytes"] / pool["ready_bytes"]
    return f"{share:.2f} % of the pool ({filled})"


def idle(slabd):
    """Wake-ups of slabd with nobody about."""
    def switches():
        with open(f"/proc/{slabd.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                                 file.read(), re.M).group(1))
    time.sleep(2)
    before = switches()
    time.sleep(IDLE_S)
    return f"{switches() - before} wake-ups in {IDLE_S} s"


def run(bench):
    bench.say("the pool itself")
    rows = [["faulting 1 GiB in", ask([bench.place.program("populate")])]]
    with Slabd(bench.place, "1G") as slabd:
        attach = ask([bench.place.program("attach"), "open", "200"])
        rows.append(["attaching", attach.replace("attach: ", "")])
        rows.append(["object pools", ask([bench.place.program("objpool")])])
        rows.append(["metadata", metadata(bench, slabd)])
        rows.append(["idle slabd", idle(slabd)])
    show.lines("A pool of 1 GiB", ["", ""], rows)
    bench.results["pool"] = dict(rows)
