"""A durable classic queue becomes a quorum queue and goes back while clients of every node use it."""

import pika
from support.broker import wait_until
from support.clients import connect_to
from support.cluster import three_nodes
from support.scenarios import Scenarios, equal

SECONDS = 30
PERSISTENT = pika.BasicProperties(delivery_mode=2)
scenario = Scenarios(three_nodes)


class Traffic:
    """Publishers with confirms and consumers with acknowledgements on every node, all of one queue."""

    def __init__(self, cluster, queue):
        self.queue = queue
        self.connections = {name: connect_to(cluster, name) for name in cluster.nodes}
        self.publishers = {name: self.channel(name) for name in cluster.nodes}
        self.published = []
        self.seen = []  # (consumer, body), redelivered ones left out
        self.again = set()
        for channel in self.publishers.values():
            channel.confirm_delivery()
        for name in cluster.nodes:
            consuming = self.channel(name)
            consuming.basic_qos(prefetch_count=5)
            consuming.basic_consume(queue, lambda *it, name=name: self.take(name, *it))

    def channel(self, name):
        return self.connections[name].channel()

    def take(self, consumer, channel, method, _, body):
        channel.basic_ack(method.delivery_tag)
        if method.redelivered:
            self.again.add(body)
        else:
            self.seen.append((consumer, body))

    def flow(self):
        for name, channel in self.publishers.items():
            body = f"{name} {len(self.published)}".encode()
            channel.basic_publish("", self.queue, body, PERSISTENT)
            self.published.append(body)
        for connection in self.connections.values():
            connection.process_data_events(0)

    def flow_until(self, condition, what):
        def look():
            self.flow()
            return condition()

        wait_until(look, SECONDS, what)
        for _ in range(20):
            self.flow()

    def drain(self):
        def is_all_seen():
            for connection in self.connections.values():
                connection.process_data_events(0)
            return len({body for _, body in self.seen} | self.again) >= len(self.published)

        wait_until(is_all_seen, SECONDS, "everything that was confirmed")

    def check(self):
        bodies = [body for _, body in self.seen]
        equal(len(bodies), len(set(bodies)), "twice without saying so")
        equal(set(bodies) | self.again, set(self.published))
        for consumer in self.connections:
            for publisher in self.connections:
                words = [body.decode().split() for who, body in self.seen if who == consumer]
                mine = [int(number) for name, number in words if name == publisher]
                equal(mine, sorted(mine), f"the order of {publisher} at {consumer}")

    def close(self):
        for connection in self.connections.values():
            connection.close()


def row(cluster, queue):
    status, body = cluster.nodes["n1"].get(f"/api/queues/%2F/{queue}")
    equal(status, 200, body)
    return body


@scenario
def a_classic_queue_becomes_a_quorum_queue_and_back(cluster):
    """members come, lead and go under traffic from every node, and every client goes on as before"""
    queue = "becoming"
    with connect_to(cluster, "n1") as first:
        first.channel().queue_declare(queue, durable=True)
        holder, getter = first.channel(), first.channel()
        for body in (b"held", b"held", b"got"):
            holder.basic_publish("", queue, body, PERSISTENT)
        held = [holder.basic_get(queue)[0].delivery_tag for _ in range(2)]
        got = getter.basic_get(queue)[0].delivery_tag
        traffic = Traffic(cluster, queue)
        for _ in range(50):
            traffic.flow()

        def has(*names):
            wanted = [f"rabbit@{name}" for name in names]
            found = row(cluster, queue)
            return sorted(found.get("members", [])) == wanted and found["state"] == "running" and found.get("node")

        def is_led_by(name):
            return row(cluster, queue).get("leader") == f"rabbit@{name}"

        equal(row(cluster, queue)["type"], "classic")
        cluster.control("n2", "add_member", queue, "rabbit@n2")
        traffic.flow_until(lambda: has("n1", "n2"), "a second member")
        equal(row(cluster, queue)["type"], "quorum")
        cluster.control("n2", "add_member", queue, "rabbit@n3")
        traffic.flow_until(lambda: has("n1", "n2", "n3"), "a third member")
        cluster.control("n1", "transfer_leadership", queue, "rabbit@n3")
        traffic.flow_until(lambda: is_led_by("n3"), "n3 leads")
        for tag in held:
            holder.basic_ack(tag)
        getter.basic_nack(got)
        traffic.flow_until(lambda: b"got" in traffic.again, "what was given back")
        traffic.again.discard(b"got")
        cluster.control("n1", "delete_member", queue, "rabbit@n1")
        traffic.flow_until(lambda: has("n2", "n3"), "the first member gone")
        cluster.control("n1", "delete_member", queue, "rabbit@n2")
        traffic.flow_until(lambda: has("n3"), "the second member gone")
        cluster.control("n1", "set_queue_type", queue, "classic")
        traffic.flow_until(lambda: row(cluster, queue)["type"] == "classic", "classic again")
        for arguments in ({}, {"x-queue-type": "classic"}):
            first.channel().queue_declare(queue, durable=True, arguments=arguments)
        cluster.control("n3", "add_member", queue, "rabbit@n1")
        traffic.flow_until(lambda: has("n1", "n3"), "two members again")
        cluster.control("n3", "transfer_leadership", queue, "rabbit@n1")
        traffic.flow_until(lambda: is_led_by("n1"), "n1 leads")
        traffic.drain()
        traffic.check()
        traffic.close()
        first.channel().queue_delete(queue)
