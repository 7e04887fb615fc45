"""What processes use of the machine, from /proc, all of a broker's together."""

import os
import time

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
IDLE_SHARE, IDLE_LOOK_SECONDS, IDLE_WITHIN_SECONDS = 0.10, 0.5, 20


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}") as file:
            return file.read()
    except OSError:
        return ""  # it has ended


def cpu_us(pids):
    """User and kernel time since they began."""
    ticks = 0
    for pid in pids:
        fields = read(pid, "stat").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12]) if fields else 0
    return ticks * TICK_US


def resident_bytes(pids):
    return sum(int((read(pid, "statm") or "0 0").split()[1]) * PAGE for pid in pids)


def peak_bytes(pids):
    """Most main memory that was held at once since forget_peak(), each process for itself."""
    lines = [line for pid in pids for line in read(pid, "status").splitlines() if line.startswith("VmHWM:")]
    return sum(int(line.split()[1]) * 1024 for line in lines)


def forget_peak(pids):
    for pid in pids:
        try:
            with open(f"/proc/{pid}/clear_refs", "w") as file:
                file.write("5")  # proc(5): the peak begins anew
        except OSError:
            pass


def written_bytes(pids):
    """To disks, as the kernel accounts it."""
    lines = [line for pid in pids for line in read(pid, "io").splitlines() if line.startswith("write_bytes:")]
    return sum(int(line.split()[1]) for line in lines)


class Meter:
    """From its birth on, or since begin()."""

    def __init__(self, pids):
        self.pids = pids
        self.begin()

    def begin(self):
        forget_peak(self.pids)
        self.began, self.cpu, self.written = time.monotonic(), cpu_us(self.pids), written_bytes(self.pids)
        self.resident = resident_bytes(self.pids)

    def seconds(self):
        return time.monotonic() - self.began

    def cpu_us(self):
        return cpu_us(self.pids) - self.cpu

    def written_bytes(self):
        return written_bytes(self.pids) - self.written

    def peak_bytes(self):
        return peak_bytes(self.pids)


def await_idle(pids, within=IDLE_WITHIN_SECONDS):
    """Waits until what was before no longer costs anything; a broker that never rests is measured as it is."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        before = cpu_us(pids)
        time.sleep(IDLE_LOOK_SECONDS)
        if cpu_us(pids) - before < IDLE_SHARE * IDLE_LOOK_SECONDS * 1_000_000:
            return
