"""A backlog: fill a queue, kill the broker, start it again, drain the queue in order; what that takes."""

import struct
import time

from support import wire
from support.broker import HOST, wait_until
from support.wire import Wire

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
        connection = Wire(HOST, broker.port, timeout=60).open()
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
