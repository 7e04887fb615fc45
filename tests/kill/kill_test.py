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
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from backlog import run_backlog  # noqa: E402
from ledger import Ledger  # noqa: E402
from support import wire  # noqa: E402
from support.broker import HOST, Broker, wait_until  # noqa: E402
from support.wire import Wire  # noqa: E402
from workers import Consumer, Publisher  # noqa: E402

PLAIN_QUEUES = ("kill.q1", "kill.q2", "kill.q3")
FANOUT = "kill.fanout"
FANOUT_QUEUES = ("kill.f1", "kill.f2")
TRANSIENT = "kill.transient"
DRAIN_SECONDS = 60


class KillTest:
    def __init__(self, options, broker):
        self.options, self.broker = options, broker
        self.ledger = Ledger()
        self.broker_is_up = threading.Event()
        self.life = 1  # of the broker; counted up while none runs
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
        connection = Wire(HOST, self.broker.port).open()
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
            self.life += 1
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
    with (
        tempfile.TemporaryDirectory(prefix="quorate-kill-") as folder,
        Broker(options.keep or folder, options.command) as broker,
    ):
        try:
            good = run_backlog(options, broker) if options.fill else run_kill_test(options, broker)
        except Exception:
            print(broker.log_tail(40))
            raise
    print(f"{'passed' if good else 'FAILED'} in {time.monotonic() - started:.0f} s")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
