#!/usr/bin/python3
"""The checked workload: publishers, consumers, pollers and declarers against the nodes of one cluster, and a verdict.

    workload.py --nodes n1=127.0.0.1:5672,n2=… [--seconds 30] [--rate 300] [--history FILE]

Publishers work until the end, then everything is drained from each node in turn, and the checker judges. The same
class serves the fault scripts, which strike while it runs.
"""

import argparse
import itertools
import json
import logging
import random
import sys
import threading
import time

import pika
import pika.exceptions
from pika.adapters.select_connection import IOLoop

import declarer
from checker import judge, lost
from clients import Consumer, Poller, Publisher, decode, parameters
from history import History

SETTLE_SECONDS = 60  # for publishers to have everything confirmed when the faults are over
DRAIN_SECONDS = 90
DRAIN_TURN = 50  # messages taken from one node before the next one's turn
BEHIND = 1.0  # seconds for which publishers go on when consumers have stopped, so that there is something to drain
DIRECT, FANOUT = "chaos.direct", "chaos.fanout"
LOST = (pika.exceptions.AMQPError, OSError)


class Workload:
    """`nodes`: (name, host, port) of each. `classic`: also durable classic queues, each of which lives on one node."""

    PUBLISHERS_PER_TARGET = 2  # on different nodes: a gap is then the queue's, not one client's

    def __init__(self, nodes, rate=300, seed=None, classic=True, metadata=True, prefix=None):
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self.nodes, self.seed = list(nodes), seed if seed is not None else random.randrange(10**6)
        self.prefix = prefix or f"chaos.{self.seed}"
        self.history, self.loop = History(), IOLoop()
        queue = lambda name: f"{self.prefix}.{name}"  # noqa: E731
        self.quorum = [queue(name) for name in ("q1", "q2", "q3", "f1")]
        self.classic = [queue(name) for name in ("c1", "f2")] if classic else []
        self.queues = self.quorum + self.classic
        self.fanned = [name for name in (queue("f1"), queue("f2")) if name in self.queues]
        self.fanout = queue("fanout")
        # A target is a queue's own name, by its binding to the direct exchange, or the fan-out.
        self.routes = {name: [name] for name in self.queues}
        self.routes[self.fanout] = self.fanned
        targets = [name for name in self.queues if name not in self.fanned] + [self.fanout]
        self.publishers = []
        for index, target in enumerate(targets):
            exchange, key = (self.fanout, "") if target == self.fanout else (DIRECT, target)
            for copy in range(self.PUBLISHERS_PER_TARGET):
                each = rate / len(targets) / self.PUBLISHERS_PER_TARGET
                name = f"p{index * self.PUBLISHERS_PER_TARGET + copy + 1}"
                self.publishers.append(Publisher(self, name, target, exchange, key, each, index + copy))
        self.takers = [
            Consumer(self, "c.alone", queue("q1"), 0, prefetch=100),
            Consumer(self, "c.one", queue("q2"), 1, prefetch=1, requeue_share=0.02),
            Consumer(self, "c.many", queue("q2"), 2, prefetch=100, requeue_share=0.02),
            Poller(self, "g.polls", queue("q3"), 0, requeue_share=0.01),
            Consumer(self, "c.groups", queue("f1"), 1, prefetch=100, group=30),
        ]
        if classic:
            self.takers += [
                Consumer(self, "c.classic", queue("c1"), 2, prefetch=100),
                Consumer(self, "c.slow", queue("f2"), 0, prefetch=1),
            ]
        self.declarers = []
        if metadata:
            keys = declarer.Keys(f"{self.prefix}.declared")
            for index, (name, _, _) in enumerate(self.nodes):
                self.declarers.append(declarer.Declarer(self, f"d.{name}", index, keys, queue("anchor")))
        self.clients = self.publishers + self.takers + self.declarers
        self.stall = 0.0  # longest time for which this process itself did not come to work
        self.finished = threading.Event()

    # --- the course of a run -------------------------------------------------------------------------------------

    def run(self, scenario):
        """Runs `scenario()` in a thread of its own while clients work; the verdict when all is drained."""
        self.prepare()
        failure = []

        def play():
            try:
                scenario()
            except Exception as error:  # raised again below, in the thread that runs the workload
                failure.append(error)
            self.loop.add_callback_threadsafe(self.loop.stop if failure else self.stop_takers)

        thread = threading.Thread(target=play, daemon=True)
        for client in self.clients:
            client.connect()
        self.watch(self.history.clock())
        self.history.add("begin")
        thread.start()
        self.loop.start()
        thread.join()
        if failure:
            raise failure[0]
        self.drain()
        return judge(self.history.events, self.routes)

    def watch(self, expected):
        """Patience of the clients, and whether this process itself is in time."""
        now = self.history.clock()
        self.stall = max(self.stall, now - expected)
        for client in self.clients:
            client.check_patience()
        self.loop.call_later(0.05, lambda: self.watch(now + 0.05))

    def stop_takers(self):
        for client in self.takers + self.declarers:
            client.stop()
        self.loop.call_later(BEHIND, self.stop_publishers)

    def stop_publishers(self):
        self.history.add("end")
        for client in self.publishers:
            client.fresh = False
        self.await_confirms(self.history.clock() + SETTLE_SECONDS)

    def await_confirms(self, deadline):
        if self.history.clock() < deadline and not all(client.is_idle for client in self.publishers):
            self.loop.call_later(0.05, lambda: self.await_confirms(deadline))
            return
        for client in self.publishers:
            client.stop()
        self.loop.call_later(0.2, self.loop.stop)

    # --- before and after ----------------------------------------------------------------------------------------

    def connect(self, node):
        return pika.BlockingConnection(parameters(node))

    def attempt(self, what, seconds, deed):
        """deed(node), at one node after the other until it works."""
        deadline = time.monotonic() + seconds
        for turn in range(10**9):
            try:
                return deed(self.nodes[turn % len(self.nodes)])
            except LOST as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not within {seconds:g} s: {what}: {error!r}") from error
                threading.Event().wait(0.2)

    def prepare(self):
        def declare(node):
            connection = self.connect(node)
            channel = connection.channel()
            channel.exchange_declare(DIRECT, "direct", durable=True)
            channel.exchange_declare(declarer.EXCHANGE, "direct", durable=True)
            channel.exchange_declare(self.fanout, "fanout", durable=True)
            for queue in self.queues:
                arguments = {"x-queue-type": "quorum"} if queue in self.quorum else None
                channel.queue_declare(queue, durable=True, arguments=arguments)
                channel.queue_bind(queue, DIRECT, queue)
                if queue in self.fanned:
                    channel.queue_bind(queue, self.fanout)
            channel.queue_declare(f"{self.prefix}.anchor", durable=True, arguments={"x-queue-type": "quorum"})
            connection.close()

        self.attempt("queues declared", 60, declare)

    def drain(self):
        """Empties every queue with basic.get until all that was confirmed has come, and each node says that nothing is
        left. A consumer that went with its connection may have held something that comes back only now."""
        began = time.monotonic()
        deadline = began + DRAIN_SECONDS
        self.drained = {node[0]: 0 for node in self.nodes}
        turns = itertools.cycle(self.nodes)
        while True:
            for queue in self.queues:
                self.drain_queue(queue, turns, deadline)
            left = [(queue, node[0], self.count_left(node, queue)) for queue in self.queues for node in self.nodes]
            is_whole = not any(count for _, _, count in left) and not lost(self.history.events, self.routes)
            if is_whole or time.monotonic() > deadline:
                break
            threading.Event().wait(0.2)
        self.drained_within = time.monotonic() - began
        for queue, node, count in left:
            self.history.add("left", "drain", node, subject=queue, detail=count)
        self.attempt("queues removed", 30, self.remove)

    def drain_queue(self, queue, turns, deadline):
        """A few messages from each node in turn, until one after the other has seen it empty."""
        empty = 0  # nodes in a row that did
        while empty < len(self.nodes) and time.monotonic() < deadline:
            node = next(turns)
            count = self.drain_some(node, queue)
            empty = empty + 1 if count == 0 else 0
            self.drained[node[0]] += count or 0

    def drain_some(self, node, queue):
        """How many were taken; None if the node could not be asked."""
        channel_id = f"drain/{node[0]}/{len(self.history.events)}"
        count = 0
        try:
            connection = self.connect(node)
            channel = connection.channel()
            for _ in range(DRAIN_TURN):
                method, properties, body = channel.basic_get(queue)
                if method is None:
                    break
                detail = [method.redelivered, (properties.headers or {}).get("x-delivery-count")]
                self.history.add("deliver", "drain", node[0], channel_id, queue, decode(body), detail)
                channel.basic_ack(method.delivery_tag)
                self.history.add("ack", "drain", node[0], channel_id, queue, decode(body))
                count += 1
            self.history.add("closed", "drain", node[0], channel_id)
            connection.close()
            return count
        except LOST as error:
            self.history.add("lost", "drain", node[0], channel_id, detail=repr(error))
            threading.Event().wait(0.2)
            return count or None

    def count_left(self, node, queue):
        """What the node says of it, or why it does not."""
        try:
            connection = self.connect(node)
            count = connection.channel().queue_declare(queue, passive=True).method.message_count
            connection.close()
            return count
        except LOST as error:
            return repr(error)

    def remove(self, node):
        connection = self.connect(node)
        touched = set().union(*(client.touched for client in self.declarers))
        declarer.remove(connection, self.queues + [f"{self.prefix}.anchor"] + sorted(touched))
        connection.channel().exchange_delete(self.fanout)
        connection.close()

    # --- words ---------------------------------------------------------------------------------------------------

    def save(self, path):
        self.history.save(path)
        with open(path + ".routes", "w") as file:
            json.dump(self.routes, file)

    def confirms_so_far(self):
        return sum(event.kind == "confirm" for event in list(self.history.events))

    def lines(self, verdict):
        counts = ", ".join(f"{node} {count}" for node, count in self.drained.items())
        drained = [f"drained from {counts}, within {self.drained_within:.1f} s"]
        stall = [f"(this test itself stood still for up to {self.stall:.2f} s)"] if self.stall > 0.3 else []
        return verdict.lines()[:-1] + drained + stall + verdict.lines()[-1:]


def parse_nodes(text):
    nodes = []
    for word in text.split(","):
        name, _, address = word.rpartition("=")
        host, port = address.rsplit(":", 1)
        nodes.append((name or address, host, int(port)))
    return nodes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="n1=127.0.0.1:5672", type=parse_nodes)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=300, help="publications a second, altogether")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--history", help="write every event to this file")
    parser.add_argument("--no-classic", action="store_true", help="quorum queues only")
    options = parser.parse_args()
    workload = Workload(options.nodes, options.rate, options.seed, classic=not options.no_classic)
    verdict = workload.run(lambda: threading.Event().wait(options.seconds))
    if options.history:
        workload.save(options.history)
    print("\n".join(workload.lines(verdict)))
    return 0 if verdict.kept() else 1


if __name__ == "__main__":
    sys.exit(main())
