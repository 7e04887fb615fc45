"""Where new queues go, also while a node is away, and leaders that move by themselves: zones, queue_leader_locator,
leader_rebalancing."""

import functools
import json
import re

import pika
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import three_nodes
from support.scenarios import Scenarios, check, equal

SECONDS = 60
ZONES = {"n1": "a", "n2": "a", "n3": "b"}
TRANSFERS = 2


def settings(name):
    """n1 and n2 in one zone, n3 in another; new leaders are balanced, and old ones are looked at each second."""
    return [
        f"node_tags.zone = {ZONES[name]}",
        "queue_leader_locator = balanced",
        "leader_rebalancing.interval = 1",
        f"leader_rebalancing.transfers = {TRANSFERS}",
    ]


scenario = Scenarios(functools.partial(three_nodes, settings=settings))


def declare(cluster, name, names, **arguments):
    """Declares them at a node, and waits until n1 knows who leads them."""
    connection = connect_to(cluster, name)
    channel = connection.channel()
    for queue in names:
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"} | arguments)
    connection.close()
    wait_until(lambda: led_queues(cluster) >= set(names), SECONDS, f"{names} are led")


def queues(cluster):
    status, rows = cluster.nodes["n1"].get("/api/queues")
    equal(status, 200)
    return rows


def kill_and_miss(cluster, name):
    """Until n1 hears nothing of this node: one more, and the metadata would have no majority."""

    def is_missed():
        _, answer = cluster.nodes["n1"].get("/api/health/checks/node-is-quorum-critical")
        return any(row["name"] == "the metadata of the cluster" for row in answer.get("queues", []))

    cluster.kill(name)
    wait_until(is_missed, SECONDS, f"{name} is missed")


def led_queues(cluster):
    return {row["name"] for row in queues(cluster) if row.get("leader")}


def leaders(cluster):
    """How many each node leads."""
    rows = queues(cluster)
    return [sum(row.get("leader") == f"rabbit@{name}" for row in rows) for name in cluster.nodes]


@scenario
def classic_queues_begin_where_the_fewest_are(cluster):
    """unless they are exclusive, or are declared client-local"""
    homes = {"balanced-": {}, "local-": {"x-queue-leader-locator": "client-local"}}
    with connect_to(cluster, "n1") as connection:
        channel = connection.channel()
        for prefix, arguments in homes.items():
            for number in range(6):
                channel.queue_declare(f"{prefix}{number}", durable=number % 2 == 0, arguments=arguments)
                channel.queue_declare(f"{prefix}{number}", passive=True)
        own = channel.queue_declare("", exclusive=True).method.queue
        nodes = {row["name"]: row.get("node") for row in queues(cluster)}
        for queue in nodes:
            channel.queue_delete(queue)
    counts = [sum(nodes[f"balanced-{number}"] == f"rabbit@{name}" for number in range(6)) for name in cluster.nodes]
    equal(counts, [2, 2, 2])
    equal({nodes[f"local-{number}"] for number in range(6)} | {nodes[own]}, {"rabbit@n1"})


@scenario
def members_spread_over_zones(cluster):
    """with two members, the second is in the other zone, wherever the first is"""
    for name in cluster.nodes:
        declare(cluster, name, [f"zone-{name}-{number}" for number in range(4)], **{"x-quorum-initial-group-size": 2})
    for row in queues(cluster):
        zones = {ZONES[member.partition("@")[2]] for member in row["members"]}
        equal((len(row["members"]), zones), (2, {"a", "b"}), row["name"])
        cluster.control("n1", "delete_queue", row["name"])  # with two members every node is critical


@scenario
def new_leaders_are_balanced(cluster):
    """queue_leader_locator decides where the declaration does not; rebalancing would have left a difference of three"""
    declare(cluster, "n1", [f"even-{number}" for number in range(6)])
    found = leaders(cluster)
    check(max(found) - min(found) <= 2, f"leaders of n1, n2 and n3: {found}")


@scenario
def leaders_of_one_node_move_until_it_has_about_its_share(cluster):
    """a few at a time, and not further: a node may lead some more than its share"""
    declare(cluster, "n1", [f"pile-{number}" for number in range(24)], **{"x-queue-leader-locator": "client-local"})
    share = (len(queues(cluster)) + 2) // 3
    tolerated = share + max(share // 10, 2)
    wait_until(lambda: leaders(cluster)[0] <= tolerated, SECONDS, f"n1 leads at most {tolerated}")
    log = "".join(node.log_since() for node in cluster.nodes.values())
    equal({int(moves) for moves in re.findall(r"leaders\.rebalanced moves=(\d+)", log)} - {1, TRANSFERS}, set())
    check(f"leaders.rebalanced moves={TRANSFERS}" in log, "the log says so")


def publish(cluster, names, body):
    """A message into each, confirmed."""
    connection = connect_to(cluster, "n1")
    channel = connection.channel()
    channel.confirm_delivery()
    for queue in names:
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
    connection.close()


def get(cluster, queue):
    """What n1 gives of it."""
    connection = connect_to(cluster, "n1")
    _, _, body = connection.channel().basic_get(queue, auto_ack=True)
    connection.close()
    return body


def await_member(cluster, queue, name):
    """Until the member there has everything."""

    def is_whole():
        rows = json.loads(cluster.control("n1", "quorum_status", queue, "--formatter", "json"))
        found = {row["Node Name"]: row for row in rows}
        last = max(row.get("Commit Index", 0) for row in rows)
        here = found[f"rabbit@{name}"]
        return here["Raft State"] in ("follower", "leader") and here.get("Last Applied") == last

    wait_until(is_whole, SECONDS, f"{queue} on {name}")


def check_members(cluster, names, running, not_leading):
    """Of new queues: all three are members, and the one of them that should not lead does not."""
    for row in queues(cluster):
        if row["name"] not in names:
            continue
        equal(sorted(row["members"]), ["rabbit@n1", "rabbit@n2", "rabbit@n3"], row["name"])
        equal(sorted(row["online"]), [f"rabbit@{name}" for name in running], row["name"])
        check(row.get("leader") != f"rabbit@{not_leading}", f"{row['name']} is led by it")


@scenario
def a_queue_gets_a_member_on_a_node_that_is_away(cluster):
    """it works with the other two at once; the third takes its place when it is back, and may be needed then"""
    names = [f"away-{number}" for number in range(4)]
    kill_and_miss(cluster, "n3")
    declare(cluster, "n1", names)
    publish(cluster, names, b"while it was away")
    check_members(cluster, names, ["n1", "n2"], "n3")
    cluster.start("n3")
    cluster.await_ready(["n3"])
    for name in names:
        await_member(cluster, name, "n3")
    for name in cluster.nodes:
        cluster.control(name, "-t", str(SECONDS), "await_online_quorum_plus_one")
    cluster.kill("n2")
    equal([get(cluster, name) for name in names], [b"while it was away"] * len(names))
    cluster.start("n2")
    cluster.await_ready(["n2"])


@scenario
def a_drained_node_gets_members_and_no_leaders(cluster):
    """it runs, so it can follow"""
    names = [f"drained-{number}" for number in range(4)]
    cluster.control("n2", "drain")
    declare(cluster, "n1", names)
    publish(cluster, names, b"x")
    check_members(cluster, names, ["n1", "n2", "n3"], "n2")
    for name in names:
        await_member(cluster, name, "n2")
    cluster.control("n2", "revive")
    cluster.await_ready(["n2"])


@scenario
def a_node_that_can_lead_is_preferred(cluster):
    """with room for two members the node that is away gets none, whatever its zone"""
    names = [f"two-{number}" for number in range(4)]
    kill_and_miss(cluster, "n3")
    declare(cluster, "n1", names, **{"x-quorum-initial-group-size": 2})
    found = {row["name"]: sorted(row["members"]) for row in queues(cluster) if row["name"] in names}
    equal(found, {name: ["rabbit@n1", "rabbit@n2"] for name in names})
    cluster.start("n3")
    cluster.await_ready(["n3"])
