"""The majority of a cluster is lost for good: what the node that is left has becomes a cluster of its own by
force_standalone_khepri_boot, wherever that is interrupted; nodes join it, and those that were left behind are refused."""

import json
import os
import re

import pika
from app_test import control, do, names, refused, running
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import READY, three_nodes
from support.scenarios import Scenarios, check, check_in, equal

SECONDS = 60
MESSAGES = 50
HELD = 20
COMMAND = "force_standalone_khepri_boot"
scenario = Scenarios(three_nodes, shared=False)


def bodies(queue, count=MESSAGES):
    return [f"{queue}-{number}" for number in range(count)]


def publish(channel, queue, words):
    for word in words:
        channel.basic_publish("", queue, word.encode(), pika.BasicProperties(delivery_mode=2))


def declare(cluster, name, queue, kind):
    """On this node, with messages that are confirmed."""
    with connect_to(cluster, name) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind})
        publish(channel, queue, bodies(queue))


def take_all(cluster, name, queue):
    """Whatever is ready in it, which stays there."""
    with connect_to(cluster, name) as connection:
        channel = connection.channel()
        found = []
        while True:
            method, _, body = channel.basic_get(queue)
            if method is None:
                return found
            found.append(body.decode())


def queues(cluster, name, *columns):
    return json.loads(do(cluster, name, "list_queues", *columns, "--formatter", "json"))


def await_members(cluster, queue, members):
    def are_there():
        rows = {row["name"]: row for row in queues(cluster, "n1", "name", "members", "state")}
        return sorted(rows[queue]["members"]) == members and rows[queue]["state"] == "running"

    wait_until(are_there, SECONDS, f"{queue} on {members}")


def lose(cluster, *lost):
    for name in lost:
        cluster.kill(name)
        cluster.wipe(name)


def stand_alone(cluster, name):
    """As soon as the node is sure to be alone."""
    wait_until(lambda: control(cluster, name, COMMAND)[0] == 0, SECONDS, f"{name} may go on alone")


def check_all_is_there(cluster, queue="jobs"):
    do(cluster, "n1", "await_startup")
    cluster.await_ready(["n1"])
    equal(running(cluster, "n1"), names(1))
    await_members(cluster, queue, names(1))
    ready = lambda: {"name": queue, "messages_ready": MESSAGES} in queues(  # noqa: E731
        cluster, "n1", "name", "messages_ready"
    )
    wait_until(ready, SECONDS, "nothing is held any more")
    equal(sorted(take_all(cluster, "n1", queue)), sorted(bodies(queue)))


@scenario
def the_last_node_goes_on_with_what_it_has(cluster):
    """queues of which it has nothing are gone, what lost nodes' clients held comes back, new nodes join and get members"""
    declare(cluster, "n2", "jobs", "quorum")
    declare(cluster, "n1", "mine", "classic")
    declare(cluster, "n2", "theirs", "classic")
    declare(cluster, "n2", "elsewhere", "quorum")
    do(cluster, "n2", "delete_member", "elsewhere", "rabbit@n1")
    await_members(cluster, "elsewhere", names(2, 3))
    with connect_to(cluster, "n1") as connection:
        channel = connection.channel()
        channel.exchange_declare("news", "fanout", durable=True)
        channel.queue_bind("jobs", "news")
    holder = connect_to(cluster, "n3")
    held = []
    channel = holder.channel()
    channel.basic_qos(prefetch_count=HELD)
    channel.basic_consume("jobs", lambda *_: held.append(1))
    wait_until(lambda: holder.process_data_events(0.1) or len(held) == HELD, SECONDS, "a client of n3 holds some")
    check_in("misses the majority of its cluster, which this one does not", refused(cluster, "n1", COMMAND))

    lose(cluster, "n2", "n3")
    stand_alone(cluster, "n1")
    check_all_is_there(cluster)
    equal(sorted(row["name"] for row in queues(cluster, "n1", "name")), ["jobs", "mine"])
    equal(take_all(cluster, "n1", "mine"), bodies("mine"))
    for queue in ("theirs", "elsewhere"):
        cluster.nodes["n1"].wait_for_log(f'queue.lost queue="{queue}"')
    with connect_to(cluster, "n1") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("news", "", b"and on", pika.BasicProperties(delivery_mode=2), mandatory=True)
        channel.queue_declare("later", durable=True, arguments={"x-queue-type": "quorum"})
    check_in("which this one does not", refused(cluster, "n1", COMMAND))

    for name in ("n2", "n3"):
        cluster.start(name)
    cluster.await_ready()
    for name in cluster.nodes:
        wait_until(lambda at=name: running(cluster, at) == names(1, 2, 3), SECONDS, f"three nodes at {name}")
    for number in (2, 3):
        check("node.forgotten" not in cluster.nodes[f"n{number}"].log_since(), "they joined at the same time")
        do(cluster, "n1", "grow", f"rabbit@n{number}", "all")
        await_members(cluster, "jobs", names(*range(1, number + 1)))
    do(cluster, "n1", "await_online_quorum_plus_one")
    cluster.kill("n1")
    wait_until(lambda: cluster.nodes["n2"].is_ready(), SECONDS, "n2 goes on")
    equal(sorted(take_all(cluster, "n2", "jobs")), sorted([*bodies("jobs"), "and on"]))


@scenario
def nodes_that_were_left_behind_are_refused(cluster):
    """one that comes back with its old disk changes nothing, says why it waits, and joins as a new one when it is reset"""
    declare(cluster, "n3", "jobs", "quorum")
    declare(cluster, "n3", "leaving", "quorum")
    lose(cluster, "n2")
    # That cannot come about without n2, and is under way when n3 goes.
    do(cluster, "n3", "delete_member", "leaving", "rabbit@n1")
    cluster.kill("n3")
    stand_alone(cluster, "n1")
    check_all_is_there(cluster)
    check_all_is_there(cluster, "leaving")
    cluster.start("n3")
    reason = "rabbit@n3 was left behind by force_standalone_khepri_boot"
    cluster.nodes["n3"].wait_for_log(reason, seconds=SECONDS)
    check_in(reason, do(cluster, "n3", "status"))
    equal(cluster.nodes["n3"].get(READY)[0], 503)
    # An empty one is not misled by it.
    cluster.start("n2")
    cluster.await_ready(["n2"])
    for name in ("n1", "n2"):
        wait_until(lambda at=name: running(cluster, at) == names(1, 2), SECONDS, f"two nodes at {name}")
    equal(cluster.nodes["n3"].get(READY)[0], 503)
    equal(sorted(take_all(cluster, "n1", "jobs")), sorted(bodies("jobs")))
    do(cluster, "n3", "force_reset")
    do(cluster, "n3", "await_startup")
    for name in cluster.nodes:
        wait_until(lambda at=name: running(cluster, at) == names(1, 2, 3), SECONDS, f"three nodes at {name}")


@scenario
def it_is_finished_wherever_it_is_interrupted(cluster):
    """a node that dies after each of its steps gets there all the same, also when it did not know its metadata before"""
    declare(cluster, "n2", "jobs", "quorum")
    lose(cluster, "n2", "n3")
    node, announcement = cluster.nodes["n1"], os.path.join(cluster.data_of("n1"), "standalone")
    cluster.kill("n1")
    cluster.start("n1")
    stand_alone(cluster, "n1")
    node.wait_for_log("cluster.standalone_announced")
    cluster.kill("n1")
    cluster_id = re.findall(r"cluster\.standalone_announced cluster_id=(\d+)", node.log_since())[-1]
    for step in ("starting", "cluster.sole_voter", "Server startup complete"):
        with open(announcement, "w") as file:  # it may have come further, and not have told the disk
            file.write(cluster_id)
        begin = node.log_size()
        cluster.start("n1")
        node.wait_for_log(step, begin, seconds=SECONDS)
        cluster.kill("n1")
    cluster.start("n1")
    check_all_is_there(cluster)
    wait_until(lambda: not os.path.exists(announcement), SECONDS, "it is over")
    # The last step is lost with the power: the file is there again, and everything is done again.
    cluster.kill("n1")
    with open(announcement, "w") as file:
        file.write(cluster_id)
    begin = node.log_size()
    cluster.start("n1")
    node.wait_for_log("cluster.sole_voter groups=0", begin, seconds=SECONDS)
    check_all_is_there(cluster)
    wait_until(lambda: not os.path.exists(announcement), SECONDS, "it is over again")
    node.wait_for_log(f"cluster.stands_alone node=rabbit@n1 cluster_id={cluster_id}", begin)
