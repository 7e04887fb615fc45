"""Metadata under faults: one Declarer stays with each node; together they declare, delete and look at the same queues.

A queue that was declared and confirmed has to be seen from every node, until its deletion is confirmed. Bindings are
for the client that made them: what it has bound routes from now on, on the node it used. registers.py judges both.
"""

import itertools

import pika

from clients import PERSISTENT, Client

EXCHANGE = "chaos.declared"
PAUSE = 0.05  # seconds between two operations of one client
OPERATIONS_PER_KEY = 30  # then the key is left alone, so that the judge has little to search
OPERATIONS = ("declare", "delete", "look", "look", "look")
NOT_FOUND = 404


class Keys:
    """What is declared at present: a few keys, shared by all declarers, each replaced when it has been used enough."""

    COUNT = 3

    def __init__(self, prefix):
        self.prefix, self.numbers = prefix, itertools.count(1)
        self.uses = {}

    def take(self, chance):
        while len(self.uses) < self.COUNT:
            self.uses[f"{self.prefix}.key{next(self.numbers)}"] = 0
        key = chance.choice(sorted(self.uses))
        self.uses[key] += 1
        if self.uses[key] >= OPERATIONS_PER_KEY:
            del self.uses[key]
        return key


class Declarer(Client):
    ids = itertools.count(1)  # of operations

    def __init__(self, workload, name, first, queues, anchor):
        """`anchor`: a queue that exists, for bindings. Without classic queues in the workload there are none here: one
        goes with a node that loses its disk, and its key with it."""
        super().__init__(workload, name, first, wanders=False)
        self.queues, self.anchor = queues, anchor
        self.bindings = Keys(f"{workload.prefix}.{name}")
        self.operation = None  # (id, key, what), under way
        self.touched = set()  # queues to remove in the end

    def work(self):
        self.returned = False
        self.channel.add_on_return_callback(lambda *_: setattr(self, "returned", True))
        self.confirm_select(self.next)

    def on_confirm(self, frame):
        self.done(not self.returned)
        self.returned = False

    def next(self, channel):
        if channel is not self.channel or self.stopped:
            return
        what = self.chance.choice(OPERATIONS)
        if self.chance.random() < 0.3:
            self.bind_or_look(channel, self.bindings.take(self.chance), what)
        else:
            self.declare_or_look(channel, self.queues.take(self.chance), what)

    def declare_or_look(self, channel, queue, what):
        self.begin(queue, what)
        self.touched.add(queue)
        if what == "declare":
            is_quorum = not self.workload.classic or queue.endswith(("1", "3", "5", "7", "9"))
            arguments = {"x-queue-type": "quorum"} if is_quorum else None
            channel.queue_declare(queue, durable=True, arguments=arguments, callback=lambda _: self.done(None))
        elif what == "delete":
            channel.queue_delete(queue, callback=lambda _: self.done(None))
        else:
            channel.queue_declare(queue, passive=True, callback=lambda _: self.done(True))

    def bind_or_look(self, channel, key, what):
        self.begin(key, what)
        if what == "declare":
            channel.queue_bind(self.anchor, EXCHANGE, key, callback=lambda _: self.done(None))
        elif what == "delete":
            channel.queue_unbind(self.anchor, EXCHANGE, key, callback=lambda _: self.done(None))
        else:
            channel.basic_publish(EXCHANGE, key, b"", PERSISTENT, mandatory=True)

    def begin(self, key, what):
        self.operation = (next(Declarer.ids), key, what)
        self.waits_since = self.loop_time()
        self.note("invoke", key, detail=[self.operation[0], what])

    def end(self, kind, detail):
        identity, key, _ = self.operation
        self.operation, self.waits_since = None, None
        self.note(kind, key, detail=[identity, detail])

    def done(self, seen):
        if self.operation:
            self.end("ok", seen)
            channel = self.channel
            self.loop.call_later(PAUSE, lambda: self.next(channel))

    def on_channel_closed(self, channel, reason):
        if channel is not self.channel:
            return
        code = getattr(reason, "reply_code", 0)
        if code == NOT_FOUND and self.operation and self.operation[2] == "look":
            # Its node is away, or its majority: it is there, and is not.
            if "inaccessible" in reason.reply_text or "due to timeout" in reason.reply_text:
                self.end("fail", reason.reply_text)
            else:
                self.end("ok", False)
            self.channel = self.channel_id = None
            if self.connection and self.connection.is_open:
                self.open_channel()
            return
        super().on_channel_closed(channel, reason)

    def forget(self):
        if self.operation:
            self.end("info", "its channel ended")


def remove(connection, queues):
    """Takes away what declarers have left, so that rounds do not pile up."""
    channel = connection.channel()
    for queue in queues:
        try:
            channel.queue_delete(queue)
        except pika.exceptions.AMQPChannelError:
            channel = connection.channel()
