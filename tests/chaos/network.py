"""Cutting and slowing the network between nodes that have addresses of their own, with nftables inside each of them."""

import subprocess

TABLE = "chaos"
CLIENTS = "clients"  # their name among those of nodes


class Network:
    """`inside`: name -> the words that run a command in that node's network; `address_of`: name -> IPv4 address."""

    def __init__(self, inside, address_of):
        self.inside, self.address_of = inside, address_of
        self.pairs, self.limits = [], {}

    def cut(self, pairs):
        touched = {self.where(pair) for pair in self.pairs + list(pairs)}
        self.pairs = list(pairs)
        for name in sorted(touched):
            self.apply(name)

    def slow(self, name, bytes_per_second):
        self.limits[name] = bytes_per_second
        self.apply(name)

    @staticmethod
    def where(pair):
        """The node that drops: the one that would receive, or that would send to clients, who drop nothing."""
        sender, receiver = pair
        return sender if receiver == CLIENTS else receiver

    def rules(self, name):
        """The whole table of one node. Only other nodes are limited: clients have their own way."""
        incoming, outgoing = [], []
        for sender, receiver in self.pairs:
            if receiver == name:
                incoming.append(f"ip saddr {self.address_of[sender]} drop")
            elif (sender, receiver) == (name, CLIENTS):
                outgoing.append(f"ip daddr {self.address_of[receiver]} drop")
        if self.limits.get(name):
            others = ", ".join(self.address_of[other] for other in self.address_of if other not in (name, CLIENTS))
            limit = f"limit rate over {self.limits[name]} bytes/second burst 32 kbytes drop"
            incoming.append(f"ip saddr {{ {others} }} {limit}")
            outgoing.append(f"ip daddr {{ {others} }} {limit}")
        chains = (("incoming", "input", incoming), ("outgoing", "output", outgoing))
        lines = [f"table ip {TABLE} {{}}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"]
        for chain, hook, rules in chains:
            lines += [f"chain {chain} {{ type filter hook {hook} priority 0;", *rules, "}"]
        return "\n".join([*lines, "}"])

    def apply(self, name):
        command = [*self.inside(name), "nft", "-f", "-"]
        subprocess.run(command, input=self.rules(name) + "\n", text=True, check=True)
