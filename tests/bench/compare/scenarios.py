"""The standard scenarios that both brokers are put through, as a table: docs/PERFORMANCE.md tells where they are from.

A group is one start of each broker; its rows are measured one after the other, in this order, once a round. Sizes and
counts are those of the field's own runs, except where they are scaled to two cores: S4's, S6's and S13's rates.
"""

from dataclasses import dataclass, field

import holding
import measure as by
import striking
from brokers import RabbitMQ
from outcome import Aim, Floor

QUORUM = {"x-queue-type": "quorum"}
CLASSIC = "-ad false -f persistent"  # a durable classic queue, persistent messages
FASTER_5 = Aim("rate", "RabbitMQ", "≥", 5)
FASTER_10 = Aim("rate", "RabbitMQ", "≥", 10)
THIRD_OF_P99 = Aim("confirm_p99", "RabbitMQ", "≤", 1 / 3)


@dataclass(frozen=True)
class Row:
    title: str
    measure: object  # of measure.py
    aims: tuple = ()
    judged: tuple = ()  # figures printed with ratios, besides those that have an aim; the rate when there are none
    floor: object = None

    def figures(self):
        found = dict.fromkeys([*(aim.figure for aim in self.aims), *self.judged])
        return list(found) or ["rate"]


@dataclass(frozen=True)
class Group:
    scenario: str  # S1…
    nodes: int
    rows: tuple
    rabbit: dict = field(default_factory=dict)  # options of brokers.RabbitMQ
    rounds_max: int = 100  # fewer for what takes minutes


def synced(size, batch=3000):
    """Durable messages cannot come faster than one file takes them in batches of what is unconfirmed."""
    return Floor("rate", "append", "rate", size, batch)


ONE_SYNC = Floor("confirm_p50", "append", "p50_us", 100, 1)


def sent(size):
    return Floor("rate", "stream", "rate", size)


def one_fast(size, **more):
    words = f"-x 1 -y 1 -c 3000 -qa x-max-length=5000000 -s {size} {CLASSIC} -u s1"
    return by.load(words, **more)


def blog(words, size):
    return by.load(f"-x 2 -y 2 -c 3000 -A 3000 -q 3000 -s {size} {words} -u s2")


def fixed_rate(words, rate):
    return by.load(f"-x 1 -y 1 -r {rate} -c 3000 -A 3000 -q 3000 -s 1000 {words} -u s4")


def one_by_one(words):
    return by.load(f"-x 1 -y 1 -c 1 -s 100 {words} -u s5")


def many_queues(words, queues):
    words = f"-x {queues} -y {queues} -r 10 -c 10 -A 100 -q 100 -qp s13-%d -qpf 1 -qpt {queues} -s 1000 {words}"
    return by.load(words)


def sweep(words):
    return by.load(f"-x 1 -y 1 -s 1000 --quorum-queue -u s14 {words}", seconds=0.5)


def fill(words, size, count):
    return by.load(f"-x 2 -y 0 -c 3000 -C {{half}} -s {size} {words} -u s9", counts=count, keeps=True)


def drain(words, count):
    return by.load(f"-x 0 -y 1 -A 3000 -q 3000 -D {{count}} -p {words} -u s9", counts=count)


def backlog(what, words, size, count):
    aims = (Aim("rate", "RabbitMQ", "≥", 4),)
    return (
        Row(f"{what}, {count:,} of {size:,} B: fill", fill(words, size, count), aims, ("memory",), synced(size)),
        Row(f"{what}, {count:,} of {size:,} B: drain", drain(words, count), aims),
    )


S1_SIZES = (12, 100, 1000, 5000)
S2_SIZES = (12, 100, 1000, 5000)

GROUPS = (
    Group("S1", 1, (
        *(Row(f"durable classic, {size} B, confirms", one_fast(size), (FASTER_5,), floor=synced(size))
          for size in S1_SIZES),
        Row("durable classic, 100 B, against classic queues version 2", one_fast(100, theirs="-qa x-queue-version=2")),
    )),
    Group("S1", 1, (Row("durable classic, 100 B, against RabbitMQ without credit flow", one_fast(100)),),
          rabbit={"advanced": RabbitMQ.NO_CREDIT_FLOW}),
    Group("S2", 1, (
        Row("durable classic, 2 publishers and consumers, 1000 B", blog(CLASSIC, 1000), floor=synced(1000)),
        Row("quorum, 1000 B", blog("--quorum-queue", 1000), floor=synced(1000)),
    )),
    Group("S2", 3, tuple(
        Row(f"quorum, {size} B", blog("--quorum-queue", size), (FASTER_5,), floor=synced(size))
        for size in S2_SIZES
    )),
    Group("S2", 3, (Row("quorum, 1000 B, against RabbitMQ without credit flow", blog("--quorum-queue", 1000)),),
          rabbit={"advanced": RabbitMQ.NO_CREDIT_FLOW}),
    Group("S3", 1, tuple(
        Row(f"transient classic, {size} B, no confirms, auto-ack",
            by.load(f"-x 1 -y 1 -a -ad false -s {size} -u s3"),
            (Aim("per_cpu_second", "RabbitMQ", "≥", 10),), ("rate",), sent(size))
        for size in (16, 1024)
    )),
    Group("S4", 1, (Row("durable classic, 5,000/s", fixed_rate(CLASSIC, 5000), judged=("confirm_p99",)),)),
    Group("S4", 3, tuple(
        Row(f"quorum, {rate:,}/s", fixed_rate("--quorum-queue", rate), (THIRD_OF_P99,), ("confirm_p99",))
        for rate in (1000, 2000, 5000)
    )),
    Group("S5", 1, (
        Row("synchronous publisher, durable classic, 100 B", one_by_one(CLASSIC),
            (Aim("confirm_p50", "floor", "≤", 1.5),), floor=ONE_SYNC),
        Row("synchronous publisher, quorum, 100 B", one_by_one("--quorum-queue"), (), ("confirm_p50",), ONE_SYNC),
    )),
    Group("S5", 3, (
        Row("synchronous publisher, quorum, 100 B", one_by_one("--quorum-queue"), (), ("confirm_p50",), ONE_SYNC),
    )),
    Group("S6", 1, (
        Row("five queues, 5 × 2,000/s, durable classic", by.load(
            f"-x 5 -y 5 -r 2000 -c 500 -qp s6-%d -qpf 1 -qpt 5 -qa x-max-length=1000000 -s 100 {CLASSIC}"
        ), judged=("cpu_us", "confirm_p99")),
    ), rounds_max=2),
    Group("S6", 3, (
        Row("five queues, 5 × 2,000/s, quorum", by.load(
            "-x 5 -y 5 -r 2000 -c 500 -qp s6-%d -qpf 1 -qpt 5 -qa x-max-length=1000000 -s 100 --quorum-queue"
        ), judged=("cpu_us", "confirm_p99")),
    ), rounds_max=2),
    Group("S7", 1, (
        Row("fanout to 10 queues, 12 B", by.load(
            "-x 1 -y 10 -c 100 -e amq.fanout -t fanout -qp s7-%d -qpf 1 -qpt 10 -s 12 -ad false"
        )),
        Row("fanout to 600 queues, 3000 B", by.load(
            "-x 1 -y 600 -c 200 -q 500 -e amq.fanout -t fanout -qp s7w-%d -qpf 1 -qpt 600 -s 3000 -ad false"
        )),
    ), rounds_max=2),
    Group("S9", 1, backlog("quorum", "--quorum-queue", 12, 5_000_000), rounds_max=2),
    Group("S9", 1, backlog("quorum", "--quorum-queue", 1000, 1_000_000), rounds_max=2),
    Group("S9", 1, backlog("durable classic", CLASSIC, 1000, 1_000_000), rounds_max=2),
    Group("S13", 3, (
        Row("500 queues × 10/s, quorum", many_queues("--quorum-queue", 500),
            (Aim("cpu_us", "RabbitMQ", "≤", 1 / 5), THIRD_OF_P99)),
    ), rounds_max=2),
    Group("S13", 1, (
        Row("500 queues × 10/s, quorum", many_queues("--quorum-queue", 500),
            (Aim("cpu_us", "RabbitMQ", "≤", 1 / 5), THIRD_OF_P99)),
        Row("500 queues × 10/s, durable classic", many_queues(CLASSIC, 500), judged=("cpu_us", "confirm_p99")),
    ), rounds_max=1),
    Group("S14", 3, (
        *(Row(f"quorum, 1000 B, -c {count}", sweep(f"-q 1000 -c {count}")) for count in (1, 20, 200, 10_000)),
        *(Row(f"quorum, 1000 B, -q {count}", sweep(f"-c 1000 -q {count}")) for count in (1, 10, 100)),
        *(Row(f"quorum, 1000 B, -A {count}", sweep(f"-c 1000 -q 1000 -A {count}")) for count in (10, 500)),
        Row("quorum, 1000 B, auto-ack", sweep("-c 1000 -a")),
    ), rounds_max=1),
    Group("S15", 1, (
        Row("expired after 1 s and dead-lettered, durable classic", by.dead_letters({})),
        Row("expired after 1 s and dead-lettered, quorum", by.dead_letters(QUORUM)),
        Row("the last, at-least-once", by.dead_letters(
            QUORUM | {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"})),
    ), rounds_max=1),
    Group("S18", 1, (
        *(Row(f"churn of {kind}", by.churn(kind), (FASTER_10,)) for kind in ("connections", "channels")),
        *(Row(f"churn of durable {kind}", by.churn(kind, CLASSIC), (FASTER_10,)) for kind in ("queues", "bindings")),
        *(Row(f"churn of transient {kind}", by.churn(kind), (FASTER_10,)) for kind in ("queues", "bindings")),
        Row("durable classic queues declared on one connection", by.bulk(10_000), (FASTER_10,)),
        Row("durable classic queues declared on 16 connections", by.bulk(10_000, connections=16), (FASTER_10,)),
        Row("bindings on 16 connections", by.bulk(1000, bindings=100, connections=16), (FASTER_10,)),
    ), rounds_max=2),
    Group("S18", 3, (
        Row("quorum queues declared on 16 connections", by.bulk(3000, QUORUM, connections=16), (FASTER_10,)),
    ), rounds_max=2),
    Group("S19", 3, (
        Row("leader frozen for 10 s", striking.failover(freezes=True), judged=("gap",)),
        Row("leader killed", striking.failover(freezes=False), judged=("gap",)),
    ), rounds_max=2),
    Group("S19", 1, (
        Row("killed and started with 2,000,000 messages of 100 B, quorum", striking.recovery(
            2_000_000, "-x 1 -y 0 -c 3000 -C {count} -s 100 --quorum-queue -u s19"), judged=("first_delivery",)),
    ), rounds_max=1),
    Group("S20", 1, (
        Row("10,000 idle connections, two channels each", holding.idle_connections(10_000, 2),
            (Aim("memory_each", "nothing", "≤", 20),), ("cpu_share",)),
    ), rounds_max=1),
    Group("S20", 3, (
        Row("10,000 idle quorum queues", holding.idle_queues(10_000, QUORUM),
            (Aim("cpu_share", "nothing", "≤", 5),), ("memory_each", "rate")),
    ), rounds_max=1),
    Group("S20", 1, (
        Row("a page of 100 of 10,000 queues", holding.answered("/api/queues?page=1&page_size=100", 10_000),
            judged=("answer",)),
        Row("overview with 10,000 queues", holding.answered("/api/overview", 10_000), judged=("answer",)),
    ), rabbit={"plugins": ("rabbitmq_management",)}, rounds_max=1),
    Group("S20", 1, (
        Row("stream, 100 B, publish and read over AMQP", by.load(
            "-x 1 -y 1 -c 3000 -q 200 -s 100 --stream-queue -sco next -u s20")),
        Row("MQTT", by.unmeasured("not spoken by Quorate, nor by its generator")),
    ), rounds_max=1),
)


def chosen(names):
    """The groups of these scenarios, all without names."""
    unknown = set(names) - {group.scenario for group in GROUPS}
    if unknown:
        raise ValueError(f"no such scenario: {', '.join(sorted(unknown))}")
    return [group for group in GROUPS if not names or group.scenario in names]
