# SPDX-License-Identifier: MIT
"""What deaths cost: of a client, with much or little, and of slabd."""
import fcntl
import os
import re
import signal
import socket
import statistics
import subprocess
import time

from place import Huge, Slabd
import show

DEATHS = 30
HELD = 1000
SWEEPS = ((1_000_000, "512M", 7), (16_000_000, "1536M", 5))
RESTARTS = 10
WARM_S = 1.0
ASK_S = 0.0005
STEADY_S = 10.5  # of life, and the supervisor starts slabd without delay again
ENDED = re.compile(r": (\d+) objects? came back, ([\d.]+) ms")
TARGET_MS = 200
TARGET_SPEED = 0.95


def now_ms():
    return time.clock_gettime(time.CLOCK_MONOTONIC) * 1e3


def middle(values, unit="ms"):
    return (f"p50 {statistics.median(values):.1f} {unit}, "
            f"max {max(values):.1f} {unit} of {len(values)}")


class Client:
    """recovery hold N, or recovery run CPU; ready when it is made."""

    def __init__(self, place, *arguments):
        self.process = subprocess.Popen(
            [place.program("recovery"), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = int(self.process.stdout.readline())

    def kill(self):
        """When it was killed, in ms of the clock."""
        at = now_ms()
        self.process.kill()
        return at

    def end(self):
        return self.process.communicate("\n")[0]


def used(slabd):
    """Objects of the cache of "recovery hold"."""
    caches = slabd.get("/caches")["pools"][0]["caches"]
    return sum(c["used"] for c in caches if c["name"] == "hold")


def until_back(slabd, n):
    """When slabd says of the n-th client that its objects came back."""
    while len(ENDED.findall(slabd.said())) < n:
        time.sleep(ASK_S)
    at = now_ms()
    if used(slabd):
        raise RuntimeError("a client is gone, and its objects are not back")
    return at


def deaths(bench):
    """From SIGKILL to the objects back, as slabd answers: its log would be
    cut short."""
    took = []
    with Slabd(bench.place, "64M") as slabd:
        for _ in range(DEATHS):
            client = Client(bench.place, "hold", HELD)
            killed = client.kill()
            while slabd.pool()["clients"] > 0:
                time.sleep(ASK_S)
            took.append(now_ms() - killed)
            if used(slabd):
                raise RuntimeError("its objects are not back")
            client.process.wait()
    return middle(took)


def speed_during(lines, killed, gone):
    """Objects a ms while the sweep ran, by those of the second before."""
    slices = [tuple(map(float, line.split())) for line in lines]
    before = [n for at, n in slices if killed - 1000 <= at < killed - 2]
    during = [n for at, n in slices if killed <= at <= gone]
    if sum(before) == 0 or not during:
        return None
    return statistics.mean(during) / statistics.mean(before)


def sweep(bench, objects, pool, times):
    """slabd, who dies and who asks leave the last CPU to who works on."""
    os.sched_setaffinity(0, bench.cpus[:-1] or bench.cpus)
    try:
        return sweep_beside(bench, objects, pool, times)
    finally:
        os.sched_setaffinity(0, bench.cpus)


def sweep_beside(bench, objects, pool, times):
    speeds, wall = [], []
    with Slabd(bench.place, pool) as slabd:
        for i in range(times):
            runner = Client(bench.place, "run", bench.cpus[-1])
            holder = Client(bench.place, "hold", objects)
            if holder.said < objects:
                raise RuntimeError(f"only {holder.said} objects to be had")
            time.sleep(WARM_S)
            killed = holder.kill()
            gone = until_back(slabd, 2 * i + 1)
            time.sleep(WARM_S / 2)
            speed = speed_during(runner.end().splitlines(), killed, gone)
            holder.process.wait()
            while len(ENDED.findall(slabd.said())) < 2 * i + 2:
                time.sleep(ASK_S)
            wall.append(gone - killed)
            speeds += [speed] if speed is not None else []
        inside = [float(ms) for n, ms in ENDED.findall(slabd.said())
                  if int(n) >= objects]
    speed = statistics.median(speeds)
    return [["SIGKILL to all back", middle(wall)],
            ["of it the sweep", middle(inside)],
            ["others meanwhile", f"{100 * speed:.0f} % of their speed"]], speed


# --- slabd ------------------------------------------------------------------

def slabctl(bench, slabd):
    """Whether slabctl is answered."""
    return subprocess.run(
        [os.path.join(bench.place.build, "daemon/slabctl"), "--control",
         slabd.control, "status"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=False).returncode == 0


def let_in(bench):
    """A new client, whatever slabd's death does to its first try."""
    while True:
        try:
            return Client(bench.place, "hold", 0)
        except ValueError:
            time.sleep(ASK_S)


def supervised(bench, filled):
    """From SIGKILL of slabd to a new client in the pool, then to slabctl's
    answer; and what slabctl takes when slabd is well, as it counts objects."""
    took, answer, alone = [], [], []
    with Slabd(bench.place, "4G", options=("--supervise",)) as slabd:
        client = Client(bench.place, "hold", filled)
        for _ in range(RESTARTS // 3):
            time.sleep(STEADY_S)
            began = now_ms()
            slabctl(bench, slabd)
            alone.append(now_ms() - began)
            pid = slabd.get("/status")["pid"]
            began = now_ms()
            os.kill(pid, signal.SIGKILL)
            late = let_in(bench)
            took.append(now_ms() - began)
            while not slabctl(bench, slabd):
                pass
            answer.append(now_ms() - began)
            late.end()
            if slabd.get("/status")["pid"] == pid:
                raise RuntimeError("slabd was not killed")
        if used(slabd) != client.said:
            raise RuntimeError("objects are lost")
        client.end()
    return [["SIGKILL to a new client's entry", middle(took)],
            ["SIGKILL to slabctl's answer", middle(answer)],
            ["slabctl's answer from one that is well", middle(alone)]], took


class Manager:
    """A service manager that keeps what slabd hands over."""

    def __init__(self, slabd):
        self.slabd = slabd
        self.path = os.path.join(slabd.place.folder, "n")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.command = slabd.command()
        self.kept = {}
        self.pid = 0
        os.environ["SLABD_SOCKET"] = slabd.socket

    def close(self):
        self.stop(signal.SIGTERM)
        for fd in self.kept.values():
            os.close(fd)
        self.sock.close()
        os.unlink(self.path)
        self.slabd.log.close()

    def hear(self, seconds):
        """The fields of a message; None: there is none in time."""
        self.sock.settimeout(seconds)
        try:
            text, fds, _, _ = socket.recv_fds(self.sock, 8192, 4)
        except (TimeoutError, BlockingIOError):
            return None
        fields = dict(line.split("=", 1)
                      for line in text.decode().splitlines() if "=" in line)
        if "FDSTORE" in fields and fds:
            self.kept[fields["FDNAME"]] = fds.pop()
        elif "FDSTOREREMOVE" in fields and fields["FDNAME"] in self.kept:
            fds.append(self.kept.pop(fields["FDNAME"]))
        for fd in fds:
            os.close(fd)
        return fields

    def start(self):
        """From exec to READY, in ms."""
        while self.hear(0) is not None:
            pass
        began = now_ms()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become()
            finally:
                os._exit(127)
        while True:
            fields = self.hear(60)
            if fields is None:
                raise RuntimeError("slabd does not start")
            if "READY" in fields:
                return now_ms() - began

    def become(self):
        """slabd, in the new process."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 512)
                for fd in self.kept.values()]
        os.dup2(self.slabd.log.fileno(), 2)
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
        environment = dict(os.environ, NOTIFY_SOCKET=self.path)
        if high:
            environment.update(LISTEN_FDS=str(len(high)),
                               LISTEN_PID=str(os.getpid()),
                               LISTEN_FDNAMES=":".join(self.kept))
        os.execve(self.command[0], self.command, environment)

    def stop(self, how):
        if self.pid:
            os.kill(self.pid, how)
            os.waitpid(self.pid, 0)
        self.pid = 0


def managed(bench, filled):
    """From exec to READY, on what a played manager kept. What it keeps is
    not given back by slabd: so the hugepages are reserved here."""
    took = []
    with Huge(2048 + 16):
        slabd = Slabd(bench.place, "4G",
                      head="[slabd]\nreserve_hugepages = no\n")
        manager = Manager(slabd)
        try:
            manager.start()
            client = Client(bench.place, "hold", filled)
            for _ in range(RESTARTS):
                manager.stop(signal.SIGKILL)
                took.append(manager.start())
            while not slabd.answers():
                pass
            if used(slabd) != client.said:
                raise RuntimeError("objects are lost")
            client.end()
        finally:
            manager.close()
    return [["exec to READY, played manager", middle(took)]], took


def run(bench):
    bench.say("deaths: of clients")
    rows = [[f"{HELD:,} objects: SIGKILL to all back",
             deaths(bench)]]
    targets = []
    for objects, pool, times in SWEEPS:
        bench.say(f"deaths: of a client with {objects:,} objects")
        found, speed = sweep(bench, objects, pool, times)
        rows += [[f"{objects:,} objects: {name}", text] for name, text in found]
        targets.append([f"{objects:,} objects: others meanwhile",
                        f"{speed:.2f}", f"{TARGET_SPEED}",
                        speed >= TARGET_SPEED])
    for filled, title in ((0, "4 GiB, empty"), (64_000_000, "4 GiB, full")):
        bench.say(f"deaths: of slabd, {title}")
        for measure in (supervised, managed):
            found, took = measure(bench, filled)
            rows += [[f"{title}: {name}", text] for name, text in found]
            name, value = rows[-len(found)][0], statistics.median(took)
            targets.append([name, f"{value:.1f} ms", f"{TARGET_MS} ms",
                            value <= TARGET_MS])
    show.lines("Deaths", ["", ""], rows)
    show.lines("What is wanted of them", ["", "is", "wanted", ""],
               [[*row, "met" if met else "missed"] for *row, met in targets])
    bench.results["recovery"] = dict(rows)
