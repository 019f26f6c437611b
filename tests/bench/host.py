# SPDX-License-Identifier: MIT
"""A host with many workers, all asleep: what slabd costs then, how long those who
look at it and those who come wait."""
import os
import statistics
import subprocess
import time

from contest import Failure
from place import Slabd
import show

CLIENTS, THREADS, CACHES = 1000, 8, 200
QUICK = 100
VERBS = ("status", "nodes", "caches", "clients", "slabs", "channels", "arenas",
         "leaks", "doctor", "log", "history", "plan", "advise")
REST_S = 10
NEWCOMERS = 400
REACH = {"rest": 0.01, "rss": 64, "slabctl": 100, "metrics": 50, "top": 2,
         "open": 20}


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    """What is its own: pages of the pool are the clients'."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        found = {line.split(":")[0]: line.split()[1] for line in file
                 if line.startswith("Rss")}
    return (int(found["RssAnon"]) + int(found["RssFile"])) / 1024


def share(pid, seconds):
    """Of a CPU, that a process takes."""
    began, before = time.monotonic(), cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - began)


def p99(values):
    return sorted(values)[max(0, len(values) * 99 // 100 - 1)]


def ctl_ms(bench, slabd, verb):
    command = [os.path.join(bench.options.build, "daemon/slabctl"),
               "--control", slabd.control, verb]
    took = []
    for _ in range(5):
        began = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 1):
            raise Failure(f"slabctl {verb}: {done.stderr.strip()}")
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)


def top_share(bench, slabd):
    """slabd's and slabctl's together, of a CPU, while somebody looks."""
    with subprocess.Popen(
            ["script", "-qec", os.path.join(
                bench.options.build, "daemon/slabctl") +
             f" --control {slabd.control} top", "/dev/null"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as top:
        time.sleep(2)
        inner = subprocess.run(["pgrep", "-P", str(top.pid)],
                               stdout=subprocess.PIPE, text=True,
                               check=True).stdout.split()
        before = cpu_s(slabd.process.pid) + cpu_s(inner[0])
        time.sleep(REST_S)
        after = cpu_s(slabd.process.pid) + cpu_s(inner[0])
        top.stdin.write(b"q")
        top.stdin.close()
        top.wait(20)
    return (after - before) / REST_S


def scrape_ms(slabd):
    took = []
    for _ in range(5):
        began = time.monotonic()
        slabd.fetch("/metrics")
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)


def measure(bench, slabd, host):
    pid = slabd.process.pid
    rows = [["CPU at rest, of one", f"{share(pid, REST_S) * 100:.2f} %",
             "0 %", share(pid, 1) < REACH["rest"]]]
    rss = rss_mib(pid)
    rows.append(["memory of slabd's own", f"{rss:.0f} MiB",
                 f"{REACH['rss']} MiB", rss < REACH["rss"]])
    for verb in VERBS:
        took = ctl_ms(bench, slabd, verb)
        rows.append([f"slabctl {verb}", f"{took:.0f} ms",
                     f"{REACH['slabctl']} ms", took < REACH["slabctl"]])
    took = scrape_ms(slabd)
    rows.append(["a scrape of the metrics", f"{took:.0f} ms",
                 f"{REACH['metrics']} ms", took < REACH["metrics"]])
    looks = top_share(bench, slabd) * 100
    rows.append(["slabctl top, with slabd", f"{looks:.1f} %",
                 f"{REACH['top']} %", looks < REACH["top"]])
    host.stdin.write(f"{NEWCOMERS}\n")
    host.stdin.flush()
    opens = [int(ns) / 1e6 for ns in host.stdout.readline().split()]
    rows.append(["a newcomer's first object, median",
                 f"{statistics.median(opens):.2f} ms", "", True])
    rows.append(["... p99", f"{p99(opens):.2f} ms", f"{REACH['open']} ms",
                 p99(opens) <= REACH["open"]])
    return rows


def run(bench):
    clients = QUICK if bench.options.quick else CLIENTS
    bench.say(f"host: {clients} clients of {THREADS} threads, {CACHES} caches")
    slabd = Slabd(bench.place, "512M", "6G", page="thp")
    slabd.text += "max_clients = 2048\nmax_clients_user = 2048\n"
    with slabd:
        with subprocess.Popen(
                [bench.place.program("host"), str(clients), str(THREADS),
                 str(CACHES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True) as host:
            try:
                if host.stdout.readline() != "ready\n":
                    bench.say("host: left out, its clients did not come")
                    return
                time.sleep(5)
                rows = measure(bench, slabd, host)
            finally:
                host.stdin.close()
                host.wait(60)
    show.lines(f"{clients} clients of {THREADS} threads with {CACHES} caches",
               ["", "is", "wanted", ""],
               [[*row[:3], "" if not row[2] else
                 "met" if row[3] else "missed"] for row in rows])
    bench.results["host"] = [dict(zip(("what", "is", "wanted", "met"), row))
                             for row in rows]
