"""Starts, and starts that are refused: locks, configuration and ports; what systemd is told."""

import json
import os
import socket
import uuid

from stage import PASSWORD, Stage, drain, fill, round_trip
from support.broker import default_command
from support.management import run_command
from support.scenarios import Scenarios, check, check_in

SHARDS_MAX = 64  # cluster/node_liveness.h
SUN_PATH_BYTES = 108  # unix(7): the longest path of a socket, with its end
scenario = Scenarios(Stage, shared=False)


@scenario
def second_process(stage):
    """a second process on the same data directory ends and names the directory and the first one's pid"""
    node = stage.node().start()
    second = stage.node(name="second", data=node.data)
    _, said = second.start_refused()
    check_in(node.data, said, "the second process")
    check_in(str(node.pid), said, "the second process")
    connection = node.pika()
    round_trip(connection)
    connection.close()
    node.check_stop()
    second.start().check_stop()  # the lock ends with its process


@scenario
def configuration_keys(stage):
    """an unknown key stops the start with file:line and the nearest key; a key without meaning only warns"""
    config = stage.write("quorate.conf", f"# comment\ndefault_pass = {PASSWORD}\nhearbeat = 30\n")
    node = stage.node(command=default_command() + f" --config {config}")
    _, said = node.start_refused()
    check_in(f"{config}:3", said, "the refused start")
    check_in("'hearbeat'", said, "the refused start")
    check_in("'heartbeat'", said, "the refused start")
    check(os.listdir(node.data) == [], f"a refused configuration wrote {os.listdir(node.data)}")

    misspelt = stage.write("misspelt.conf", f"default_passs = {PASSWORD}\nfoo = {PASSWORD}\n")
    stage.node(name="misspelt", command=default_command() + f" --config {misspelt}").start_refused()  # see no_passwords

    stage.write("quorate.conf", "# comment\nheartbeat = 30\nmotd_file = /etc/motd\n")
    node.start()
    warning = [line for line in node.log_since().splitlines() if "motd_file" in line]
    check(len(warning) == 1 and "[warning]" in warning[0], f"a key without meaning: {warning}")
    check_in(f"{config}:3", warning[0], "the warning")
    node.check_stop()


@scenario
def busy_port(stage):
    """a busy port ends the start with a clear message; the data directory stays usable, flags included"""
    node = stage.node().start()
    connection = node.wire()
    connection.declare(1, "kept", durable=True)
    connection.declare(1, "seen", durable=True)
    fill(connection, "kept", 20)
    connection.close()
    node.check_stop()

    said, address = node.start_on_a_busy_port()
    check_in(address, said, "the refused start")
    check_in("in use", said, "the refused start")
    node.start()
    found = drain(node, "kept")
    check(found == [(number, False) for number in range(20)], f"after the busy port: {found}")

    # A crash stays a crash: what a client may have seen is still marked, though another start was tried in between.
    connection = node.wire()
    fill(connection, "seen", 5)
    node.kill()
    node.start_on_a_busy_port()
    node.start()
    found = drain(node, "seen")
    check(found == [(number, True) for number in range(5)], f"after a crash and a busy port: {found}")
    node.check_stop()


@scenario
def cluster_name(stage):
    """a configured name of the cluster is set at each start; without one it stays what it is"""

    def name(node):
        return json.loads(run_command(node.data, "cluster_status", "--formatter", "json").stdout)["cluster_name"]

    node = stage.node().start()
    check(name(node).startswith("rabbit@"), f"without a name the cluster is called {name(node)}")
    node.check_stop()
    configured = stage.node("cluster_name=configured", name="configured", data=node.data)
    for _ in range(2):
        configured.start()
        check(name(configured) == "configured", f"the cluster is called {name(configured)}, not as configured")
        run_command(configured.data, "set_cluster_name", "told")
        check(name(configured) == "told", f"the cluster is called {name(configured)}, not as it was told")
        configured.check_stop()
    node.start()
    check(name(node) == "told", f"after a start without a name it is called {name(node)}")
    node.check_stop()


def notify_sockets(stage):
    """Where systemd may be: at an abstract name, or at a path, unless this folder's is too long for a socket."""
    yield f"@quorate-test-{uuid.uuid4()}"
    path = os.path.join(stage.folder, "notify")
    if len(path) < SUN_PATH_BYTES:
        yield path


@scenario
def systemd(stage):
    """systemd is told READY=1 when clients are served, and STOPPING=1 at the end, wherever it listens"""
    for number, place in enumerate(notify_sockets(stage)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind("\0" + place[1:] if place.startswith("@") else place)
            notified.settimeout(10)
            node = stage.node(name=f"node{number}", command=f"env NOTIFY_SOCKET={place} {default_command()}").start()
            check(notified.recv(100) == b"READY=1", f"the first datagram at {place} is not READY=1")
            node.pika().close()
            node.check_stop()
            check(notified.recv(100) == b"STOPPING=1", f"the second datagram at {place} is not STOPPING=1")


@scenario
def shards(stage):
    """unless told otherwise a node has one shard for each core that it may use, not for each of the machine"""

    def shard_count(node):
        tasks = f"/proc/{node.pid}/task"
        names = [open(f"{tasks}/{task}/comm", encoding="utf-8").read() for task in os.listdir(tasks)]
        return sum(name.startswith("shard ") for name in names)

    cores = os.sched_getaffinity(0)
    node = stage.node(name="free").start()
    check(shard_count(node) == min(len(cores), SHARDS_MAX), f"{shard_count(node)} shards on {len(cores)} cores")
    node.check_stop()
    bound = stage.node(name="bound", command=f"taskset -c {min(cores)} {default_command()}").start()
    check(shard_count(bound) == 1, f"{shard_count(bound)} shards on one core")
    bound.check_stop()
