"""quoratectl for a node on another machine: through its listener for other nodes, with the cluster's secret or by TLS."""

import contextlib
import json
import os
import re
import subprocess

from support.broker import Broker, free_port, program, wait_until
from support.cluster import HOST, SECRET, ProcessCluster
from support.scenarios import Scenarios, check_in, equal

SECONDS = 30


@contextlib.contextmanager
def two_of_three(folder):
    """n1 and n2 have met and wait for n3, which was never started."""
    cluster = ProcessCluster(folder)
    try:
        for name in ("n1", "n2"):
            cluster.start(name)
        for name in ("n1", "n2"):
            wait_until(lambda at=name: waits_for_n3(cluster, at), SECONDS, f"{name} waits for n3 alone")
        yield cluster
    finally:
        cluster.close()


scenario = Scenarios(two_of_three, shared=False)


def remote(cluster, name, *words, secret=SECRET, seconds=SECONDS, node="{host}:{port}", text=""):
    """Exit code and all that quoratectl says of the node at this address; it has no business with data directories."""
    path = os.path.join(cluster.folder, "secret")
    with open(path, "w") as file:
        file.write(secret + "\n")
    place = node.format(host=HOST, port=cluster.nodes[name].peer_port)
    options = ["--node", place, "--secret-file", path, "--data-dir", "/nowhere", "-t", str(seconds)]
    done = subprocess.run(
        [program("quoratectl"), *options, *words], input=text, capture_output=True, text=True, timeout=SECONDS + 30
    )
    return done.returncode, done.stdout + done.stderr


def waits_for_n3(cluster, name):
    return "waiting for rabbit@n3" in remote(cluster, name, "status")[1]


def rows(cluster, name, *words):
    code, said = remote(cluster, name, *words, "--formatter", "json")
    equal(code, 0, said)
    return json.loads(said)


@scenario
def a_node_elsewhere_takes_commands(cluster):
    """while it forms the cluster as well as after it, and a password is read from the terminal as ever"""
    code, said = remote(cluster, "n1", "await_startup", seconds=1)
    equal(code, 75, said)
    check_in("waiting for rabbit@n3", rows(cluster, "n1", "status")["waits_for"])
    cluster.start("n3")
    for name in cluster.nodes:
        equal(remote(cluster, name, "await_startup"), (0, ""), name)
    equal(len(rows(cluster, "n3", "cluster_status")["running_nodes"]), 3)
    code, said = remote(cluster, "n2", "add_user", "ann", text="secret word\n")
    equal(code, 0, said)
    told = re.search(r'operator.command who=127.0.0.1:\d+ command=add_user .*', cluster.nodes["n2"].log_since())
    equal(told and told.group(0).endswith('arguments={"username":"ann"} result=ok'), True, told)
    log_in = lambda: remote(cluster, "n3", "authenticate_user", "ann", text="secret word\n")  # noqa: E731
    wait_until(lambda: log_in()[0] == 0, SECONDS, "n3 has heard of ann")
    check_in("Success", log_in()[1])
    code, said = remote(cluster, "n1", "delete_user", "nobody")
    equal(code, 67, said)
    code, said = remote(cluster, "n1", "ping", node="rabbit@n1@{host}:{port}")
    equal(code, 0, said)
    code, said = remote(cluster, "n1", "ping", node="rabbit@n2@{host}:{port}")
    equal(code, 69, said)
    check_in("this is node rabbit@n1, not rabbit@n2", said)


@scenario
def who_has_not_the_secret_is_not_heard(cluster):
    """a wrong secret, none, an address where nobody listens"""
    equal(remote(cluster, "n1", "await_startup", seconds=1)[0], 75)
    code, said = remote(cluster, "n1", "status", secret="chao")
    equal(code, 69, said)
    check_in("wrong cluster secret", said)
    code, said = remote(cluster, "n1", "status", secret="")
    equal(code, 69, said)
    check_in("there is no secret in", said)
    cluster.kill("n1")
    code, said = remote(cluster, "n1", "status")
    equal(code, 69, said)
    check_in("Is it running", said)
    code, said = remote(cluster, "n1", "status", node="rabbit@")
    equal(code, 64, said)


@scenario
def a_node_without_protection_takes_none(cluster):
    """where nobody had to show anything to get in, only the socket in the data directory may command"""
    port = free_port()
    settings = ["management.tcp.port=none", f"cluster.listener.ip={HOST}", f"cluster.listener.port={port}"]
    with Broker(os.path.join(cluster.folder, "open"), settings=settings).start():
        cluster.nodes["n1"].peer_port = port
        code, said = remote(cluster, "n1", "status")
        equal(code, 69, said)
        check_in("need cluster.secret or cluster.ssl_options", said)
