"""Nodes that find each other behind a host name, by the machine's own resolver: `127.1` leads to the first of them.

It is no address as it stands, and what it leads to hangs on no file of the machine, as with `localhost`. The others
have addresses of their own in 127.0.0.0/8, and become known by asking the first.
"""

import contextlib
import json
import os

from support.broker import free_port, wait_until
from support.cluster import ProcessCluster
from support.management import run_command
from support.scenarios import Scenarios, equal

SECONDS = 60


class NamedCluster(ProcessCluster):
    """Nodes of one port at 127.0.0.1, 127.0.0.2 and so on, which are not told of each other."""

    def __init__(self, folder, hint):
        self.peer_port = free_port()
        super().__init__(folder)
        for node in self.nodes.values():
            node.configure([])
            with open(os.path.join(node.folder, "rabbitmq.conf"), "a") as file:
                file.write("cluster_formation.peer_discovery_backend = dns\n")
                file.write("cluster_formation.dns.hostname = 127.1\n")
                file.write(f"cluster_formation.target_cluster_size_hint = {hint}\n")

    def place(self, number):
        return f"127.0.0.{number}", (free_port(), free_port(), self.peer_port)

    def status(self, name, command="status"):
        done = run_command(self.data_of(name), command, "--formatter", "json")
        return json.loads(done.stdout) if done.returncode == 0 else {}


@contextlib.contextmanager
def two_of_three(folder):
    """The first two found the cluster."""
    cluster = NamedCluster(folder, 2)
    try:
        yield cluster
    finally:
        cluster.close()


scenario = Scenarios(two_of_three, shared=False)


@scenario
def nodes_behind_a_host_name_become_one_cluster(cluster):
    """one waits, two found, the third joins; all of them find back after a restart"""
    cluster.start("n1")
    wanted = "1 of 2, waiting for 1 more (cluster_formation.target_cluster_size_hint)"
    wait_until(lambda: cluster.status("n1").get("waits_for") == wanted, SECONDS, "n1 waits for another")
    cluster.start("n2")
    cluster.await_ready(["n1", "n2"])
    cluster.start("n3")
    cluster.await_ready()
    everybody = ["rabbit@n1", "rabbit@n2", "rabbit@n3"]
    for name in cluster.nodes:
        wait_until(
            lambda at=name: cluster.status(at, "cluster_status").get("running_nodes") == everybody,
            SECONDS,
            f"all are seen at {name}",
        )
    for name in cluster.nodes:
        cluster.stop(name)
    cluster.start("n2")
    cluster.start("n1")
    cluster.await_ready(["n1", "n2"])
    equal(cluster.status("n2", "cluster_status")["disk_nodes"], everybody)
