"""Each node in a network namespace of its own, on a bridge with this test: any direction can be cut.

enter() begins the program anew inside namespaces of user (unless root), network, mounts and processes: everything ends
with it, nothing of the machine is touched, and no rights are needed where the kernel lets users make namespaces.
"""

import itertools
import os
import subprocess
import sys

from network import CLIENTS, Network
from support.cluster import NotPossible, ProcessCluster

INSIDE = "QUORATE_CHAOS_INSIDE"
HOST = "10.77.0.254"
SMALL_DISK_MIB = 400  # of the last node, which has a file system of its own


def enter():
    """Returns inside the namespaces, or "" with the reason why there are none."""
    if os.environ.get(INSIDE):
        run("ip", "link", "set", "lo", "up")
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        os.makedirs("/run/netns")
        run("ip", "link", "add", "bridge0", "type", "bridge")
        run("ip", "address", "add", f"{HOST}/24", "dev", "bridge0")
        run("ip", "link", "set", "bridge0", "up")
        return ""
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    probe = "ip link add bridge0 type bridge && ip link add to-n1 type veth peer name peer && nft add table ip t"
    try:
        tried = subprocess.run([*unshare, "sh", "-c", probe], capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    if tried.returncode:
        return tried.stderr.strip() or "unshare failed"
    sys.stdout.flush()
    os.environ[INSIDE] = "root" if os.geteuid() == 0 else "user"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])


def run(*words):
    subprocess.run(words, check=True)


class IsolatedCluster(ProcessCluster):
    serials = itertools.count(1)

    def __init__(self, folder, count=3):
        super().__init__(folder, count)
        self.serial = next(self.serials)  # a namespace may outlive its cluster a little
        for name, node in self.nodes.items():
            space, link = self.namespace(name), f"to-{self.namespace(name)}"
            run("ip", "netns", "add", space)
            run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
            run("ip", "link", "set", link, "master", "bridge0", "up")
            run("ip", "-n", space, "address", "add", f"{node.host}/24", "dev", "eth0")
            run("ip", "-n", space, "link", "set", "eth0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")
        addresses = {name: node.host for name, node in self.nodes.items()} | {CLIENTS: HOST}
        self.network = Network(self.prefix, addresses)
        self.make_small_disk(self.last.data)

    @property
    def last(self):
        return list(self.nodes.values())[-1]

    def place(self, number):
        return f"10.77.0.{number}", (5672, 15672, 25672)

    def prefix(self, name):
        return ["nsenter", f"--net=/run/netns/{self.namespace(name)}"]

    def namespace(self, name):
        return f"{name}-{self.serial}"

    def cut(self, pairs):
        self.network.cut(pairs)

    def slow(self, name, bytes_per_second):
        self.network.slow(name, bytes_per_second)

    # --- a small disk ----------------------------------------------------------------------------------------------

    def make_small_disk(self, data):
        """ext4 on a loop device; tmpfs where only root might do that, which fills up in the same way."""
        if os.environ[INSIDE] == "root":
            image = os.path.join(self.folder, "small_disk")
            with open(image, "wb") as file:
                file.truncate(SMALL_DISK_MIB << 20)
            run("mkfs.ext4", "-q", "-m", "0", image)
            run("mount", "-o", "loop", image, data)
        else:
            run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", data)

    def filler(self, name):
        if name != self.last.name:
            raise NotPossible(f"a full disk: only {self.last.name} has a small one")
        return os.path.join(self.nodes[name].data, "filler")

    def fill_disk(self, name):
        """To the last byte."""
        with open(self.filler(name), "wb", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def free_disk(self, name):
        if os.path.exists(self.filler(name)):
            os.unlink(self.filler(name))

    def close(self):
        super().close()
        for name in self.nodes:
            run("ip", "link", "delete", f"to-{self.namespace(name)}")
            run("ip", "netns", "delete", self.namespace(name))
        run("umount", "--lazy", self.last.data)
