"""A quorum queue that has lost its majority: it can be deleted, by clients and by operators, its members hear of it
whenever they are back, and nobody takes the node that it needs for good without having been told its name."""

import json

import pika
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import three_nodes
from support.scenarios import Scenarios, check, check_in, equal

SECONDS = 30
MESSAGES = 5
scenario = Scenarios(three_nodes)


def refused(cluster, *words):
    """What a command says at n1 that must fail."""
    try:
        said = cluster.control("n1", *words)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"{words} was not refused: {said}")


def rows(cluster, name, *words):
    return json.loads(cluster.control(name, *words, "--formatter", "json"))


def states(cluster, name):
    """Of all queues, as this node sees them."""
    return {row["name"]: row["state"] for row in rows(cluster, name, "list_queues", "name", "state")}


def declare(cluster, *queues, members=("n1", "n3")):
    """Queues on these nodes only, each with some messages."""
    with connect_to(cluster, "n1") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for queue in queues:
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            for _ in range(MESSAGES):
                channel.basic_publish("", queue, b"x", pika.BasicProperties(delivery_mode=2))
    wanted = [f"rabbit@{name}" for name in members]
    for queue in queues:
        for name in sorted(set(cluster.nodes) - set(members)):
            cluster.control("n1", "delete_member", queue, f"rabbit@{name}")
    for queue in queues:
        found = lambda: rows(cluster, "n1", "list_queues", "name", "members", "state")  # noqa: E731
        is_there = lambda: {"name": queue, "members": wanted, "state": "running"} in found()  # noqa: B023, E731
        wait_until(is_there, SECONDS, f"{queue} on {wanted}")


def await_minority(cluster, *queues):
    wait_until(
        lambda: {states(cluster, "n1")[queue] for queue in queues} == {"minority"}, SECONDS, f"{queues} miss a member"
    )


@scenario
def it_can_be_deleted(cluster):
    """by a client and by an operator, at once; consumers are told, and its other member finds it gone when it is back"""
    declare(cluster, "by-operator", "by-client")
    declare(cluster, "whole", members=("n1", "n2", "n3"))
    consuming = connect_to(cluster, "n2")
    channel = consuming.channel()
    channel.basic_consume("by-operator", lambda *_: None)
    cancelled = []
    channel.add_on_cancel_callback(cancelled.append)
    cluster.kill("n3")
    await_minority(cluster, "by-operator", "by-client")
    check_in("cannot be reached", refused(cluster, "delete_queue", "by-operator", "--if-empty"))
    check_in("not known", cluster.control("n1", "-t", "10", "delete_queue", "by-operator"))
    wait_until(lambda: consuming.process_data_events(0.1) or cancelled, SECONDS, "the consumer is told")
    with connect_to(cluster, "n2") as connection:
        connection.channel().queue_delete("by-client")
    consuming.close()
    for name in ("n1", "n2"):
        equal(list(states(cluster, name)), ["whole"], name)
    cluster.start("n3")
    cluster.await_ready(["n3"])
    wait_until(lambda: states(cluster, "n3") == {"whole": "running"}, SECONDS, "n3 knows")
    # Under the same name there is another queue now.
    declare(cluster, "by-operator", members=("n1", "n2", "n3"))
    with connect_to(cluster, "n3") as connection:
        found = connection.channel().queue_declare("by-operator", passive=True)
        equal(found.method.message_count, MESSAGES)
    cluster.control("n1", "delete_queue", "by-operator")
    cluster.control("n1", "delete_queue", "whole")


@scenario
def a_classic_queue_of_a_dead_node_goes_by_force(cluster):
    """and does not come back with the node"""
    with connect_to(cluster, "n3") as connection:
        for queue in ("forced", "kept"):
            connection.channel().queue_declare(queue, durable=True)
    cluster.kill("n3")
    wait_until(lambda: set(states(cluster, "n1").values()) == {"down"}, SECONDS, "n3 is missed")
    check_in("--force", refused(cluster, "delete_queue", "forced"))
    cluster.control("n1", "delete_queue", "forced", "--force")
    cluster.start("n3")
    cluster.await_ready(["n3"])
    for name in cluster.nodes:
        wait_until(lambda at=name: states(cluster, at) == {"kept": "running"}, SECONDS, f"{name} knows")
    cluster.control("n1", "delete_queue", "kept")


@scenario
def a_node_that_queues_need_is_not_forgotten(cluster):
    """they are named; deleted before or after it, they stand in nobody's way, and the node joins again as a new one"""
    declare(cluster, "before", "after")
    declare(cluster, "whole", members=("n1", "n2", "n3"))
    cluster.kill("n3")
    await_minority(cluster, "before", "after")
    said = refused(cluster, "forget_cluster_node", "rabbit@n3")
    check_in("queue 'after' in vhost '/'", said)
    check_in("queue 'before' in vhost '/'", said)
    check("whole" not in said, said)
    cluster.control("n1", "delete_queue", "before")
    said = refused(cluster, "forget_cluster_node", "rabbit@n3")
    check("before" not in said, said)
    cluster.control("n1", "forget_cluster_node", "rabbit@n3", "--force")
    equal(states(cluster, "n1")["after"], "minority")
    for name in ("n1", "n2"):  # whoever is gone is still called by its name
        listed = {row["Node Name"]: row["Raft State"] for row in rows(cluster, name, "quorum_status", "after")}
        equal((sorted(listed), listed["rabbit@n3"]), (["rabbit@n1", "rabbit@n3"], "noproc"), name)
        members = {row["name"]: row["members"] for row in rows(cluster, name, "list_queues", "name", "members")}
        equal(members["after"], ["rabbit@n1", "rabbit@n3"], name)
    cluster.control("n1", "delete_queue", "after")
    cluster.wipe("n3")
    cluster.start("n3")
    cluster.await_ready(["n3"])
    cluster.control("n1", "grow", "rabbit@n3", "all")
    for name in cluster.nodes:
        cluster.control(name, "-t", "60", "await_online_quorum_plus_one")
    equal(states(cluster, "n3"), {"whole": "running"})
