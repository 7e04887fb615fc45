"""What a measurement does to a broker besides load: queues declared, bound, deleted and emptied in bulk, one confirmed
message after the other. Methods are pipelined, so that the broker and not the round trip is the limit.
"""

import concurrent.futures
import struct
import time

from shared import wire

# A broker that does not do what it is asked.
REFUSALS = (OSError, wire.Closed, wire.CloseMethod)

CHANNEL, PIPELINE = 1, 50
CONFIRM_SECONDS, REPLY_SECONDS, DECLARE_SECONDS = 30, 120, 240


def connect(address):
    connection = wire.Wire(*address, timeout=CONFIRM_SECONDS).open()
    connection.open_channel(CHANNEL)
    return connection


def pipelined(connection, requests, reply, until=float("inf")):
    """Sends the requests, a limited number ahead of their replies; how many were answered before `until`."""
    for start in range(0, len(requests), PIPELINE):
        if time.monotonic() > until:
            return start
        batch = requests[start : start + PIPELINE]
        connection.send(b"".join(batch))
        for _ in batch:
            connection.expect(reply, deadline=REPLY_SECONDS)
    return len(requests)


def in_parallel(address, requests, reply, connections, limit_seconds):
    """Deals the requests out to connections; (how many were answered, in which time). None begins after the limit."""
    opened = [connect(address) for _ in range(connections)]
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        futures = [
            pool.submit(pipelined, connection, requests[at::connections], reply, begin + limit_seconds)
            for at, connection in enumerate(opened)
        ]
        answered = sum(future.result() for future in futures)
    seconds = time.monotonic() - begin
    for connection in opened:
        connection.close()
    return answered, seconds


def declare(address, names, arguments=None, connections=1, limit_seconds=DECLARE_SECONDS):
    requests = [wire.queue_declare(CHANNEL, name, durable=True, arguments=arguments) for name in names]
    return in_parallel(address, requests, wire.QUEUE_DECLARE_OK, connections, limit_seconds)


def queue_bind(queue, exchange, key):
    words = b"\0\0" + wire.short(queue) + wire.short(exchange) + wire.short(key) + b"\0" + wire.table({})
    return wire.method(CHANNEL, wire.QUEUE_BIND, words)


def bind(address, names, exchange, keys, connections=1):
    """Every queue by every key."""
    requests = [queue_bind(name, exchange, key) for name in names for key in keys]
    return in_parallel(address, requests, wire.QUEUE_BIND_OK, connections, DECLARE_SECONDS)


def delete(address, names):
    connection = connect(address)
    requests = [wire.method(CHANNEL, wire.QUEUE_DELETE, b"\0\0" + wire.short(name) + b"\0") for name in names]
    pipelined(connection, requests, wire.QUEUE_DELETE_OK)
    connection.close()


def first_delivery(address, queue):
    """Consumes until one message is here."""
    connection = connect(address)
    connection.call(wire.method(CHANNEL, wire.BASIC_QOS, struct.pack(">IHB", 0, 1, 0)), wire.BASIC_QOS_OK)
    connection.send(wire.basic_consume(CHANNEL, queue, "first"))
    connection.expect(wire.BASIC_DELIVER)
    connection.drop()


def empty(address, queue):
    """Takes every message by basic.get until there is none; (the bodies, how many the queue says are left)."""
    connection = connect(address)
    bodies = []
    while True:
        connection.send(wire.method(CHANNEL, wire.BASIC_GET, b"\0\0" + wire.short(queue) + b"\1"))
        _, name, _ = connection.read_method()
        if name == wire.BASIC_GET_EMPTY:
            _, left, _ = connection.declare(CHANNEL, queue, passive=True)
            connection.close()
            return bodies, left
        connection.read_frame()  # the content header
        bodies.append(connection.read_frame()[2])


class SyncPublisher:
    """Publishes one message after the other and waits for each confirm."""

    def __init__(self, address, queue):
        self.address, self.queue = address, queue
        self.connection = None
        self.number = 0

    def publish(self):
        """The number of the message once it is confirmed; OSError or a wire exception when it is not."""
        if not self.connection:
            self.connection = connect(self.address)
            self.connection.confirm_select(CHANNEL)
        self.number += 1
        self.connection.send(wire.publish(CHANNEL, "", self.queue, b"%d" % self.number))
        _, name, _ = self.connection.read_method()
        if name != wire.BASIC_ACK:
            raise OSError(f"no confirm but {name}")
        return self.number

    def drop(self):
        if self.connection:
            self.connection.drop()
            self.connection = None
