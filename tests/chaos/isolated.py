"""Each node in a network namespace of its own, on a bridge with this test: any direction can be cut.

enter() begins the program anew inside support/namespaces.py: everything ends with it, nothing of the machine is touched.
"""

import itertools
import os

from network import CLIENTS, Network
from support import namespaces
from support.cluster import NotPossible, ProcessCluster
from support.namespaces import run
from support.small_disk import SmallDisk

HOST = "10.77.0.254"
SMALL_DISK_MIB = 400  # of the last node, which has a file system of its own
PROBE = "ip link add bridge0 type bridge && ip link add to-n1 type veth peer name peer && nft add table ip t"


def enter():
    """Returns inside the namespaces, or "" with the reason why there are none."""
    if why_not := namespaces.enter(["--net"], PROBE):
        return why_not
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.makedirs("/run/netns")
    run("ip", "link", "add", "bridge0", "type", "bridge")
    run("ip", "address", "add", f"{HOST}/24", "dev", "bridge0")
    run("ip", "link", "set", "bridge0", "up")
    return ""


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
        self.disk = SmallDisk(self.last.data, SMALL_DISK_MIB)

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

    def small_disk(self, name, what):
        if name != self.last.name:
            raise NotPossible(f"{what}: only {self.last.name} has a small one")
        return self.disk

    def fill_disk(self, name):
        self.small_disk(name, "a full disk").fill()

    def free_disk(self, name):
        self.small_disk(name, "a full disk").free()

    def hang_disk(self, name):
        self.small_disk(name, "a disk that hangs").hang()

    def let_disk_answer(self, name):
        self.disk.answer()

    def close(self):
        self.disk.answer()  # or its process could not end
        super().close()
        for name in self.nodes:
            run("ip", "link", "delete", f"to-{self.namespace(name)}")
            run("ip", "netns", "delete", self.namespace(name))
        self.disk.close()
