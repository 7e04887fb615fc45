"""stop_app, start_app, reset and join_cluster: the process stays while its inside goes, forgets and joins others."""

import contextlib
import json
import os

import pika
from support.broker import wait_until
from support.clients import connect_to, queue_exists
from support.cluster import READY, ProcessCluster, ProcessNode
from support.management import run_command
from support.scenarios import Scenarios, check, check_in, equal

SECONDS = 60


@contextlib.contextmanager
def three_and_one(folder):
    """n1, n2 and n3 are a cluster; n4 is one of its own, though it listens for others."""
    cluster = ProcessCluster(folder)
    try:
        lonely = ProcessNode("n4", *cluster.place(4), folder)
        lonely.configure([])
        cluster.start_all()
        cluster.nodes["n4"] = lonely
        cluster.start("n4")
        cluster.await_ready()
        yield cluster
    finally:
        cluster.close()


scenario = Scenarios(three_and_one, shared=False)


def control(cluster, name, *words):
    """Exit code and all that quoratectl says at this node."""
    done = run_command(cluster.data_of(name), *words, "-t", str(SECONDS), seconds=SECONDS + 10)
    return done.returncode, done.stdout + done.stderr


def do(cluster, name, *words):
    code, said = control(cluster, name, *words)
    equal(code, 0, f"{words} at {name}: {said}")
    return said


def refused(cluster, name, *words):
    code, said = control(cluster, name, *words)
    check(code != 0, f"{words} at {name} was not refused: {said}")
    return said


def running(cluster, name):
    return json.loads(do(cluster, name, "cluster_status", "--formatter", "json"))["running_nodes"]


def names(*numbers):
    return [f"rabbit@n{number}" for number in numbers]


def declare(cluster, name, queue, kind, messages=1):
    connection = connect_to(cluster, name)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind})
    for _ in range(messages):
        channel.basic_publish("", queue, b"x", pika.BasicProperties(delivery_mode=2))
    connection.close()


def pid(cluster, name):
    return json.loads(do(cluster, name, "status", "--formatter", "json"))["pid"]


@scenario
def an_app_stops_and_starts(cluster):
    """clients are closed, operators are answered, what is durable is there afterwards, and the process is the same"""
    declare(cluster, "n4", "kept", "classic", messages=3)
    before = pid(cluster, "n4")
    do(cluster, "n4", "stop_app")
    equal(pid(cluster, "n4"), before)
    check_in("is stopped", refused(cluster, "n4", "check_running"))
    check_in("is stopped", refused(cluster, "n4", "list_queues"))
    code, answer = cluster.nodes["n4"].get(READY)
    equal((code, answer["status"]), (503, "failed"))
    check_in("stopped", answer["reason"])
    do(cluster, "n4", "stop_app")
    do(cluster, "n4", "start_app")
    equal((pid(cluster, "n4"), running(cluster, "n4")), (before, names(4)))
    listed = json.loads(do(cluster, "n4", "list_queues", "--formatter", "json"))
    equal(listed, [{"name": "kept", "messages": 3}])
    do(cluster, "n4", "start_app")
    # A node that is stopped ends like any other.
    do(cluster, "n4", "stop_app")
    cluster.stop("n4")
    equal(cluster.nodes["n4"].process.returncode, 0)


@scenario
def a_node_joins_as_scripts_for_rabbitmq_do_it(cluster):
    """stop_app, reset, join_cluster, start_app; then reset takes it out again, and it is alone and empty"""
    declare(cluster, "n1", "q", "quorum", messages=2)
    peer = cluster.nodes["n1"].peer_port
    target = f"rabbit@n1@127.0.0.1:{peer}"
    for words in (("stop_app",), ("reset",), ("join_cluster", target), ("start_app",)):
        do(cluster, "n4", *words)
    for name in cluster.nodes:
        wait_until(lambda at=name: running(cluster, at) == names(1, 2, 3, 4), SECONDS, f"four nodes at {name}")
    check(queue_exists(connect_to(cluster, "n4"), "q"), "the queue of the others is seen")
    check_in("The node is already a member of this cluster", do(cluster, "n4", "join_cluster", "--disc", target))
    check_in("reset it first", refused(cluster, "n4", "join_cluster", "rabbit@elsewhere"))
    do(cluster, "n4", "reset")
    do(cluster, "n4", "await_startup")
    equal(running(cluster, "n4"), names(4))
    equal(do(cluster, "n4", "-s", "list_queues"), "")
    wait_until(lambda: running(cluster, "n1") == names(1, 2, 3), SECONDS, "n4 is forgotten")
    # In one go, without stopping it first, and by address.
    do(cluster, "n4", "join_cluster", f"127.0.0.1:{peer}")
    do(cluster, "n4", "await_startup")
    wait_until(lambda: running(cluster, "n2") == names(1, 2, 3, 4), SECONDS, "n4 is back")


@scenario
def what_only_one_node_has_is_not_lost_by_mistake(cluster):
    """reset and join_cluster name it and leave everything as it was; --force goes on"""
    declare(cluster, "n4", "mine", "classic")
    peer = cluster.nodes["n1"].peer_port
    for words in (("reset",), ("join_cluster", f"127.0.0.1:{peer}")):
        check_in("queue 'mine' in vhost '/'", refused(cluster, "n4", *words))
    equal(cluster.nodes["n4"].get(READY)[0], 200)
    do(cluster, "n4", "stop_app")
    check_in("queue 'mine' in vhost '/'", refused(cluster, "n4", "reset"))
    do(cluster, "n4", "force_reset")
    do(cluster, "n4", "start_app")
    equal(do(cluster, "n4", "-s", "list_queues"), "")

    declare(cluster, "n2", "theirs", "classic")
    check_in("queue 'theirs'", refused(cluster, "n2", "reset"))
    do(cluster, "n2", "delete_queue", "theirs")
    cluster.kill("n3")
    cluster.nodes["n2"].wait_for_log("node.down node=rabbit@n3", seconds=SECONDS)
    check_in("the majority of the cluster", refused(cluster, "n2", "reset"))


@scenario
def a_node_that_was_forgotten_says_so_and_may_be_reset(cluster):
    """it does not wait for those who run and refuse it; no --force is needed, for what it had is lost already"""
    do(cluster, "n4", "join_cluster", f"127.0.0.1:{cluster.nodes['n1'].peer_port}")
    do(cluster, "n4", "await_startup")
    wait_until(lambda: running(cluster, "n1") == names(1, 2, 3, 4), SECONDS, "n4 has joined")
    declare(cluster, "n4", "mine", "classic")
    cluster.kill("n4")
    do(cluster, "n1", "forget_cluster_node", "rabbit@n4")
    cluster.start("n4")
    gone = "was taken out of its cluster (forget_cluster_node): reset it, or empty its data directory, to join again"
    cluster.nodes["n4"].wait_for_log("node.forgotten node=rabbit@n4", seconds=SECONDS)
    check_in(gone, do(cluster, "n4", "status"))
    check_in(gone, refused(cluster, "n4", "check_running"))
    do(cluster, "n4", "reset")
    do(cluster, "n4", "await_startup")
    equal((running(cluster, "n4"), do(cluster, "n4", "-s", "list_queues")), (names(4), ""))


@scenario
def an_announced_reset_is_finished_by_the_next_start(cluster):
    """a power cut between the announcement and its end leaves no half of a node"""
    declare(cluster, "n4", "mine", "classic")
    cluster.kill("n4")
    data = cluster.data_of("n4")
    with open(os.path.join(data, "reset"), "w") as file:
        file.write("\n")
    os.unlink(os.path.join(data, "durable.mark"))
    cluster.start("n4")
    cluster.await_ready(["n4"])
    equal(do(cluster, "n4", "-s", "list_queues"), "")
    check(not os.path.exists(os.path.join(data, "reset")), "the announcement is gone")
