"""Bad clients: those that do not read, and very many of them."""

import struct
from contextlib import contextmanager

from bad_stage import case
from support import wire
from support.scenarios import check
from support.wire import Closed


@case
def consumer_that_never_reads(stage):
    """100 MB for a consumer whose socket is full: they wait in the queue, not in the connection."""
    owner = stage.channel()
    owner.declare(1, "interop.bad.unread", durable=True)
    deaf = stage.channel(receive_buffer=4096)
    deaf.call(wire.basic_consume(1, "interop.bad.unread", "deaf", no_ack=True), wire.BASIC_CONSUME_OK)
    before = stage.rss_mib() if stage.pid else 0
    owner.confirm_select()
    body, confirmed, peak, slowest = bytes(65536), 0, before, 0.0
    for number in range(1, 1601):
        owner.send(wire.publish(1, "", "interop.bad.unread", body))
        while number - confirmed >= 50:
            tag, multiple = struct.unpack(">QB", owner.expect(wire.BASIC_ACK, 30))
            confirmed = tag if multiple else confirmed + 1
        if number % 100 == 0:
            slowest = max(slowest, stage.round_trip())
            peak = max(peak, stage.rss_mib()) if stage.pid else 0
    deaf.drop()
    owner.delete_queue(1, "interop.bad.unread")
    check(slowest < 5, f"another client waited {slowest:.1f} s")
    if stage.pid:
        check(peak - before < 200, f"the broker grew by {peak - before:.0f} MiB")
        return f"the broker grew by {peak - before:.0f} MiB, others waited at most {slowest * 1000:.0f} ms"
    return f"others waited at most {slowest * 1000:.0f} ms"


@case
def client_that_never_reads_its_replies(stage):
    """Pipelined requests without reading one answer: the server stops reading, and does not hoard answers."""
    if stage.is_rabbitmq_3():  # it hoards them
        return None
    before = stage.rss_mib() if stage.pid else 0
    deaf = stage.channel(receive_buffer=4096)
    deaf.timeout = 1
    qos = wire.method(1, wire.BASIC_QOS, bytes(7)) * 10_000
    try:
        for _ in range(200):  # 2 million requests, if nobody stops us
            deaf.send(qos)
    except (TimeoutError, Closed):
        pass
    slowest = stage.round_trip()
    grown = stage.rss_mib() - before if stage.pid else 0
    deaf.drop()
    check(slowest < 5, f"another client waited {slowest:.1f} s")
    check(grown < 200, f"the broker grew by {grown:.0f} MiB")
    return f"the broker grew by {grown:.0f} MiB" if stage.pid else None


@contextmanager
def many(stage, count, what):
    """Opens `count` connections and reports what each costs the broker."""
    before = stage.rss_mib() if stage.pid else 0
    held = []
    try:
        for _ in range(count):
            held.append(what())
        waits = [stage.round_trip() for _ in range(5)]
        check(max(waits) < 5, f"another client waited {max(waits):.1f} s")
        grown = (stage.rss_mib() - before) * 1024 if stage.pid else 0
        yield held, grown / count, max(waits)
    finally:
        for connection in held:
            connection.drop()


def report(stage, cost, slowest):
    memory = f"{cost:.1f} KiB each, " if stage.pid else ""
    return f"{stage.options.connections} connections, {memory}others waited at most {slowest * 1000:.0f} ms"


@case
def silent_connections(stage):
    """Connections that never say a word."""
    with many(stage, stage.options.connections, stage.connect) as (_, cost, slowest):
        check(cost < 100, f"each costs {cost:.0f} KiB")
        return report(stage, cost, slowest)


@case
def idle_connections(stage):
    """Connections that said everything right, opened a channel and fell silent, without heartbeats."""
    with many(stage, stage.options.connections, stage.channel) as (held, cost, slowest):
        check(cost < 200, f"each costs {cost:.0f} KiB")
        for connection in (held[0], held[-1]):
            connection.declare(1, "", exclusive=True)
        return report(stage, cost, slowest)
