"""What clients see of a cluster of three real nodes on which nothing fails."""

import json
import re
import subprocess

import pika
from support.broker import wait_until
from support.clients import connect, connect_to, queue_exists
from support.cluster import three_nodes
from support.scenarios import Scenarios, check, check_in, equal

ROUNDS = 200
QUORUM = {"x-queue-type": "quorum"}
scenario = Scenarios(three_nodes)


@scenario
def names_are_known_everywhere(cluster):
    """what a client declared on one node it uses on another at once"""
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n2") as second, connect_to(cluster, "n3") as third:
        declaring, using, binding = first.channel(), third.channel(), second.channel()
        for i in range(ROUNDS):
            declaring.queue_declare(f"q{i}", durable=True)
            using.queue_declare(f"q{i}", passive=True)
            declaring.exchange_declare(f"e{i}", "fanout")
            binding.queue_bind(f"q{i}", f"e{i}")
            binding.basic_publish(f"e{i}", "", b"x")
            using.queue_delete(f"q{i}")
            declaring.exchange_declare(f"f{i}", "fanout")
            using.basic_publish(f"f{i}", "", b"x")
            using.exchange_declare(f"f{i}", "fanout", passive=True)
            using.exchange_delete(f"f{i}")
            using.exchange_delete(f"e{i}")
        for i in range(ROUNDS):
            wait_until(lambda i=i: not queue_exists(declaring.connection, f"q{i}"), 10, f"q{i} deleted")


def receive(channel, queue):
    """The next message, however far its leader is."""
    found = []

    def ask():
        method, properties, body = channel.basic_get(queue)
        if method:
            found.append((method, properties, body))
        return bool(method)

    wait_until(ask, 10, f"a message in {queue}")
    return found[0]


@scenario
def an_answer_finds_its_way_to_another_node(cluster):
    """direct reply-to: whoever answers may ask first whether somebody waits for it, and then answers without a queue"""
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n2") as second:
        asking, answering = first.channel(), second.channel()
        answers = []
        asking.queue_declare("requests", durable=True)
        asking.basic_consume("amq.rabbitmq.reply-to", lambda _, __, ___, body: answers.append(body), auto_ack=True)
        asking.basic_publish("", "requests", b"?", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
        address = receive(answering, "requests")[1].reply_to
        answering.queue_declare(address, passive=True)
        answering.basic_publish("", address, b"!")
        wait_until(lambda: first.process_data_events(0.1) or answers == [b"!"], 10, "the answer")


@scenario
def deliveries_are_counted(cluster):
    """a quorum queue led by another node says how often it handed a message out"""
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n3") as third:
        declaring, using = first.channel(), third.channel()
        declaring.queue_declare("counted", durable=True, arguments=QUORUM)
        using.confirm_delivery()
        using.basic_publish("", "counted", b"x", pika.BasicProperties(headers={"mine": 1}))
        steps = [
            ({"mine": 1}, using.basic_nack),
            ({"mine": 1, "x-acquired-count": 1}, using.basic_reject),
            ({"mine": 1, "x-acquired-count": 2, "x-delivery-count": 1}, using.basic_ack),
        ]
        for headers, settle in steps:
            method, properties, _ = receive(using, "counted")
            equal(properties.headers, headers)
            equal(method.redelivered, len(headers) > 1)
            settle(method.delivery_tag)
        declaring.queue_delete("counted")


@scenario
def a_full_queue_refuses(cluster):
    """a queue that is full refuses publications from any node"""
    arguments = {**QUORUM, "x-max-length": 2, "x-overflow": "reject-publish"}
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n2") as second:
        declaring, using = first.channel(), second.channel()
        declaring.queue_declare("full", durable=True, arguments=arguments)
        using.queue_declare("full", passive=True)
        using.confirm_delivery()
        for body, is_taken in ((b"1", True), (b"2", True), (b"3", False), (b"4", False)):
            try:
                using.basic_publish("", "full", body)
                equal(is_taken, True, body)
            except pika.exceptions.NackError:
                equal(is_taken, False, body)
        equal([receive(using, "full")[2] for _ in range(2)], [b"1", b"2"])
        declaring.queue_delete("full")


@scenario
def short_lived_quorum_queues(cluster):
    """exclusive, auto-delete and server-named quorum queues go when they should, on every node"""
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n2") as second:
        watching = second
        owner = connect_to(cluster, "n3")
        exclusive = owner.channel().queue_declare("", exclusive=True, arguments=QUORUM).method.queue
        try:
            watching.channel().queue_declare(exclusive, passive=True)
            raise AssertionError("somebody else's exclusive queue")
        except pika.exceptions.ChannelClosedByBroker as error:
            equal(error.reply_code, 405)
        owner.close()
        equal(queue_exists(watching, exclusive), False, "the exclusive queue of a connection that is gone")

        channel = first.channel()
        channel.queue_declare("auto", durable=True, auto_delete=True, arguments=QUORUM)
        consumer = third_consumer(cluster, "auto")
        equal(queue_exists(watching, "auto"), True)
        consumer.close()
        wait_until(lambda: not queue_exists(watching, "auto"), 10, "the auto-delete queue gone with its last consumer")


def bytes_between_nodes(cluster):
    """What the nodes of this cluster have sent each other so far, by the sockets of their listeners for other nodes."""
    ports = " or ".join(f"sport = :{node.peer_port} or dport = :{node.peer_port}" for node in cluster.nodes.values())
    told = subprocess.run(["ss", "-tinHO", f"( {ports} )"], capture_output=True, text=True, check=True).stdout
    return sum(int(number) for number in re.findall(r"bytes_sent:(\d+)", told))


def all_have_the_same(cluster, queue):
    rows = json.loads(cluster.control("n1", "quorum_status", queue, "--formatter", "json"))
    return len({row["Last Log Index"] for row in rows}) == 1


@scenario
def the_consumers_node_delivers(cluster):
    """a message of a quorum queue does not travel again from the leader to a node that has it"""
    count, size = 40, 1 << 20
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n3") as third:
        publishing, consuming = first.channel(), third.channel()
        publishing.queue_declare("local", durable=True, arguments=QUORUM)
        publishing.confirm_delivery()
        for i in range(count):
            publishing.basic_publish("", "local", i.to_bytes(4, "big") * (size // 4))
        equal(cluster.leader_of("local"), "n1")
        wait_until(lambda: all_have_the_same(cluster, "local"), 10, "n3 has it all")
        before = bytes_between_nodes(cluster)
        check(before > count * size, f"{before} bytes brought {count} MiB to two nodes")
        deliveries = consuming.consume("local", inactivity_timeout=10)
        for i in range(count):
            method, _, body = next(deliveries)
            equal(body, i.to_bytes(4, "big") * (size // 4))
            consuming.basic_ack(method.delivery_tag)
        travelled = (bytes_between_nodes(cluster) - before) / (count * size)
        check(travelled < 0.5, f"each body has travelled {travelled:.2f} times between nodes")
        publishing.queue_delete("local")


def third_consumer(cluster, queue):
    connection = connect_to(cluster, "n3")
    connection.channel().basic_consume(queue, lambda *_: None)
    return connection


def activity(cluster, name, queue):
    """What a node says of the queue's consumers, and which of them it serves alone."""
    _, row = cluster.nodes[name].get(f"/api/queues/%2F/{queue}")
    states = {consumer["consumer_tag"]: consumer["activity_status"] for consumer in row["consumer_details"]}
    return states, row["single_active_consumer_tag"]


@scenario
def the_single_active_consumer_is_named(cluster):
    """by any node, for both types of queue, and the next one when it has gone"""
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n2") as second:
        for queue, arguments in {"single-classic": {}, "single-quorum": QUORUM}.items():
            consuming, waiting = first.channel(), second.channel()
            consuming.queue_declare(queue, durable=True, arguments={"x-single-active-consumer": True} | arguments)
            consuming.basic_consume(queue, lambda *_: None, consumer_tag="a")
            waiting.basic_consume(queue, lambda *_: None, consumer_tag="b")
            equal(activity(cluster, "n3", queue), ({"a": "single_active", "b": "waiting"}, "a"))
            listed = cluster.control("n3", "list_consumers", "consumer_tag", "active", "activity_status")
            check_in("waiting", listed, "list_consumers")
            consuming.basic_cancel("a")
            equal(activity(cluster, "n3", queue), ({"b": "single_active"}, "b"))
            waiting.basic_cancel("b")


@scenario
def the_next_single_active_consumer_begins_where_the_last_one_was(cluster):
    """when that one died with its node: what it held comes first"""
    with connect_to(cluster, "n1") as first:
        third = connect_to(cluster, "n3")
        channel, consuming = first.channel(), third.channel()
        channel.queue_declare("in-line", durable=True, arguments=QUORUM | {"x-single-active-consumer": True})
        bodies = [str(number).encode() for number in range(6)]
        for body in bodies:
            channel.basic_publish("", "in-line", body)
        had, taken = [], []
        consuming.basic_qos(prefetch_count=2)
        consuming.basic_consume("in-line", lambda _, method, properties, body: had.append(body))
        wait_until(lambda: third.process_data_events(0.1) or len(had) == 2, 10, "two messages are with the first one")
        channel.basic_consume("in-line", lambda _, method, properties, body: taken.append(body), auto_ack=True)
        offset = cluster.nodes["n1"].log_size()
        cluster.kill("n3")
        cluster.nodes["n1"].wait_for_log("node.down node=rabbit@n3", offset)
        first.process_data_events(0.5)
        cluster.start("n3")
        cluster.await_ready(["n3"])
        wait_until(lambda: first.process_data_events(0.1) or len(taken) == len(bodies), 20, "the next one has all")
        equal(taken, bodies)
        channel.queue_delete("in-line")


@scenario
def a_consumer_that_is_late_is_cancelled(cluster):
    """its client hears so and may settle to no effect; the message goes to the next, also where another node leads"""
    with connect_to(cluster, "n1") as first, connect_to(cluster, "n3") as third:
        for queue, arguments in {"late-classic": {}, "late-quorum": QUORUM}.items():
            declaring, consuming = first.channel(), third.channel()
            declaring.queue_declare(queue, durable=True, arguments={"x-consumer-timeout": 1000} | arguments)
            declaring.basic_publish("", queue, b"x")
            had, cancelled = [], []
            consuming.add_on_cancel_callback(cancelled.append)
            consuming.basic_consume(queue, lambda _, method, *rest, had=had: had.append(method.delivery_tag))

            def is_cancelled(cancelled=cancelled):
                third.process_data_events(0.1)
                return bool(cancelled)

            wait_until(is_cancelled, 10, f"{queue}'s consumer is cancelled")
            method, properties, _ = receive(declaring, queue)
            check(method.redelivered, f"{queue}: redelivered")
            equal((properties.headers or {}).get("x-delivery-count"), None)
            consuming.basic_ack(had[0])
            declaring.basic_ack(method.delivery_tag)
            equal(consuming.queue_declare(queue, passive=True).method.message_count, 0)


def refusal_of(connection):
    """What the broker closes it with, within a while."""
    try:
        for _ in range(100):
            connection.process_data_events(0.1)
    except pika.exceptions.ConnectionClosedByBroker as closed:
        return closed.reply_code, closed.reply_text
    raise AssertionError("still open")


@scenario
def whoever_is_deleted_is_gone_everywhere(cluster):
    """the connections of a deleted user, and those in a deleted virtual host, end on every node; others stay"""
    cluster.control("n1", "add_vhost", "v")
    cluster.control("n1", "add_user", "ann", "secret")
    for vhost, user in (("/", "ann"), ("v", "guest")):
        cluster.control("n1", "set_permissions", "-p", vhost, user, ".*", ".*", ".*")
    anns, inside = (
        [connect(node.host, node.amqp_port, **parameters) for node in cluster.nodes.values()]
        for parameters in ({"credentials": pika.PlainCredentials("ann", "secret")}, {"virtual_host": "v"})
    )
    with connect_to(cluster, "n2") as other:
        cluster.control("n1", "delete_user", "ann")
        equal([refusal_of(one) for one in anns], [(320, "CONNECTION_FORCED - user 'ann' is deleted")] * 3)
        cluster.control("n2", "delete_vhost", "v")
        equal([refusal_of(one) for one in inside], [(320, "CONNECTION_FORCED - vhost 'v' is deleted")] * 3)
        other.channel().close()
