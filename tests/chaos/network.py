"""Cutting and slowing the network between nodes that have addresses of their own, with nftables inside each of them."""

import subprocess

TABLE = "chaos"
BURST = 64  # packets that pass before a limit begins to drop


class Network:
    """`inside`: name -> the words that run a command in that node's network; `address_of`: name -> IPv4 address."""

    def __init__(self, inside, address_of):
        self.inside, self.address_of = inside, address_of
        self.pairs, self.limits = [], {}

    def cut(self, pairs):
        touched = {receiver for _, receiver in self.pairs + list(pairs)}
        self.pairs = list(pairs)
        for name in touched:
            self.apply(name)

    def slow(self, name, bytes_per_second):
        self.limits[name] = bytes_per_second
        self.apply(name)

    def rules(self, name):
        """The whole table of one node. Only other nodes are limited: the test's clients have their own way."""
        rules = [f"ip saddr {self.address_of[sender]} drop" for sender, receiver in self.pairs if receiver == name]
        limited = []
        if self.limits.get(name):
            others = ", ".join(address for other, address in self.address_of.items() if other.startswith("n") and other != name)
            limit = f"limit rate over {self.limits[name]} bytes/second burst 32 kbytes drop"
            rules.append(f"ip saddr {{ {others} }} {limit}")
            limited.append(f"ip daddr {{ {others} }} {limit}")
        return "\n".join(
            [f"table ip {TABLE} {{}}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"]
            + [" chain incoming { type filter hook input priority 0;", *rules, "}"]
            + [" chain outgoing { type filter hook output priority 0;", *limited, "}", "}"]
        )

    def apply(self, name):
        command = [*self.inside(name), "nft", "-f", "-"]
        subprocess.run(command, input=self.rules(name) + "\n", text=True, check=True)
