"""A broker process under test: start it on a free loopback port, watch it, stop it or kill it.

The command is a template, so that the same tests run against Quorate (the default) and against any
other broker that can be started by a command line. `{port}` and `{data}` are filled in.
"""

import os
import random
import shlex
import signal
import socket
import subprocess
import threading
import time

HOST = "127.0.0.1"
READY = "Server startup complete"
ports_given = set()  # to whoever will listen there, now or later
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program(name="quorate"):
    """The program under test; the operator's tools lie beside it."""
    quorate = os.environ.get("QUORATE_BIN", os.path.join(ROOT, "build/dev/bin/quorate"))
    return quorate if name == "quorate" else os.path.join(os.path.dirname(quorate), name)


def default_command():
    return (
        f"{shlex.quote(program())} --data-dir {{data}} --set listeners.tcp.1={HOST}:{{port}} "
        "--set management.tcp.port=none"
    )


def wait_until(condition, seconds, what):
    """Asks again and again until `condition()` is true; the only place where a test lets time pass."""
    until = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > until:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        threading.Event().wait(0.02)


def free_port():
    """One that nobody listens on, outside the range from which outgoing connections get theirs; none is given twice."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in ports_given:
            ports_given.add(port)
            return port


def answers(port, host=HOST):
    """True when an AMQP server says connection.start on this port."""
    try:
        with socket.create_connection((host, port), timeout=2) as probe:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
    except OSError:
        return False


def process_status(pid, key):
    """One number of /proc/PID/status, in the unit it is printed in (KiB for VmRSS and VmHWM)."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    raise KeyError(key)


class Process:
    """A program with a log, started as often as the test likes. As a context it is killed at the end."""

    def __init__(self, log_path):
        self.log_path = log_path
        self.process = None

    def launch(self, words, **options):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.alive():
            self.kill()

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=10):
        """SIGTERM, which has to end the process within `seconds`; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"SIGTERM did not stop the process within {seconds} s{self.log_tail()}") from None

    def kill(self):
        """SIGKILL, and waits until the process is gone."""
        self.process.kill()
        self.process.wait()

    # -- the log -------------------------------------------------------------------------------

    def log_size(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def log_since(self, offset=0):
        with open(self.log_path, errors="replace") as written:
            written.seek(offset)
            return written.read()

    def wait_for_log(self, text, offset=0, seconds=10):
        wait_until(lambda: text in self.log_since(offset), seconds, f"'{text}' in {self.log_path}")

    def log_tail(self, lines=20):
        """The last lines, each on a line of its own below what is printed before."""
        if not self.log_size():
            return ""
        return "".join(f"\n    | {line}" for line in self.log_since().splitlines()[-lines:])


class Broker(Process):
    """One data directory and the process that serves it."""

    def __init__(self, folder, command=None, settings=(), port=None):
        super().__init__(os.path.join(folder, "broker.log"))
        self.data = os.path.join(folder, "data")
        os.makedirs(self.data, exist_ok=True)
        self.port = port or free_port()
        self.command = command or default_command()
        self.settings = list(settings)

    @property
    def url(self):
        return f"amqp://guest:guest@{HOST}:{self.port}/"

    def start(self, seconds=60):
        words = [word.format(port=self.port, data=self.data) for word in shlex.split(self.command)]
        for setting in self.settings:
            words += ["--set", setting]
        before = self.log_size()
        self.launch(words, start_new_session=True)

        def ready():
            if not self.alive():
                raise RuntimeError(f"the broker ended with {self.process.returncode} at start-up{self.log_tail()}")
            return READY in self.log_since(before) or answers(self.port)

        wait_until(ready, seconds, "broker ready")
        return self

    def kill(self):
        """With its whole session, as the command may be a script that has started the broker."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def rss_kib(self):
        return process_status(self.pid, "VmRSS")

    def peak_rss_kib(self):
        return process_status(self.pid, "VmHWM")

    def disk_bytes(self):
        total = 0
        for folder, _, names in os.walk(self.data):
            for name in names:
                if name == "ballast":
                    continue  # a reserve, the same however many messages there are
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    pass  # compaction works while we count
        return total
