"""A thread of a node that stands still while the rest of it goes on: the others must not wait for it."""

import functools
import time

import pika
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import READY, three_nodes
from support.held_thread import held_thread
from support.scenarios import Scenarios, check, check_in, equal

SECONDS = 30
QUEUES = [f"q{number}" for number in range(8)]  # both shards have some
LED_ELSEWHERE_SECONDS = 10

scenario = Scenarios(functools.partial(three_nodes, settings=lambda _: ["shards = 2"]))


def publish(cluster, name, count):
    """Confirmed to all queues."""
    connection = connect_to(cluster, name)
    channel = connection.channel()
    channel.confirm_delivery()
    for queue in QUEUES:
        for _ in range(count):
            channel.basic_publish("", queue, b"x", pika.BasicProperties(delivery_mode=2))
    connection.close()


def leaders(cluster):
    status, rows = cluster.nodes["n1"].get("/api/queues")
    equal(status, 200)
    return {row.get("leader", "").partition("@")[2] for row in rows}


def depth(cluster, queue):
    return cluster.nodes["n1"].get(f"/api/queues/%2F/{queue}")[1].get("messages")


@scenario
def a_stuck_shard_loses_its_leaders(cluster):
    """one of two shards stands still: others lead within seconds, the node says so, and takes part again afterwards"""
    connection = connect_to(cluster, "n3")
    for queue in QUEUES:
        connection.channel().queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    connection.close()
    wait_until(lambda: leaders(cluster) == {"n3"}, SECONDS, "n3 leads")
    publish(cluster, "n1", 5)
    sick = cluster.nodes["n3"]
    with held_thread(sick.pid, "shard 1"):
        began = time.monotonic()
        wait_until(lambda: leaders(cluster) <= {"n1", "n2"}, SECONDS, "others lead")
        moved = time.monotonic() - began
        check(moved < LED_ELSEWHERE_SECONDS, f"n3 has led on for {moved:.1f} s")
        publish(cluster, "n1", 5)
        wait_until(lambda: not sick.is_ready(), SECONDS, "n3 sends clients elsewhere")
        check_in("a part of this node stands still", str(sick.get(READY)), "the health check")
    cluster.await_ready(["n3"], SECONDS)
    publish(cluster, "n3", 5)
    for queue in QUEUES:
        wait_until(lambda queue=queue: depth(cluster, queue) == 15, SECONDS, f"all messages in {queue}")
    for words in ("shard.stuck shard=1", "shard.moves shard=1"):
        check_in(words, sick.log_since(), "the log of n3")
