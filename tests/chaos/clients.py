"""The clients of the checked workload: publishers, consumers, pollers and declarers over pika, all on one event loop.

Each works on one connection, and when that ends, or nothing moves for PATIENCE, it goes on at the next node. Every step
is an event of the history. One thread runs the loop, so no client locks anything.
"""

import itertools
import random
import zlib
from collections import OrderedDict, deque

import pika
import pika.exceptions

HEARTBEAT = 4  # seconds
PATIENCE = 5.0  # seconds without an answer that is due, after which a client gives its connection up
RETRY = 0.1  # seconds between attempts to connect
WINDOW = 200  # unconfirmed messages of one publisher
TICK = 0.02  # seconds between bursts of a publisher
PERSISTENT = pika.BasicProperties(delivery_mode=2)


def encode(message, padding=0):
    words = "%s %d %d " % message
    content = words.encode() + bytes(padding)
    return b"%08x " % zlib.crc32(content) + content


def decode(body):
    checksum, content = body.split(b" ", 1)
    if int(checksum, 16) != zlib.crc32(content):
        raise ValueError(f"a body was damaged: {body[:60]!r}")
    publisher, number, attempt, _ = content.split(b" ", 3)
    return publisher.decode(), int(number), int(attempt)


def parameters(node, user="guest", password="guest"):
    _, host, port = node
    return pika.ConnectionParameters(
        host,
        port,
        credentials=pika.PlainCredentials(user, password),
        heartbeat=HEARTBEAT,
        socket_timeout=2,
        stack_timeout=PATIENCE,
        connection_attempts=1,
    )


class Client:
    """Connects, works until the connection ends, and starts over at the next node."""

    ids = itertools.count(1)

    def __init__(self, workload, name, first=0, wanders=True):
        self.workload, self.history, self.loop = workload, workload.history, workload.loop
        self.name, self.turn, self.wanders = name, first, wanders
        self.chance = random.Random(f"{workload.seed} {name}")
        self.connection = self.channel = self.channel_id = None
        self.stopped = False
        self.waits_since = None  # since when an answer is due

    @property
    def node(self):
        return self.workload.nodes[self.turn % len(self.workload.nodes)]

    def note(self, kind, subject="", message=None, detail=None):
        self.history.add(kind, self.name, self.node[0], self.channel_id or "", subject, message, detail)

    def connect(self):
        if self.stopped:
            return
        pika.SelectConnection(
            parameters(self.node),
            on_open_callback=self.on_open,
            on_open_error_callback=lambda *_: self.again(),
            on_close_callback=self.on_connection_closed,
            custom_ioloop=self.loop,
        )

    def again(self):
        if self.wanders:
            self.turn += 1
        self.loop.call_later(RETRY * self.chance.uniform(0.5, 2), self.connect)

    def on_open(self, connection):
        self.connection = connection
        if self.stopped:
            self.drop("stopped")
        else:
            self.open_channel()

    def open_channel(self):
        self.waits_since = self.loop_time()
        self.connection.channel(on_open_callback=self.on_channel_open)

    def on_channel_open(self, channel):
        self.waits_since = None
        self.channel = channel
        self.channel_id = f"{self.name}/{next(Client.ids)}"
        channel.add_on_close_callback(self.on_channel_closed)
        self.work()

    def on_channel_closed(self, channel, reason):
        if channel is not self.channel:
            return
        self.leave("lost", repr(reason))
        if self.connection and self.connection.is_open:
            self.drop("the channel ended")

    def on_connection_closed(self, connection, reason):
        if connection is not self.connection:
            return
        self.leave("lost", repr(reason))
        self.connection = None
        self.again()

    def leave(self, kind, why):
        """The channel is over: what it held is nobody's any more."""
        if self.channel:
            self.note(kind, detail=why)
            self.channel, self.waits_since = None, None
            self.forget()
            self.channel_id = None

    def drop(self, why):
        """Ends the connection without asking the other side, which may be frozen or out of reach."""
        self.leave("closed" if self.stopped else "lost", why)
        if self.connection and not self.connection.is_closed:
            error = pika.exceptions.AMQPHeartbeatTimeout(why)
            self.connection._terminate_stream(error)  # as pika's own heartbeat does it; there is no public way

    def check_patience(self):
        if self.waits_since is not None and self.loop_time() - self.waits_since > PATIENCE:
            self.waits_since = None
            self.drop(f"no answer within {PATIENCE:g} s")

    def loop_time(self):
        return self.history.clock()

    def stop(self):
        """Closes for good. What the channel held goes back to its queue."""
        self.stopped = True
        self.leave("closed", "stopped")
        if self.connection and self.connection.is_open:
            self.connection.close()

    def confirm_select(self, then):
        """Asks for confirms, which go to on_confirm as long as this channel is the one in use."""
        channel = self.channel
        channel.confirm_delivery(
            lambda frame: channel is self.channel and self.on_confirm(frame),
            callback=lambda _: channel is self.channel and then(channel),
        )

    def work(self):
        raise NotImplementedError

    def on_confirm(self, frame):
        raise NotImplementedError

    def forget(self):
        pass


class Publisher(Client):
    """Publishes numbers 1, 2, 3, … with confirms, many under way at once; publishes again what may be missing."""

    def __init__(self, workload, name, target, exchange, routing_key, rate, first):
        super().__init__(workload, name, first)
        self.target, self.exchange, self.routing_key, self.rate = target, exchange, routing_key, rate
        self.number = 0
        self.under_way = OrderedDict()  # delivery tag -> message
        self.again_first = deque()  # messages that go before new ones
        self.allowance = 0.0
        self.fresh = True  # whether new messages are wanted

    @property
    def is_idle(self):
        return not self.under_way and not self.again_first

    def work(self):
        self.tag, self.allowance = 0, 0.0
        self.waits_since = self.loop_time()
        self.channel.add_on_return_callback(self.on_return)
        self.confirm_select(self.begin)

    def begin(self, channel):
        self.waits_since = None
        self.ticked = self.loop_time()
        self.tick(channel)

    def tick(self, channel):
        if channel is not self.channel or self.stopped:
            return
        now = self.loop_time()
        self.allowance = min(self.allowance + (now - self.ticked) * self.rate, WINDOW)
        self.ticked = now
        while len(self.under_way) < WINDOW and (self.again_first or self.allowance >= 1):
            if self.again_first:
                message = self.again_first.popleft()
            elif self.fresh:
                self.number += 1
                message = (self.name, self.number, 0)
            else:
                break
            self.allowance -= 1
            self.publish(message)
        self.loop.call_later(TICK, lambda: self.tick(channel))

    def publish(self, message):
        self.tag += 1
        self.under_way[self.tag] = message
        self.waits_since = self.waits_since or self.loop_time()
        self.note("publish", message=message, detail=self.target)
        body = encode(message, self.chance.choice((0, 10, 200, 2000)))
        self.channel.basic_publish(self.exchange, self.routing_key, body, PERSISTENT, mandatory=True)

    def on_confirm(self, frame):
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        taken = isinstance(frame.method, pika.spec.Basic.Ack)
        tags = [tag]
        if multiple:
            tags = list(itertools.takewhile(lambda each: each <= tag, self.under_way))
        for each in tags:
            message = self.under_way.pop(each)
            self.note("confirm" if taken else "nack", message=message)
            if not taken:
                self.again_first.append((message[0], message[1], message[2] + 1))
        self.waits_since = self.loop_time() if self.under_way else None

    def on_return(self, channel, method, properties, body):
        self.note("return", message=decode(body), detail=method.reply_text)

    def forget(self):
        again = []
        for message in self.under_way.values():
            self.note("unknown", message=message)
            again.append((message[0], message[1], message[2] + 1))
        self.under_way.clear()
        self.again_first.extendleft(reversed(again))


class Taker(Client):
    """What consumers and pollers share: settling messages, and proving that acks have taken effect.

    Nothing answers an ack. So now and then a marker is published with confirm on the same channel straight into the
    same queue, behind the acks: its confirm says that they have taken effect too."""

    MARKER_AFTER = 100  # acks

    def __init__(self, workload, name, queue, first, requeue_share=0.0):
        super().__init__(workload, name, first)
        self.queue, self.requeue_share = queue, requeue_share
        self.number = 0
        self.acked, self.markers = [], OrderedDict()  # tag -> (marker, acked before it)
        self.with_markers = True

    def work(self):
        self.tag, self.acked = 0, []
        self.waits_since = self.loop_time()
        self.confirm_select(self.take)

    def on_message(self, method, properties, body):
        message = decode(body)
        count = (properties.headers or {}).get("x-delivery-count")
        self.note("deliver", self.queue, message, [method.redelivered, count])
        return message

    def settle(self, tag, message):
        if self.chance.random() < self.requeue_share:
            self.note("requeue", self.queue, message)
            self.channel.basic_nack(tag, requeue=True)
        else:
            self.on_acked([message])
            self.channel.basic_ack(tag)
            self.consider_marker()

    def on_acked(self, messages):
        for message in messages:
            self.note("ack", self.queue, message)
        self.acked += messages

    def consider_marker(self):
        if not self.with_markers or len(self.acked) < self.MARKER_AFTER or len(self.markers) >= 2:
            return
        self.number += 1
        self.tag += 1
        marker = (self.name, self.number, 0)
        self.markers[self.tag] = (marker, self.acked)
        self.acked = []
        self.note("publish", "marker", marker, self.queue)
        self.waits_since = self.waits_since or self.loop_time()
        self.channel.basic_publish("", self.queue, encode(marker), PERSISTENT, mandatory=True)

    def on_confirm(self, frame):
        last = frame.method.delivery_tag
        for tag in [tag for tag in self.markers if tag == last or (frame.method.multiple and tag < last)]:
            marker, acked = self.markers.pop(tag)
            if isinstance(frame.method, pika.spec.Basic.Ack):
                self.note("confirm", message=marker)
                for message in acked:
                    self.note("settled", self.queue, message)
            else:
                self.note("nack", message=marker)
        self.waits_since = self.loop_time() if self.markers else None

    def forget(self):
        for marker, _ in self.markers.values():
            self.note("unknown", message=marker)
        self.markers.clear()

    def take(self, channel):
        raise NotImplementedError


class Consumer(Taker):
    """basic.consume; acks one by one, or many at once by `multiple` if `group` is more than one."""

    IDLE = 0.3  # seconds after which an unfinished group is acked

    def __init__(self, workload, name, queue, first, prefetch, group=1, requeue_share=0.0):
        super().__init__(workload, name, queue, first, requeue_share)
        self.prefetch, self.group = prefetch, group
        self.held = []  # (delivery tag, message), a group in the making

    def take(self, channel):
        self.held = []
        channel.basic_qos(prefetch_count=self.prefetch)
        channel.add_on_cancel_callback(lambda _: channel is self.channel and self.drop("cancelled by the broker"))
        consumed = lambda _: setattr(self, "waits_since", None)  # noqa: E731
        channel.basic_consume(self.queue, self.on_delivery, callback=consumed)
        if self.group > 1:
            self.flush_idle(channel)

    def on_delivery(self, channel, method, properties, body):
        if channel is not self.channel:
            return
        message = self.on_message(method, properties, body)
        if self.group == 1:
            self.settle(method.delivery_tag, message)
            return
        self.held.append((method.delivery_tag, message))
        if len(self.held) >= self.group:
            self.ack_held()

    def ack_held(self):
        self.on_acked([message for _, message in self.held])
        self.channel.basic_ack(self.held[-1][0], multiple=True)
        self.held = []
        self.consider_marker()

    def flush_idle(self, channel):
        if channel is self.channel and not self.stopped:
            if self.held:
                self.ack_held()
            self.loop.call_later(self.IDLE, lambda: self.flush_idle(channel))


class Poller(Taker):
    """basic.get, one after the other."""

    EMPTY = 0.05  # seconds until it asks an empty queue again

    def take(self, channel):
        channel.add_callback(lambda _: self.on_empty(channel), [pika.spec.Basic.GetEmpty], one_shot=False)
        self.ask(channel)

    def ask(self, channel):
        if channel is self.channel and not self.stopped:
            self.waits_since = self.loop_time()
            channel.basic_get(self.queue, self.on_got)

    def on_empty(self, channel):
        if channel is not self.channel:
            return
        self.waits_since = self.loop_time() if self.markers else None
        self.loop.call_later(self.EMPTY, lambda: self.ask(channel))

    def on_got(self, channel, method, properties, body):
        if channel is not self.channel:
            return
        self.waits_since = self.loop_time() if self.markers else None
        message = self.on_message(method, properties, body)
        self.settle(method.delivery_tag, message)
        self.ask(channel)
