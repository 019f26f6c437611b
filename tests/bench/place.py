# SPDX-License-Identifier: MIT
"""What the contestants stand on: a slabd of one's own, hugepages, folders."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

NR_HUGE = "/proc/sys/vm/nr_hugepages"


class Place:
    """A folder for the run's sockets and files; undone at the end."""

    def __init__(self, build):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix="slabd-bench-")
        self.mounted = None

    def program(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def hugetlbfs(self):
        """A mount for programs that share hugepages by name, or None."""
        if self.mounted is None:
            path = os.path.join(self.folder, "huge")
            os.mkdir(path)
            done = subprocess.run(
                ["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", path],
                stderr=subprocess.DEVNULL, check=False)
            self.mounted = path if done.returncode == 0 else ""
        return self.mounted or None

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.mounted], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Huge:
    """So many 2 MiB pages more than there were, given back at the end."""

    def __init__(self, pages):
        self.pages = pages
        self.got = 0

    def __enter__(self):
        before = self.read()
        self.write(before + self.pages)
        self.got = max(0, self.read() - before)
        return self

    def __exit__(self, *_):
        self.write(max(0, self.read() - self.got))

    @staticmethod
    def read():
        with open(NR_HUGE, encoding="ascii") as file:
            return int(file.read())

    @staticmethod
    def write(pages):
        try:
            with open(NR_HUGE, "w", encoding="ascii") as file:
                file.write(str(pages))
        except OSError:
            pass  # as a user: what is there must do


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Slabd:
    """A slabd with one pool, ready when it is entered, as by default where
    start is None. head is more of its configuration, options are more of its command line."""

    def __init__(self, place, start, most=None, page="2m", head="",
                 options=()):
        self.place = place
        self.text = f"{head}[pool default]\n"
        if start is not None:
            self.text += (f"page = {page}\nstart = {start}\n"
                          f"max = {most or start}\n")
        self.options = options
        self.process = None
        self.log = None
        self.ready_s = 0.0
        self.socket = os.path.join(place.folder, "s")
        self.control = os.path.join(place.folder, "c")

    def command(self):
        """What starts it; its configuration and its log are there then."""
        conf = os.path.join(self.place.folder, "conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(self.text)
        self.log = open(os.path.join(self.place.folder, "log"), "w",
                        encoding="utf-8")
        return [os.path.join(self.place.build, "daemon/slabd"), "--config",
                conf, "--socket", self.socket, "--control", self.control,
                *self.options]

    def __enter__(self):
        command = self.command()
        began = time.monotonic()
        self.process = subprocess.Popen(command, stderr=self.log)
        try:
            while not self.answers():
                if (self.process.poll() is not None
                        or time.monotonic() - began > 120):
                    raise RuntimeError("slabd does not start: " + self.said())
                time.sleep(0.02)
        except BaseException:
            self.__exit__()
            raise
        self.ready_s = time.monotonic() - began
        os.environ["SLABD_SOCKET"] = self.socket
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        for path in (self.socket, self.control):
            if os.path.exists(path):
                os.unlink(path)

    def said(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8") as file:
            return file.read().strip()

    def answers(self):
        try:
            return bool(self.get("/status"))
        except (OSError, http.client.HTTPException):
            return False

    def fetch(self, path):
        link = UnixHTTP(self.control)
        try:
            link.request("GET", path)
            return link.getresponse().read()
        finally:
            link.close()

    def get(self, path):
        return json.loads(self.fetch(path))

    def pool(self):
        return self.get("/status")["pools"][0]

    def backing(self):
        """Which pages it got."""
        return self.get("/status")["startup"][0]["backing"]
