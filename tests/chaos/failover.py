#!/usr/bin/python3
"""How long clients behind HAProxy wait when the leader of their queue dies.

    failover.py [--times 20] [--freeze] [--rate 1000]

Three processes, HAProxy with the shipped configuration in front, publishers and consumers through it. The node that
leads a queue is killed with SIGKILL (or frozen with SIGSTOP for some seconds) again and again. For each time: the
longest gap between confirms of any queue (two publishers each), and of any single publisher, whose connection may have
been to the node that is gone. The checker judges the whole run.
"""

import argparse
import bisect
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "deploy"))
import haproxy_config  # noqa: E402
from checker import gaps_between_confirms  # noqa: E402
from support.broker import answers, free_port, wait_until  # noqa: E402
from support.cluster import ProcessCluster  # noqa: E402
from workload import Workload  # noqa: E402

DOWN, FROZEN, QUIET = 2.0, 8.0, 4.0  # seconds


class Failover:
    def __init__(self, options, folder):
        self.options = options
        self.cluster = ProcessCluster(folder, 3)
        self.config = os.path.join(folder, "haproxy.cfg")
        self.ports = {name: free_port() for name in haproxy_config.PORTS}
        self.strikes = []  # (time, node)

    def run(self):
        self.cluster.start_all()
        haproxy_config.write(self.config, self.cluster.nodes.values(), ports=self.ports)
        haproxy = subprocess.Popen(["haproxy", "-db", "-f", self.config], stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: answers(self.ports["amqp"]), 20, "HAProxy leads to a node")
            nodes = [("haproxy", "127.0.0.1", self.ports["amqp"])]
            self.workload = Workload(nodes, self.options.rate, self.options.seed, classic=False, metadata=False)
            verdict = self.workload.run(self.strike_again_and_again)
        finally:
            haproxy.kill()
            haproxy.wait()
        self.report(verdict)
        return verdict

    def strike_again_and_again(self):
        pause = threading.Event().wait
        pause(QUIET)
        for _ in range(self.options.times):
            victim = self.cluster.leader_of(self.workload.quorum[0])
            self.strikes.append((self.workload.history.clock(), victim))
            if self.options.freeze:
                self.cluster.freeze(victim)
                pause(FROZEN)
                self.cluster.thaw(victim)
            else:
                self.cluster.kill(victim)
                pause(DOWN)
                self.cluster.start(victim)
            wait_until(self.cluster.is_well, 60, "every node ready")
            pause(QUIET)

    def report(self, verdict):
        events = self.workload.history.events
        moments = [time for time, _ in self.strikes]
        rows = {}
        for what, by_client in (("queue", False), ("client", True)):
            rows[what] = longest_per_strike(gaps_between_confirms(events, by_client), moments)
        for (_, victim), queue, client in zip(self.strikes, rows["queue"], rows["client"]):
            print(f"{victim}  queue {queue:6.2f} s  client {client:6.2f} s")
        how = "frozen" if self.options.freeze else "killed"
        for what, gaps in rows.items():
            text = f"median {statistics.median(gaps):.2f} s, worst {max(gaps):.2f} s"
            print(f"leader {how} {len(gaps)} times, longest gap of a {what}: {text}")
        print("\n".join(self.workload.lines(verdict)))


def longest_per_strike(gaps, moments):
    """A gap belongs to the first strike within it, or else to the last one before it."""
    longest = [0.0] * len(moments)
    for seconds, _, begin, end in gaps:
        at = bisect.bisect_right(moments, begin)
        if at == len(moments) or moments[at] > end:
            at -= 1
        if at >= 0:
            longest[at] = max(longest[at], seconds)
    return longest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--rate", type=float, default=1000, help="publications a second, altogether")
    parser.add_argument("--seed")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="quorate-failover.")
    failover = Failover(options, folder)
    try:
        return 0 if failover.run().kept() else 1
    finally:
        failover.cluster.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
