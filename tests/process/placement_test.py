"""Where new queues go, and leaders that move by themselves: zones, queue_leader_locator, leader_rebalancing."""

import functools
import re

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


def led_queues(cluster):
    return {row["name"] for row in queues(cluster) if row.get("leader")}


def leaders(cluster):
    """How many each node leads."""
    rows = queues(cluster)
    return [sum(row.get("leader") == f"rabbit@{name}" for row in rows) for name in cluster.nodes]


@scenario
def members_spread_over_zones(cluster):
    """with two members, the second is in the other zone, wherever the first is"""
    for name in cluster.nodes:
        declare(cluster, name, [f"zone-{name}-{number}" for number in range(4)], **{"x-quorum-initial-group-size": 2})
    for row in queues(cluster):
        zones = {ZONES[member.partition("@")[2]] for member in row["members"]}
        equal((len(row["members"]), zones), (2, {"a", "b"}), row["name"])


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
