"""Who works on the queues while the broker dies: publishers with confirms, and consumers that settle their acks."""

import random
import struct
import threading
from collections import deque

from support import wire
from support.broker import HOST
from support.wire import Closed, Wire

WINDOW = 300  # unconfirmed messages of one publisher
LOST_CONNECTION = (Closed, OSError)  # OSError holds TimeoutError and refused connections too


class Worker(threading.Thread):
    """Connects, works until the connection breaks, and starts over until it is told to stop."""

    def __init__(self, test, name):
        super().__init__(name=name, daemon=True)
        self.test, self.ledger = test, test.ledger
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        while not self.stopping.is_set():
            life = self.test.life
            try:
                connection = Wire(HOST, self.test.broker.port, timeout=10)
            except OSError:
                self.stopping.wait(0.02)  # the broker is down; asked again until it is back
                continue
            try:
                connection.open()
                connection.open_channel(1)
                self.work(connection)
            except LOST_CONNECTION as error:
                is_same_life = life == self.test.life and self.test.broker_is_up.is_set()
                if is_same_life and not self.stopping.is_set():  # a starved thread may notice a death in the next life
                    self.failure = self.failure or f"{self.name}: {type(error).__name__} {error} while the broker was up"
            except Exception as error:
                self.failure = f"{self.name}: {type(error).__name__}: {error}"
                return
            finally:
                connection.drop()


class Publisher(Worker):
    """Numbers its messages 1, 2, 3, … for ever; a broken connection leaves a gap, never a repetition."""

    def __init__(self, test, name, exchange, routing_key, queues, seed):
        super().__init__(test, name)
        self.exchange, self.routing_key = exchange, routing_key
        self.chance = random.Random(seed)
        self.number = 0
        self.ledger.publishes(name, queues)

    def work(self, connection):
        connection.confirm_select()
        waiting, sequence = deque(), 0  # (sequence on this channel, number)
        while True:
            room = WINDOW - len(waiting)
            if self.stopping.is_set() and not waiting:
                return
            if room > WINDOW // 3 and not self.stopping.is_set():
                batch = bytearray()
                burst = self.chance.randint(1, room)
                for _ in range(burst):
                    self.number += 1
                    sequence += 1
                    body = b"%s %d " % (self.name.encode(), self.number) + bytes(self.chance.choice((0, 10, 200, 5000)))
                    batch += wire.publish(1, self.exchange, self.routing_key, body, mandatory=True)
                    waiting.append((sequence, self.number))
                self.ledger.on_sent(self.name, burst)
                connection.send(batch)
            self.take_answers(connection, waiting)

    def take_answers(self, connection, waiting):
        _, name, arguments = connection.read_method(10)
        if name in (wire.BASIC_ACK, wire.BASIC_NACK):
            tag, bits = struct.unpack(">QB", arguments)
            if bits & 1:
                numbers = []
                while waiting and waiting[0][0] <= tag:
                    numbers.append(waiting.popleft()[1])
            else:
                numbers = [number for sequence, number in waiting if sequence == tag]
                if waiting and waiting[0][0] == tag:
                    waiting.popleft()
                else:
                    waiting.remove((tag, numbers[0]))
            if name == wire.BASIC_ACK:
                self.ledger.on_confirmed(self.name, numbers)
            else:
                self.ledger.nacked += len(numbers)
        elif name == wire.BASIC_RETURN:
            self.ledger.on_returned(self.name, repr(arguments))
        elif name in (wire.CONNECTION_CLOSE, wire.CHANNEL_CLOSE):
            raise RuntimeError(f"closed: {arguments[2:]!r}")


class Consumer(Worker):
    """Acks some at once, some in groups, and keeps some for later. Now and then it settles its acks: a marker published
    with confirm on the same channel, into the same queue, behind them."""

    def __init__(self, test, queue, seed):
        super().__init__(test, f"marker.{queue}")
        self.queue = queue
        self.chance = random.Random(seed)
        self.marker = 0
        self.ledger.publishes(self.name, [queue])

    def work(self, connection):
        connection.confirm_select()
        connection.call(wire.method(1, wire.BASIC_QOS, struct.pack(">IHB", 0, 200, 0)), wire.BASIC_QOS_OK)
        connection.call(wire.basic_consume(1, self.queue, "c"), wire.BASIC_CONSUME_OK)
        session = ConsumerSession(self, connection)
        while not self.stopping.is_set():
            try:
                kind, _, payload = connection.read_frame(0.2)
            except TimeoutError:
                session.ack_all()  # nothing comes any more: only without what we hold can a queue become empty
                continue
            session.on_frame(kind, payload)

    def next_marker(self):
        self.marker += 1
        return self.marker, b"%s %d " % (self.name.encode(), self.marker)


class ConsumerSession:
    """One connection of a consumer: what it holds, and which of its acks wait for a marker."""

    def __init__(self, consumer, connection):
        self.consumer, self.ledger, self.chance = consumer, consumer.ledger, consumer.chance
        self.connection = connection
        self.held = deque()  # (delivery tag, message), unacked
        self.group = 20  # so many are held before some are acked
        self.announced = None  # (delivery tag, redelivered) of the content that follows
        self.acked = []  # messages that no marker stands behind
        self.markers = deque()  # (sequence on this channel, number, messages it settles)
        self.sequence = 0

    def on_frame(self, kind, payload):
        if kind == wire.METHOD:
            self.on_method(struct.unpack_from(">HH", payload), payload)
        elif kind == wire.BODY and self.announced:
            self.on_body(payload)
        if len(self.held) >= self.group:
            self.group = self.chance.randint(1, 60)
            self.ack_some()
            if len(self.acked) > 100 and len(self.markers) < 2 and not self.consumer.test.draining.is_set():
                self.publish_marker()

    def on_method(self, name, payload):
        if name == wire.BASIC_DELIVER:
            _, at = wire.read_short(payload, 4)
            self.announced = struct.unpack_from(">QB", payload, at)
        elif name == wire.BASIC_ACK:
            tag, _ = struct.unpack_from(">QB", payload, 4)
            while self.markers and self.markers[0][0] <= tag:
                _, number, settled = self.markers.popleft()
                self.ledger.on_confirmed(self.consumer.name, [number])
                self.ledger.on_settled(self.consumer.queue, settled)
        elif name in (wire.CONNECTION_CLOSE, wire.CHANNEL_CLOSE):
            raise RuntimeError(f"closed: {payload[6:]!r}")

    def on_body(self, payload):
        tag, redelivered = self.announced
        self.announced = None
        publisher, number, _ = bytes(payload).split(b" ", 2)
        message = (publisher.decode(), int(number))
        self.ledger.on_delivered(self.consumer.queue, *message, bool(redelivered))
        self.held.append((tag, message))

    def ack_some(self):
        """A random prefix by `multiple`, or single messages with holes between."""
        if self.chance.random() < 0.5:
            done = [self.held.popleft() for _ in range(self.chance.randint(1, len(self.held)))]
            self.connection.send(wire.basic_ack(1, done[-1][0], multiple=True))
        else:
            done = [entry for entry in self.held if self.chance.random() < 0.7]
            gone = {tag for tag, _ in done}
            self.held = deque(entry for entry in self.held if entry[0] not in gone)
            self.connection.send(b"".join(wire.basic_ack(1, tag) for tag, _ in done))
        self.acked += [message for _, message in done]

    def ack_all(self):
        if self.held:
            self.connection.send(wire.basic_ack(1, self.held[-1][0], multiple=True))
            self.acked += [message for _, message in self.held]
            self.held.clear()

    def publish_marker(self):
        self.sequence += 1
        number, body = self.consumer.next_marker()
        self.markers.append((self.sequence, number, self.acked))
        self.acked = []
        self.ledger.on_sent(self.consumer.name, 1)
        self.connection.send(wire.publish(1, "", self.consumer.queue, body))
