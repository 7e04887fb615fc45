"""A node that still looks for its cluster, or waits for its majority, answers its operators and says for whom it waits."""

import contextlib
import json
import os
import re
import socket

from support.broker import wait_until
from support.cluster import READY, SECRET, ProcessCluster
from support.management import run_command
from support.scenarios import Scenarios, check, check_in, equal

SECONDS = 30
ABSENT = "(Connection refused)"
HEALTH = (READY, "/api/health/checks/is-in-service")


@contextlib.contextmanager
def three_that_do_not_run(folder):
    cluster = ProcessCluster(folder)
    try:
        yield cluster
    finally:
        cluster.close()


scenario = Scenarios(three_that_do_not_run, shared=False)


def is_answered(node):
    """Whether anybody answers at the node's HTTP port."""
    try:
        return node.get(READY)[0]
    except OSError:
        return None


def control(cluster, name, *words):
    """Exit code and all that quoratectl says at this node."""
    done = run_command(cluster.data_of(name), *words)
    return done.returncode, done.stdout + done.stderr


def status(cluster, name):
    code, said = control(cluster, name, "status", "--formatter", "json")
    equal(code, 0, said)
    return json.loads(said)


def await_status(cluster, name, wanted):
    """Until the node says that this is what it waits for; then every way in has to say so."""

    def says_so():
        code, said = control(cluster, name, "status", "--formatter", "json")
        return code == 0 and json.loads(said)["waits_for"] == wanted  # 69: its doors are just being changed

    wait_until(says_so, SECONDS, f"{name} says: {wanted}")
    equal(status(cluster, name)["is_running"], False, "is_running")
    equal(control(cluster, name, "ping")[0], 0, "ping")
    for command in ("check_running", "list_queues"):
        code, said = control(cluster, name, command)
        equal(code, 69, said)
        check_in(f"is still starting: {wanted}", said)
    node = cluster.nodes[name]
    for path in HEALTH:
        code, answer = node.get(path)
        equal((code, answer["status"]), (503, "failed"), path)
        check_in(wanted, answer["reason"], path)
    code, answer = node.get("/api/queues")
    equal((code, answer["error"]), (503, "service_unavailable"))


@scenario
def a_node_that_forms_a_cluster_says_for_whom_it_waits(cluster):
    """alone, then two of three, then serving; await_startup waits through all of it"""
    cluster.start("n1")
    wait_until(lambda: is_answered(cluster.nodes["n1"]), SECONDS, "n1 answers")
    await_status(cluster, "n1", f"1 of 3, waiting for rabbit@n2 {ABSENT}, rabbit@n3 {ABSENT}")
    code, said = control(cluster, "n1", "await_startup", "-t", "0.5")
    equal(code, 75, said)
    cluster.start("n2")
    await_status(cluster, "n1", f"2 of 3, waiting for rabbit@n3 {ABSENT}")
    known = json.loads(control(cluster, "n1", "cluster_status", "--formatter", "json")[1])
    equal(known["disk_nodes"], ["rabbit@n1", "rabbit@n2", "rabbit@n3"])
    equal(known["running_nodes"], ["rabbit@n1", "rabbit@n2"])
    cluster.start("n3")
    for name in cluster.nodes:
        code, said = control(cluster, name, "await_startup", "-t", str(SECONDS))
        equal(code, 0, said)
        equal(cluster.nodes[name].get(READY)[0], 200, name)


@scenario
def a_node_without_its_majority_says_for_whom_it_waits(cluster):
    """after all have stopped, the first to come back answers; with the second it serves"""
    cluster.start_all()
    for name in cluster.nodes:
        cluster.kill(name)
    cluster.start("n2")
    wait_until(lambda: is_answered(cluster.nodes["n2"]), SECONDS, "n2 answers")
    await_status(cluster, "n2", f"1 of 3 nodes, waiting for rabbit@n1 {ABSENT}, rabbit@n3 {ABSENT}")
    cluster.start("n3")
    equal(control(cluster, "n2", "await_startup", "-t", str(SECONDS))[0], 0)


@scenario
def a_node_cut_off_from_its_majority_refuses_at_once(cluster):
    """with the words of what it waits for, and what was refused does not happen later"""
    cluster.start_all()
    node = cluster.nodes["n2"]
    for name in ("n1", "n3"):
        cluster.kill(name)
    is_paused = "is paused, for it reaches no majority of its cluster: 1 of 3 nodes, waiting for rabbit@n1"
    wait_until(lambda: is_paused in control(cluster, "n2", "check_running")[1], SECONDS, "n2 is paused")
    for words in (("add_user", "x", "y"), ("list_queues",), ("list_users",), ("drain",), ("check_port_connectivity",)):
        code, said = control(cluster, "n2", *words)
        equal(code, 69, words)
        check_in(is_paused, said)
    for path in ("/api/overview", "/api/queues", "/api/health/checks/alarms"):
        code, answer = node.get(path)
        equal((code, answer["error"]), (503, "service_unavailable"), path)
        check_in(is_paused, answer["reason"])
    for command in ("status", "listeners", "cluster_status"):
        code, said = control(cluster, "n2", command)
        equal(code, 0, said)
        check("amqp" not in said.lower(), f"{command} shows a listener that is closed: {said}")
    cluster.start("n1")
    cluster.await_ready(["n2"])
    check_in("AMQP 0-9-1", control(cluster, "n2", "listeners")[1])
    check("x\t" not in control(cluster, "n2", "list_users")[1], "the user that was refused is there")


def give_up(cluster, name, command, times):
    """So many clients ask this on the node's control socket, and leave before they are answered."""
    request = f"POST /control/{command} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
    place = os.open(cluster.data_of(name), os.O_RDONLY)
    try:
        for _ in range(times):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(SECONDS)
                client.connect(f"/proc/self/fd/{place}/control.sock")
                client.sendall(request)
    finally:
        os.close(place)


@scenario
def who_has_lost_patience_takes_up_no_room(cluster):
    """more clients than a node has room for wait for its start and leave; it answers the next, and keeps no descriptor"""
    cluster.start("n1")
    node = cluster.nodes["n1"]
    wait_until(lambda: is_answered(node), SECONDS, "n1 answers")

    def open_files():
        return len(os.listdir(f"/proc/{node.pid}/fd"))

    before = open_files()
    give_up(cluster, "n1", "await_startup", 1100)
    wait_until(lambda: open_files() < before + 50, SECONDS, "the descriptors are free")
    equal(control(cluster, "n1", "ping")[0], 0, "ping")


def change_secret(node, secret):
    with open(node.config) as file:
        text = file.read()
    with open(node.config, "w") as file:
        file.write(re.sub(r"cluster\.secret = .*", f"cluster.secret = {secret}", text))


@scenario
def a_node_that_is_not_let_in_says_why(cluster):
    """a wrong secret is told by the node that has it: before it has found its cluster, and when it belongs to one"""
    change_secret(cluster.nodes["n2"], "other")
    cluster.start("n1")
    cluster.start("n2")
    wait_until(lambda: is_answered(cluster.nodes["n2"]), SECONDS, "n2 answers")
    await_status(cluster, "n2", f"1 of 3, waiting for rabbit@n1 (wrong cluster secret), rabbit@n3 {ABSENT}")
    cluster.nodes["n2"].wait_for_log("waiting for rabbit@n1 (wrong cluster secret)")
    cluster.stop("n2")
    change_secret(cluster.nodes["n2"], SECRET)
    cluster.start_all()
    change_secret(cluster.nodes["n2"], "other")
    cluster.stop("n2")
    cluster.start("n2")
    wait_until(lambda: is_answered(cluster.nodes["n2"]), SECONDS, "n2 answers")
    wrong = "(wrong cluster secret)"
    await_status(cluster, "n2", f"1 of 3 nodes, waiting for rabbit@n1 {wrong}, rabbit@n3 {wrong}")


@scenario
def a_port_that_is_taken_is_noticed_before_anybody_waits(cluster):
    """the node ends with the reason instead of waiting for others with its doors closed"""
    cluster.nodes["n1"].http_port = cluster.nodes["n2"].http_port
    cluster.nodes["n1"].configure(cluster.nodes.values())
    cluster.start("n2")
    wait_until(lambda: is_answered(cluster.nodes["n2"]), SECONDS, "n2 answers")
    cluster.start("n1")
    wait_until(lambda: not cluster.nodes["n1"].alive(), SECONDS, "n1 ends")
    check_in("cannot listen for HTTP", cluster.last_words("n1"))
