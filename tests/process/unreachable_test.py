"""A queue whose only node is down says so at once, in RabbitMQ's words, and nothing is carried out behind the back of
who was told that it failed."""

import pika
from pika.exceptions import ChannelClosedByBroker, NackError
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import three_nodes
from support.scenarios import Scenarios, check_in, equal

MESSAGES = 5
PERSISTENT = pika.BasicProperties(delivery_mode=2)
QUEUES = ("purged", "deleted", "operated", "published", "left-alone")
METHODS = {
    "declare": lambda channel, queue: channel.queue_declare(queue, durable=True),
    "passive declare": lambda channel, queue: channel.queue_declare(queue, passive=True),
    "get": lambda channel, queue: channel.basic_get(queue),
    "consume": lambda channel, queue: channel.basic_consume(queue, lambda *_: None),
    "purge": lambda channel, queue: channel.queue_purge(queue),
    "delete": lambda channel, queue: channel.queue_delete(queue),
}

scenario = Scenarios(three_nodes)


def refused(connection, ask):
    """What the broker closes the channel with."""
    try:
        ask(connection.channel())
    except ChannelClosedByBroker as closed:
        return closed.reply_code, closed.reply_text
    return None


def is_nacked(channel, queue):
    try:
        channel.basic_publish("", queue, b"late", PERSISTENT)
    except NackError:
        return True
    return False


def depth(connection, queue):
    return connection.channel().queue_declare(queue, passive=True).method.message_count


def listed(cluster, queue):
    return cluster.nodes["n1"].get(f"/api/queues/%2F/{queue}")[1]


@scenario
def a_dead_nodes_classic_queues(cluster):
    """methods get 404, publications a nack, the operator 69, and when the node is back all messages are there"""
    with connect_to(cluster, "n3") as home:
        channel = home.channel()
        channel.confirm_delivery()
        for queue in QUEUES:
            channel.queue_declare(queue, durable=True)
            for _ in range(MESSAGES):
                channel.basic_publish("", queue, b"x", PERSISTENT)
    down = "NOT_FOUND - home node 'rabbit@n3' of durable queue '{}' in vhost '/' is down or inaccessible"
    with connect_to(cluster, "n1") as other:
        publishing = other.channel()
        publishing.confirm_delivery()
        publishing.basic_publish("", "published", b"x", PERSISTENT)  # it has had to do with the node that dies now
        cluster.kill("n3")
        wait_until(lambda: listed(cluster, "published")["state"] == "down", 10, "n1 misses n3")
        row = listed(cluster, "published")
        equal({key for key in row if key.startswith("messages") or key == "consumers"}, set(), "nobody knows")
        equal(row["node"], "rabbit@n3")
        for name, method in METHODS.items():
            queue = {"purge": "purged", "delete": "deleted"}.get(name, "left-alone")
            equal(refused(other, lambda channel, m=method, q=queue: m(channel, q)), (404, down.format(queue)), name)
        equal(is_nacked(publishing, "published"), True, "the publication was refused")
        for command in ("purge_queue", "delete_queue"):
            try:
                told = cluster.control("n1", command, "operated")
            except RuntimeError as error:
                told = str(error)
            check_in(": 69 ", told)
            check_in("cannot be reached", told)
        cluster.start("n3")
        cluster.await_ready(["n3"])
        for queue in QUEUES:
            wait_until(lambda q=queue: refused(other, lambda channel: depth(other, q)) is None, 10, f"{queue} answers")
            equal(depth(other, queue), MESSAGES + (queue == "published"), queue)


@scenario
def a_dead_nodes_consumers(cluster):
    """a node that restarts costs nobody a consumer; of one that stays away consumers hear, and what they held comes back"""
    with connect_to(cluster, "n3") as home:
        home.channel().queue_declare("consumed", durable=True)
        home.channel().basic_publish("", "consumed", b"held", PERSISTENT)
    with connect_to(cluster, "n1") as other:
        channel = other.channel()
        held = []
        channel.basic_consume("consumed", lambda _, method, __, body: held.append((method.delivery_tag, body)))
        cancelled = []
        channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))

        def happens(condition):
            other.process_data_events(time_limit=0.1)
            return condition()

        wait_until(lambda: happens(lambda: held), 10, "a delivery")
        cluster.kill("n3")
        cluster.start("n3")
        cluster.await_ready(["n3"])
        other.channel().basic_publish("", "consumed", b"after", PERSISTENT)
        wait_until(lambda: happens(lambda: len(held) == 2), 10, "a delivery after the restart")
        equal(cancelled, [])
        cluster.kill("n3")
        wait_until(lambda: happens(lambda: cancelled), 60, "basic.cancel")
        channel.basic_ack(held[0][0])  # it is held all the same
        cluster.start("n3")
        cluster.await_ready(["n3"])
        wait_until(lambda: refused(other, lambda _: depth(other, "consumed")) is None, 10, "the queue answers")
        channel.close()
        wait_until(lambda: depth(other, "consumed") == 1, 10, "what was not acknowledged is back")
        equal(other.channel().basic_get("consumed")[2], b"after")
