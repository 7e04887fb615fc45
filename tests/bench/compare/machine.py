"""What a reader has to know of the machine; no name of it."""

import os
import platform
import subprocess


def last_core():
    return max(os.sched_getaffinity(0))


def value_of(path, key):
    with open(path) as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def file_system(folder):
    """Its type, and the kind of device below it."""
    words = ["findmnt", "-n", "-o", "FSTYPE,SOURCE", "--target", folder]
    found = subprocess.run(words, capture_output=True, text=True).stdout.split()
    if len(found) < 2:
        return "an unknown file system"
    device = os.path.basename(found[1])
    kind = "virtual disk" if device.startswith(("vd", "xvd")) else "disk"
    return f"{found[0]} on a {kind}"


def describe(folder):
    cores = len(os.sched_getaffinity(0))
    model = value_of("/proc/cpuinfo", "model name") or platform.machine()
    speed = float(value_of("/proc/cpuinfo", "cpu MHz") or 0) / 1000
    memory = int(value_of("/proc/meminfo", "MemTotal").split()[0]) / 1024**2
    kernel = platform.release().split("-")[0]
    return f"{cores} cores ({model}, {speed:.1f} GHz), {memory:.0f} GiB, {file_system(folder)}, Linux {kernel}"


def commit(root):
    words = ["git", "-C", root, "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() or "an unknown commit"
