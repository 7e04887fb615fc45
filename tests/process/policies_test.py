"""Policies of a cluster: set at any node, obeyed on every other at once, by queues that are there and those that come,
and still after their leader has died and the whole cluster was started again."""

import json

import pika
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import three_nodes
from support.management import request
from support.scenarios import Scenarios, equal

SECONDS = 30
LIMIT = 3
scenario = Scenarios(three_nodes)


def rows(cluster, name, *words):
    return json.loads(cluster.control(name, *words, "--formatter", "json"))


def row(cluster, name, queue, *columns):
    return next(row for row in rows(cluster, name, "list_queues", "name", *columns) if row["name"] == queue)


def publish(cluster, name, queue, count):
    with connect_to(cluster, name) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", queue, str(number).encode(), pika.BasicProperties(delivery_mode=2))


def await_ready_messages(cluster, name, queue, count):
    wait_until(lambda: row(cluster, name, queue, "messages")["messages"] == count, SECONDS, f"{queue} holds {count}")


@scenario
def it_holds_on_every_node(cluster):
    """set at n1, for queues led by n2 and n3; a new leader and a new life of the cluster obey it as well"""
    for name, queue in (("n2", "limited.quorum"), ("n3", "limited.classic")):
        kind = queue.rpartition(".")[2]
        with connect_to(cluster, name) as connection:
            connection.channel().queue_declare(queue, durable=True, arguments={"x-queue-type": kind})
        publish(cluster, name, queue, 2 * LIMIT)
    cluster.control("n1", "set_policy", "short", "^limited", json.dumps({"max-length": LIMIT}))
    for queue in ("limited.quorum", "limited.classic"):
        publish(cluster, "n1", queue, 1)
        await_ready_messages(cluster, "n2", queue, LIMIT)
        seen = row(cluster, "n3", queue, "policy", "effective_policy_definition")
        equal(seen, {"name": queue, "policy": "short", "effective_policy_definition": {"max-length": LIMIT}})

    cluster.kill("n2")
    publish(cluster, "n1", "limited.quorum", LIMIT)
    await_ready_messages(cluster, "n1", "limited.quorum", LIMIT)
    for name in ("n1", "n3"):
        cluster.kill(name)
    for name in ("n1", "n2", "n3"):
        cluster.start(name)
    cluster.await_ready(["n1", "n2", "n3"])
    publish(cluster, "n2", "limited.quorum", 2 * LIMIT)
    await_ready_messages(cluster, "n3", "limited.quorum", LIMIT)

    cluster.control("n3", "clear_policy", "short")
    publish(cluster, "n1", "limited.quorum", LIMIT)
    await_ready_messages(cluster, "n1", "limited.quorum", 2 * LIMIT)


@scenario
def it_is_set_by_http(cluster):
    """with the words of RabbitMQ's API, and an operator policy limits it"""

    def put(path, body):
        node = cluster.nodes["n2"]
        status, _, said = request(node.host, node.http_port, path, method="PUT", body=json.dumps(body))
        return status, said

    policy = {"pattern": "^by-http", "definition": {"max-length": 10}, "apply-to": "quorum_queues"}
    equal(put("/api/policies/%2F/long", policy), (201, b""))
    equal(put("/api/policies/%2F/long", policy), (204, b""))
    equal(put("/api/operator-policies/%2F/least", {"pattern": ".*", "definition": {"max-length": LIMIT}}), (201, b""))
    with connect_to(cluster, "n3") as connection:
        connection.channel().queue_declare("by-http", durable=True, arguments={"x-queue-type": "quorum"})
    publish(cluster, "n3", "by-http", 2 * LIMIT)
    await_ready_messages(cluster, "n1", "by-http", LIMIT)
    seen = row(cluster, "n1", "by-http", "policy", "operator_policy")
    equal(seen, {"name": "by-http", "policy": "long", "operator_policy": "least"})
