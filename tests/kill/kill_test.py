#!/usr/bin/python3
"""kill -9, restart, and account for every message.

Publishers with confirms and consumers with acks work on durable queues while the broker is killed
at random moments and started again on the same data directory. Nothing confirmed may be lost,
nothing whose ack was settled may come again; see ledger.py for each promise. The seed decides when
the broker dies and which messages are acked how.

    kill_test.py --rounds 10            the test
    kill_test.py --fill 5000000 --size 1024
                                        a backlog instead: fill, kill, restart, drain in order;
                                        reports memory and disk
"""

import argparse
import os
import random
import struct
import sys
import tempfile
import threading
import time
from collections import deque

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from ledger import Ledger  # noqa: E402
from support import wire  # noqa: E402
from support.broker import Broker, wait_until  # noqa: E402
from support.wire import Closed, Wire  # noqa: E402

PLAIN_QUEUES = ("kill.q1", "kill.q2", "kill.q3")
FANOUT = "kill.fanout"
FANOUT_QUEUES = ("kill.f1", "kill.f2")
TRANSIENT = "kill.transient"
WINDOW = 300  # unconfirmed messages of one publisher
DRAIN_SECONDS = 60
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
            try:
                connection = Wire("127.0.0.1", self.test.broker.port, timeout=10)
            except OSError:
                self.stopping.wait(0.02)  # the broker is down; asked again until it is back
                continue
            try:
                connection.open()
                connection.open_channel(1)
                self.work(connection)
            except LOST_CONNECTION as error:
                if self.test.broker_is_up.is_set() and not self.stopping.is_set():
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
    """Acks some at once, some in groups, and hands some back. Now and then it settles its acks: a marker
    published with confirm on the same channel, into the same queue, behind them."""

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
        held = deque()  # (delivery tag, message), unacked
        acked, markers, sequence, group = [], deque(), 0, 20
        pending = None
        while not self.stopping.is_set():
            try:
                kind, _, payload = connection.read_frame(0.2)
            except TimeoutError:
                # Nothing comes any more: let go of what we hold, so that a queue can become empty.
                acked += self.ack_all(connection, held)
                continue
            if kind == wire.METHOD:
                name = struct.unpack_from(">HH", payload)
                if name == wire.BASIC_DELIVER:
                    _, at = wire.read_short(payload, 4)
                    pending = struct.unpack_from(">QB", payload, at)
                elif name == wire.BASIC_ACK:
                    tag, multiple = struct.unpack_from(">QB", payload, 4)
                    while markers and markers[0][0] <= tag:
                        _, number, settled = markers.popleft()
                        self.ledger.on_confirmed(self.name, [number])
                        self.ledger.on_settled(self.queue, settled)
                elif name in (wire.CONNECTION_CLOSE, wire.CHANNEL_CLOSE):
                    raise RuntimeError(f"closed: {payload[6:]!r}")
            elif kind == wire.BODY and pending:
                tag, redelivered = pending
                pending = None
                publisher, number, _ = bytes(payload).split(b" ", 2)
                message = (publisher.decode(), int(number))
                self.ledger.on_delivered(self.queue, *message, bool(redelivered))
                held.append((tag, message))
            if len(held) >= group:
                group = self.chance.randint(1, 60)
                acked += self.ack_some(connection, held)
                if len(acked) > 100 and len(markers) < 2 and not self.test.draining.is_set():
                    sequence += 1
                    self.marker += 1
                    markers.append((sequence, self.marker, acked))
                    acked = []
                    self.ledger.on_sent(self.name, 1)
                    body = b"%s %d " % (self.name.encode(), self.marker)
                    connection.send(wire.publish(1, "", self.queue, body))

    def ack_some(self, connection, held):
        """Acks a random prefix by `multiple`, or single messages with holes between; returns what is acked."""
        if self.chance.random() < 0.5:
            done = [held.popleft() for _ in range(self.chance.randint(1, len(held)))]
            connection.send(wire.basic_ack(1, done[-1][0], multiple=True))
        else:
            done = [entry for entry in held if self.chance.random() < 0.7]
            gone = {tag for tag, _ in done}
            left = [entry for entry in held if entry[0] not in gone]
            held.clear()
            held.extend(left)
            connection.send(b"".join(wire.basic_ack(1, tag) for tag, _ in done))
        return [message for _, message in done]

    def ack_all(self, connection, held):
        if not held:
            return []
        connection.send(wire.basic_ack(1, held[-1][0], multiple=True))
        done = [message for _, message in held]
        held.clear()
        return done


class KillTest:
    def __init__(self, options, broker):
        self.options, self.broker = options, broker
        self.ledger = Ledger()
        self.broker_is_up = threading.Event()
        self.draining = threading.Event()
        self.chance = random.Random(options.seed)

    def declare(self):
        admin = self.admin()
        exchange = b"\0\0" + wire.short(FANOUT) + wire.short("fanout") + b"\x02" + wire.table({})
        admin.call(wire.method(1, wire.EXCHANGE_DECLARE, exchange), wire.EXCHANGE_DECLARE_OK)
        for queue in PLAIN_QUEUES + FANOUT_QUEUES:
            admin.declare(1, queue, durable=True)
        for queue in FANOUT_QUEUES:
            bind = b"\0\0" + wire.short(queue) + wire.short(FANOUT) + wire.short("") + b"\0" + wire.table({})
            admin.call(wire.method(1, wire.QUEUE_BIND, bind), wire.QUEUE_BIND_OK)
        admin.declare(1, TRANSIENT)
        admin.close()

    def admin(self):
        connection = Wire("127.0.0.1", self.broker.port).open()
        connection.open_channel(1)
        return connection

    def expect_durable_things(self):
        """After a restart the durable queues are there and the transient one is not."""
        admin = self.admin()
        for queue in PLAIN_QUEUES + FANOUT_QUEUES:
            admin.declare(1, queue, passive=True)
        admin.send(wire.queue_declare(1, TRANSIENT, passive=True))
        close = admin.expect_close()
        if close.code != 404:
            raise AssertionError(f"the transient queue survived: {close}")
        admin.drop()

    def workers(self):
        seeds = iter(range(self.options.seed, self.options.seed + 100))
        consumers = [Consumer(self, queue, next(seeds)) for queue in PLAIN_QUEUES + FANOUT_QUEUES]
        publishers = [Publisher(self, f"p.{queue}", "", queue, [queue], next(seeds)) for queue in PLAIN_QUEUES]
        publishers.append(Publisher(self, "p.second", "", PLAIN_QUEUES[0], [PLAIN_QUEUES[0]], next(seeds)))
        publishers.append(Publisher(self, "p.fanout", FANOUT, "", FANOUT_QUEUES, next(seeds)))
        return publishers, consumers

    def run(self):
        self.broker.start()
        self.declare()
        publishers, consumers = self.workers()
        self.broker_is_up.set()
        for worker in publishers + consumers:
            worker.start()
        restart_slowest = 0.0
        for number in range(1, self.options.rounds + 1):
            alive_for = self.chance.uniform(*self.options.alive)
            confirmed_before = self.confirmed()
            threading.Event().wait(alive_for)  # not a wait for something: the moment of death
            self.broker_is_up.clear()
            self.broker.kill()
            started = time.monotonic()
            self.broker.start()
            took = time.monotonic() - started
            restart_slowest = max(restart_slowest, took)
            self.expect_durable_things()
            self.admin_declares_transient()
            self.broker_is_up.set()
            print(
                f"round {number}: killed after {alive_for:.2f} s, {self.confirmed() - confirmed_before} confirmed, "
                f"back in {took:.2f} s",
                flush=True,
            )
        self.drain(publishers, consumers)
        failures = [worker.failure for worker in publishers + consumers if worker.failure]
        return failures, restart_slowest

    def admin_declares_transient(self):
        admin = self.admin()
        admin.declare(1, TRANSIENT)
        admin.close()

    def confirmed(self):
        with self.ledger.lock:
            return sum(map(len, self.ledger.confirmed.values()))

    def drain(self, publishers, consumers):
        for worker in publishers:
            worker.stopping.set()
        for worker in publishers:
            worker.join(30)
        self.draining.set()
        try:
            wait_until(lambda: not self.ledger.missing(), DRAIN_SECONDS, "every confirmed message")
            wait_until(self.queues_are_empty, DRAIN_SECONDS, "empty queues")
        except TimeoutError as late:
            print(f"drain: {late}")
        for worker in consumers:
            worker.stopping.set()
        for worker in consumers:
            worker.join(10)
        self.ledger.close()

    def queues_are_empty(self):
        admin = self.admin()
        counts = [admin.declare(1, queue, passive=True)[1] for queue in PLAIN_QUEUES + FANOUT_QUEUES]
        admin.close()
        return not any(counts)


def run_kill_test(options, broker):
    test = KillTest(options, broker)
    failures, restart_slowest = test.run()
    for label, count in test.ledger.table():
        print(f"{label:>30}  {count}")
    print(f"{'slowest restart':>30}  {restart_slowest:.2f} s")
    for promise, examples in test.ledger.broken.items():
        for example in examples[:5]:
            print(f"{promise}: {example}")
    for failure in failures:
        print(f"failure: {failure}")
    return test.ledger.kept() and not failures


# -- a backlog ---------------------------------------------------------------------------------

BACKLOG = "kill.backlog"
FILL_WINDOW = 5000


def megabytes(count):
    return f"{count / 1e6:.0f} MB"


def fill(connection, count, size):
    """Publishes `count` persistent messages, each beginning with its number, and sees all confirmed."""
    connection.confirm_select()
    padding = bytes(max(size - 8, 0))
    head = wire.method(1, wire.BASIC_PUBLISH, b"\0\0" + wire.short("") + wire.short(BACKLOG) + b"\0")
    head += wire.frame(wire.HEADER, 1, struct.pack(">HHQHB", 60, 0, 8 + len(padding), 0x1000, 2))
    head += struct.pack(">BHI", wire.BODY, 1, 8 + len(padding))
    tail = padding + wire.FRAME_END
    sent = confirmed = 0
    singles = set()
    while confirmed < count:
        step = min(FILL_WINDOW - (sent - confirmed), count - sent, 500)
        if step > 0:
            connection.send(b"".join(head + struct.pack(">Q", sent + n) + tail for n in range(step)))
            sent += step
        if sent - confirmed >= FILL_WINDOW - 500 or sent == count:
            _, name, arguments = connection.read_method(60)
            if name != wire.BASIC_ACK:
                raise AssertionError(f"expected basic.ack, got {name} {arguments!r}")
            tag, multiple = struct.unpack(">QB", arguments)
            if multiple:
                confirmed = max(confirmed, tag)
            else:
                singles.add(tag)
            while confirmed + 1 in singles:
                singles.discard(confirmed + 1)
                confirmed += 1


def drain_in_order(connection, count):
    """Consumes `count` messages and checks that number follows number."""
    connection.call(wire.method(1, wire.BASIC_QOS, struct.pack(">IHB", 0, 2000, 0)), wire.BASIC_QOS_OK)
    connection.call(wire.basic_consume(1, BACKLOG, "d"), wire.BASIC_CONSUME_OK)
    expected, tag = 0, 0
    while expected < count:
        kind, _, payload = connection.read_frame(60)
        if kind == wire.METHOD and payload[:4] == struct.pack(">HH", *wire.BASIC_DELIVER):
            _, at = wire.read_short(payload, 4)
            (tag,) = struct.unpack_from(">Q", payload, at)
        elif kind == wire.BODY:
            (number,) = struct.unpack_from(">Q", payload)
            if number != expected:
                raise AssertionError(f"message {number} came where {expected} was due")
            expected += 1
            if expected % 500 == 0 or expected == count:
                connection.send(wire.basic_ack(1, tag, multiple=True))


def run_backlog(options, broker):
    broker.start()
    disk_empty = broker.disk_bytes()

    def session():
        connection = Wire("127.0.0.1", broker.port, timeout=60).open()
        connection.open_channel(1)
        return connection

    publisher = session()
    publisher.declare(1, BACKLOG, durable=True)
    started = time.monotonic()
    fill(publisher, options.fill, options.size)
    filled = time.monotonic() - started
    publisher.drop()
    rss_fill, disk_full = broker.peak_rss_kib(), broker.disk_bytes()
    broker.kill()
    started = time.monotonic()
    broker.start(seconds=600)
    restarted = time.monotonic() - started
    consumer = session()
    ready = consumer.declare(1, BACKLOG, passive=True)[1]
    started = time.monotonic()
    drain_in_order(consumer, options.fill)
    drained = time.monotonic() - started
    empty = wait_until(lambda: consumer.declare(1, BACKLOG, passive=True)[1] == 0, 30, "an empty queue")
    rss_drain, disk_drained = broker.peak_rss_kib(), broker.disk_bytes()
    try:
        wait_until(lambda: broker.disk_bytes() < disk_full * 0.2, options.settle, "disk space returns")
    except TimeoutError:
        pass
    disk_settled = broker.disk_bytes()
    code = broker.stop()
    rows = [
        ("messages", f"{options.fill} of {options.size} bytes = {megabytes(options.fill * options.size)}"),
        ("confirmed", f"in {filled:.1f} s, {options.fill / filled:.0f}/s"),
        ("after kill -9 and restart", f"{ready} ready, back in {restarted:.1f} s"),
        ("drained in order", f"in {drained:.1f} s, {options.fill / drained:.0f}/s"),
        ("peak memory, filling", f"{rss_fill / 1024:.0f} MiB"),
        ("peak memory, restart and drain", f"{rss_drain / 1024:.0f} MiB"),
        ("disk: empty, full", f"{megabytes(disk_empty)}, {megabytes(disk_full)}"),
        ("disk: drained, settled", f"{megabytes(disk_drained)}, {megabytes(disk_settled)}"),
        ("SIGTERM", f"exit code {code}"),
    ]
    for label, value in rows:
        print(f"{label:>30}  {value}")
    within = max(rss_fill, rss_drain) < options.rss_max_mib * 1024
    if not within:
        print(f"failure: more than {options.rss_max_mib} MiB of memory")
    return bool(empty) and within and ready == options.fill and code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--alive", type=float, nargs=2, default=(0.2, 2.5), metavar=("MIN", "MAX"), help="seconds of life")
    parser.add_argument("--command", help="how to start the broker, with {port} and {data}; default: QUORATE_BIN")
    parser.add_argument("--keep", metavar="DIR", help="keep data and log here instead of a temporary folder")
    parser.add_argument("--fill", type=int, metavar="N", help="the backlog check with N messages")
    parser.add_argument("--size", type=int, default=1024, metavar="B", help="with --fill: bytes of a body, at least 8")
    parser.add_argument("--settle", type=float, default=30, help="with --fill: seconds given to compaction")
    parser.add_argument("--rss-max-mib", type=int, default=1024, help="with --fill: the limit of memory")
    options = parser.parse_args()
    print(f"rerun: {sys.argv[0]} --seed {options.seed} --rounds {options.rounds}", flush=True)

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quorate-kill-") as folder:
        broker = Broker(options.keep or folder, options.command)
        try:
            good = run_backlog(options, broker) if options.fill else run_kill_test(options, broker)
        except Exception:
            print(broker.log_tail(40))
            raise
        finally:
            if broker.alive():
                broker.kill()
    print(f"{'passed' if good else 'FAILED'} in {time.monotonic() - started:.0f} s")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
