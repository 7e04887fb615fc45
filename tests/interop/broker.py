"""A broker process under test: start it on a free loopback port, watch it, stop it or kill it.

The command is a template, so that the same tests run against Quorate (the default) and against any
other broker that can be started by a command line. `{port}` and `{data}` are filled in.
"""

import os
import shlex
import signal
import socket
import subprocess
import threading
import time

READY = b"Server startup complete"


def default_command():
    binary = os.environ.get("QUORATE_BIN", "build/dev/bin/quorate")
    return (
        f"{shlex.quote(binary)} --data-dir {{data}} --set listeners.tcp.1=127.0.0.1:{{port}} "
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port, host="127.0.0.1"):
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


class Broker:
    """One data directory and the process that serves it, restarted as often as the test likes."""

    def __init__(self, folder, command=None, settings=(), port=None):
        self.data = os.path.join(folder, "data")
        self.log_path = os.path.join(folder, "broker.log")
        os.makedirs(self.data, exist_ok=True)
        self.port = port or free_port()
        self.command = command or default_command()
        self.settings = list(settings)
        self.process = None

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def pid(self):
        return self.process.pid

    def start(self, seconds=60):
        words = [word.format(port=self.port, data=self.data) for word in shlex.split(self.command)]
        for setting in self.settings:
            words += ["--set", setting]
        log = open(self.log_path, "ab")
        before = log.tell()
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode} at start-up\n{self.log_tail()}")
            with open(self.log_path, "rb") as written:
                written.seek(before)
                announced = READY in written.read()
            return announced or answers(self.port)

        wait_until(ready, seconds, "broker ready")
        return self

    def stop(self, seconds=10):
        """SIGTERM; the exit code, which has to be 0 and to come within `seconds`."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"SIGTERM did not stop the broker within {seconds} s\n{self.log_tail()}") from None

    def kill(self):
        """kill -9, and wait until the process is gone. Its own session goes with it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def rss_kib(self):
        return process_status(self.pid, "VmRSS")

    def peak_rss_kib(self):
        return process_status(self.pid, "VmHWM")

    def disk_bytes(self):
        total = 0
        for folder, _, names in os.walk(self.data):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    pass  # compaction works while we count
        return total

    def log_tail(self, lines=20):
        with open(self.log_path, errors="replace") as written:
            return "".join("  | " + line for line in written.readlines()[-lines:])
