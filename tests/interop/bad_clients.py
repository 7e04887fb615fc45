#!/usr/bin/python3
"""Clients that break the rules, on raw sockets: each gets the reply code that RabbitMQ gives (or is
closed by a timeout), costs bounded memory, and disturbs no other client.

Starts its own brokers; with --url it uses a running one, and leaves out what cannot be seen from
outside (memory, unless --pid names the process, and the short handshake timeout). After each case
a well-behaved client works for a moment: that is the last check of every case.
"""

import argparse
import os
import random
import resource
import socket
import struct
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support import wire  # noqa: E402
from support.broker import Broker, process_status, wait_until  # noqa: E402
from support.scenarios import check  # noqa: E402
from support.wire import Closed, Wire  # noqa: E402

MIB = 1 << 20
HANDSHAKE_TIMEOUT_MS = 1000


class Stage:
    """What a case works with: the broker's address, its process if we may look at it, and options."""

    def __init__(self, options, url, pid, broker=None):
        self.options, self.pid, self.broker = options, pid, broker
        self.host, self.port, self.user, self.password, self.vhost = wire.parse_url(url)
        self.version = self.open().server_properties

    def connect(self, **kwargs):
        return Wire(self.host, self.port, **kwargs)

    def open(self, **kwargs):
        """A connection after its handshake."""
        heartbeat = kwargs.pop("heartbeat", 0)
        return self.connect(**kwargs).open(self.user, self.password, self.vhost, heartbeat=heartbeat)

    def channel(self, **kwargs):
        """A connection with channel 1 open."""
        connection = self.open(**kwargs)
        connection.open_channel(1)
        return connection

    def rss_mib(self):
        return process_status(self.pid, "VmRSS") / 1024

    def round_trip(self):
        """A well-behaved client: declare, publish, get. Returns the seconds it took."""
        started = time.monotonic()
        good = self.channel()
        queue, _, _ = good.declare(1, "", exclusive=True)
        good.send(wire.publish(1, "", queue, b"still here"))
        good.call(wire.method(1, wire.BASIC_GET, b"\0\0" + wire.short(queue) + b"\1"), wire.BASIC_GET_OK)
        good.close()
        return time.monotonic() - started

    def is_rabbitmq_3(self):
        """RabbitMQ 3 differs from 4, which we follow, in a few answers. It says `3.x` and names its Erlang."""
        return b"Erlang/OTP" in self.version and b"\x07versionS\x00\x00\x00\x063." in self.version


CASES = []


def case(function):
    CASES.append(function)
    return function


def expect_connection_close(connection, codes, text="", deadline=10.0):
    """connection.close with one of `codes`; answers it and sees the TCP connection end."""
    close = connection.expect_close(deadline)
    check(close.method == wire.CONNECTION_CLOSE, f"expected connection.close, got {close}")
    check(close.code in codes, f"expected {codes}, got {close.code} {close.text}")
    said = " ".join(close.text.split())  # Erlang breaks long terms into lines
    check(text in said, f"expected … {text} …, got {said}")
    try:
        connection.send(wire.method(0, wire.CONNECTION_CLOSE_OK))
    except Closed:
        pass
    connection.read_to_end(10)
    return close


def expect_end(connection, codes):
    """connection.close with one of `codes`, or the bare end of a connection that RabbitMQ's reader drops."""
    try:
        expect_connection_close(connection, codes)
    except Closed:
        pass


# -- the protocol header -----------------------------------------------------------------------


def refused_header(stage, first_bytes, wanted):
    connection = stage.connect()
    connection.send(first_bytes)
    answer = connection.read_to_end(10)
    check(answer in wanted, f"{first_bytes!r} was answered by {answer!r}, expected one of {wanted}")


OURS, ONE_ZERO = b"AMQP\x00\x00\x09\x01", b"AMQP\x03\x01\x00\x00"


@case
def p001_header_0_9_1(stage):
    connection = stage.connect()
    connection.send(OURS)
    check(connection.expect(wire.CONNECTION_START)[:2] == b"\x00\x09", "version of connection.start")


@case
def p002_header_0_9_is_taken_for_0_9_1(stage):
    connection = stage.connect()
    connection.send(b"AMQP\x01\x01\x00\x09")
    check(connection.expect(wire.CONNECTION_START)[:2] == b"\x00\x09", "version of connection.start")


@case
def p003_header_1_0(stage):
    """Until AMQP 1.0 is spoken here it is refused with the header of what is."""
    refused_header(stage, b"AMQP\x00\x01\x00\x00", [OURS, ONE_ZERO])


@case
def p004_header_of_another_0_9(stage):
    refused_header(stage, b"AMQP\x00\x00\x09\x02", [OURS])
    refused_header(stage, b"AMQP\x00\x00\x0a\x00", [OURS])


@case
def p004_header_0_8(stage):
    if stage.is_rabbitmq_3():  # it still spoke 0-8
        return
    refused_header(stage, b"AMQP\x01\x01\x08\x00", [ONE_ZERO])


@case
def p005_other_protocols(stage):
    wanted = [OURS] if stage.is_rabbitmq_3() else [ONE_ZERO]
    refused_header(stage, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", wanted)
    refused_header(stage, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), wanted)


# -- frames ------------------------------------------------------------------------------------


@case
def half_frame_then_gone(stage):
    declare = wire.queue_declare(1, "", exclusive=True)
    for cut in range(1, len(declare)):
        connection = stage.channel()
        connection.send(declare[:cut])
        connection.drop()


@case
def half_header_then_gone(stage):
    for cut in range(len(OURS)):
        connection = stage.connect()
        connection.send(OURS[:cut])
        connection.drop()


@case
def half_content_then_gone(stage):
    """The message that was begun is never seen."""
    connection, watcher = stage.channel(), stage.channel()
    queue, _, _ = watcher.declare(1, "", exclusive=True)
    whole = wire.publish(1, "", queue, b"x" * 100_000)
    connection.send(whole[:50_000])
    connection.drop()
    stage.round_trip()
    check(watcher.declare(1, queue, passive=True)[1] == 0, "a half message was queued")


@case
def frame_byte_by_byte(stage):
    """Slow, but right: the answer comes."""
    connection = stage.channel()
    for byte in wire.queue_declare(1, "", exclusive=True):
        connection.send(bytes([byte]))
    connection.expect(wire.QUEUE_DECLARE_OK)


@case
def oversized_frame(stage):
    """The header alone is enough to refuse it; the body is never waited for."""
    connection = stage.channel()
    size = connection.frame_max + 1
    connection.send(struct.pack(">BHI", wire.METHOD, 1, size))
    expect_connection_close(connection, [501], "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,%d," % size)


@case
def gigantic_frame(stage):
    connection = stage.channel()
    connection.send(struct.pack(">BHI", wire.BODY, 1, 0xFFFFFFFF))
    expect_connection_close(connection, [501], "FRAME_ERROR")


@case
def oversized_frame_before_tune(stage):
    connection = stage.connect()
    connection.start()
    connection.send(struct.pack(">BHI", wire.METHOD, 0, 1_000_000))
    rest = connection.read_to_end(15)
    check(len(rest) < 1000, "more than a close came back")


@case
def wrong_end_octet(stage):
    connection = stage.channel()
    connection.send(wire.queue_declare(1, "", exclusive=True)[:-1] + b"\x00")
    expect_connection_close(connection, [501], "{invalid_frame_end_marker, 0}" if stage.is_rabbitmq_3() else "{invalid_frame_end_marker,")


@case
def unknown_frame_type(stage):
    connection = stage.channel()
    connection.send(wire.frame(77, 1, b"what is this"))
    expect_connection_close(connection, [501], "unknown_frame")


@case
def heartbeat_on_a_channel(stage):
    connection = stage.channel()
    connection.send(wire.frame(wire.HEARTBEAT, 1, b""))
    expect_connection_close(connection, [501, 505])


@case
def garbage_table(stage):
    """Field tables that lie about their length, end in the middle or use types that do not exist."""
    name = b"\0\0" + wire.short("") + b"\x04"
    for arguments in (
        struct.pack(">I", 1000) + b"\x01xS",
        struct.pack(">I", 9) + b"\x01xS" + struct.pack(">I", 4_000_000_000) + b"ab",
        struct.pack(">I", 4) + b"\x01x?\x00",
        struct.pack(">I", 3) + b"\xffab",
        b"\x00",
        b"",
    ):
        connection = stage.channel()
        connection.send(wire.method(1, wire.QUEUE_DECLARE, name + arguments))
        expect_end(connection, [501, 502, 541])


@case
def deeply_nested_table(stage):
    """Twenty thousand tables within each other cost the sender something, and nobody else."""
    inner = b""
    for _ in range(20_000):
        if len(inner) > 100_000:
            break
        inner = b"\x01tF" + struct.pack(">I", len(inner)) + inner
    connection = stage.channel()
    connection.send(wire.method(1, wire.QUEUE_DECLARE, b"\0\0" + wire.short("") + b"\x04" + wire.long(inner)))
    try:
        connection.expect(wire.QUEUE_DECLARE_OK)
    except (wire.CloseMethod, Closed):
        pass


@case
def unknown_method(stage):
    for number in ((50, 99), (99, 10), (0xFFFF, 0xFFFF)):
        connection = stage.channel()
        connection.send(wire.method(1, number, b"whatever"))
        expect_end(connection, [501, 502, 503, 540, 541])


@case
def method_of_the_server(stage):
    """Replies are methods, but not a client's."""
    connection = stage.channel()
    connection.send(wire.method(1, wire.QUEUE_DECLARE_OK, wire.short("q") + bytes(8)))
    expect_connection_close(connection, [503], "COMMAND_INVALID - unimplemented method")


@case
def method_frame_of_two_bytes(stage):
    connection = stage.channel()
    connection.send(wire.frame(wire.METHOD, 1, b"\x00\x32"))
    expect_connection_close(connection, [501, 502, 541])


@case
def random_bytes(stage):
    """Whatever comes, before and after the handshake, ends the connection that sent it and nothing else."""
    chance = random.Random(stage.options.seed)
    for number in range(40):
        connection = stage.channel() if number % 2 else stage.connect()
        try:
            connection.send(chance.randbytes(chance.randrange(1, 5000)))
            connection.socket.shutdown(socket.SHUT_WR)
            connection.read_to_end(15)
        except (Closed, OSError):
            pass


# -- order of methods and content --------------------------------------------------------------


@case
def frame_on_an_unopened_channel(stage):
    connection = stage.open()
    connection.send(wire.queue_declare(7, "", exclusive=True))
    expect_connection_close(connection, [504], "CHANNEL_ERROR - expected 'channel.open'")


@case
def channel_opened_twice(stage):
    connection = stage.channel()
    connection.send(wire.method(1, wire.CHANNEL_OPEN, b"\0"))
    expect_connection_close(connection, [504], "CHANNEL_ERROR - second 'channel.open' seen")


@case
def content_before_its_method(stage):
    connection = stage.channel()
    connection.send(wire.frame(wire.HEADER, 1, struct.pack(">HHQH", 60, 0, 1, 0)))
    expect_connection_close(connection, [505], "UNEXPECTED_FRAME - expected method frame, got non method frame instead")


@case
def method_inside_content(stage):
    connection = stage.channel()
    publish = wire.method(1, wire.BASIC_PUBLISH, b"\0\0" + wire.short("") + wire.short("nobody") + b"\0")
    connection.send(publish + wire.queue_declare(1, "", exclusive=True))
    text = "expected content header for class 60, got non content header frame instead"
    expect_connection_close(connection, [505], text)


@case
def body_before_its_header(stage):
    connection = stage.channel()
    publish = wire.method(1, wire.BASIC_PUBLISH, b"\0\0" + wire.short("") + wire.short("nobody") + b"\0")
    connection.send(publish + wire.frame(wire.BODY, 1, b"too early"))
    text = "expected content header for class 60, got non content header frame instead"
    expect_connection_close(connection, [505], text)


@case
def content_of_another_class(stage):
    connection = stage.channel()
    publish = wire.method(1, wire.BASIC_PUBLISH, b"\0\0" + wire.short("") + wire.short("nobody") + b"\0")
    connection.send(publish + wire.frame(wire.HEADER, 1, struct.pack(">HHQH", 50, 0, 1, 0)))
    expect_connection_close(connection, [505], "expected content header for class 60, got one for class 50 instead")


@case
def method_inside_a_body(stage):
    connection = stage.channel()
    connection.send(wire.publish(1, "", "nobody", b"12345678")[: -(8 + 8)])
    connection.send(wire.queue_declare(1, "", exclusive=True))
    expect_connection_close(connection, [505], "expected content body, got non content body frame instead")


@case
def body_longer_than_announced(stage):
    connection = stage.channel()
    whole = wire.publish(1, "", "nobody", b"12345678")
    connection.send(whole[: -(8 + 8)] + wire.frame(wire.BODY, 1, b"123456789"))
    if stage.is_rabbitmq_3():  # it waits for the rest of a body that has none
        return
    expect_connection_close(connection, [501], "content body frame exceeds remaining content size")


@case
def announced_body_is_too_large(stage):
    """Half an exabyte is announced; nothing of it is reserved."""
    before = stage.rss_mib() if stage.pid else 0
    connection = stage.channel()
    publish = wire.method(1, wire.BASIC_PUBLISH, b"\0\0" + wire.short("") + wire.short("nobody") + b"\0")
    connection.send(publish + wire.frame(wire.HEADER, 1, struct.pack(">HHQH", 60, 0, 1 << 59, 0)))
    if not stage.is_rabbitmq_3():  # it finds out when the body is there
        expect_connection_close(connection, [501], f"content body size {1 << 59} exceeds maximum allowed size 536870912")
    check(not stage.pid or stage.rss_mib() - before < 50, "memory was reserved for it")


@case
def channel_method_on_channel_0(stage):
    connection = stage.open()
    connection.send(wire.method(0, wire.CHANNEL_OPEN, b"\0"))
    expect_connection_close(connection, [503, 504, 505])


@case
def connection_method_on_a_channel(stage):
    connection = stage.channel()
    connection.send(wire.method(1, wire.CONNECTION_OPEN, wire.short("/") + b"\0\0"))
    expect_connection_close(connection, [503, 504, 505, 540])


@case
def immediate_flag(stage):
    connection = stage.channel()
    connection.send(wire.method(1, wire.BASIC_PUBLISH, b"\0\0" + wire.short("") + wire.short("nobody") + b"\x02"))
    connection.send(wire.frame(wire.HEADER, 1, struct.pack(">HHQH", 60, 0, 0, 0)))
    expect_connection_close(connection, [540], "NOT_IMPLEMENTED - immediate=true")


@case
def dead_channel_is_deaf(stage):
    """After channel.close the server ignores the channel until close-ok; the connection lives."""
    connection = stage.channel()
    connection.open_channel(2)
    connection.send(wire.queue_declare(1, "interop.no", passive=True))
    close = connection.expect_close()
    check(close.code == 404, f"got {close}")
    connection.send(wire.queue_declare(1, "interop.bad.deaf", durable=True))
    connection.send(wire.publish(1, "", "interop.bad.deaf", b"x"))
    connection.send(wire.method(1, wire.CHANNEL_CLOSE_OK))
    connection.open_channel(1)
    connection.send(wire.queue_declare(2, "interop.bad.deaf", passive=True))
    check(connection.expect_close().code == 404, "the dead channel declared a queue")


# -- the handshake -----------------------------------------------------------------------------


@case
def tune_ok_out_of_bounds(stage):
    for channel_max, frame_max, text in (
        (65535, 131072, "negotiated channel_max = 65535 is higher than the maximum allowed value (2047)"),
        (0, 131072, "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"),
        (2047, 1 << 20, "negotiated frame_max = 1048576 is higher than the maximum allowed value (131072)"),
        (2047, 100, "negotiated frame_max = 100 is lower than the minimum allowed value ("),
    ):
        connection = stage.connect()
        connection.start()
        connection.log_in(stage.user, stage.password)
        connection.send(wire.method(0, wire.CONNECTION_TUNE_OK, struct.pack(">HIH", channel_max, frame_max, 0)))
        if stage.is_rabbitmq_3():  # it says so in its log only
            connection.read_to_end(15)
        else:
            expect_connection_close(connection, [530], "NOT_ALLOWED - " + text)


@case
def wrong_password_without_the_capability(stage):
    """A client that cannot understand the close sees the TCP connection end, and not at once."""
    connection = stage.connect()
    connection.start()
    properties = wire.table({"product": "wire"})
    response = wire.long(b"\0guest\0wrong")
    connection.send(wire.method(0, wire.CONNECTION_START_OK, properties + wire.short("PLAIN") + response + wire.short("en_US")))
    check(connection.read_to_end(15) == b"", "expected a bare end of the connection")


@case
def errors_before_authentication(stage):
    """Before a client has logged in, only a refused login is answered; the rest ends without a word."""
    for mechanism, response in (("KERBEROS", b"x"), ("PLAIN", b"no zeros"), ("PLAIN", b""), ("AMQPLAIN", b"\x05LOGIN")):
        connection = stage.connect()
        connection.start()
        properties = wire.table({"capabilities": {"authentication_failure_close": True}})
        arguments = properties + wire.short(mechanism) + wire.long(response) + wire.short("en_US")
        connection.send(wire.method(0, wire.CONNECTION_START_OK, arguments))
        expect_end(connection, [403, 501, 502, 503])


@case
def frame_on_a_channel_before_open(stage):
    connection = stage.connect()
    connection.start()
    connection.send(wire.method(1, wire.CHANNEL_OPEN, b"\0"))
    connection.read_to_end(15)


@case
def slow_loris(stage):
    """One byte now and then does not keep a handshake alive beyond handshake_timeout."""
    timeout = stage.options.handshake_timeout_ms / 1000
    started = time.monotonic()
    silent, dripping, stuck = stage.connect(), stage.connect(), stage.connect()
    stuck.start()
    sent = 0

    def dripping_ends():
        nonlocal sent
        try:
            if sent < 7 and time.monotonic() - started > sent * timeout / 5:
                dripping.send(OURS[sent : sent + 1])
                sent += 1
            dripping.fill(0.01)
        except TimeoutError:
            return False
        except Closed:
            return True
        return True

    wait_until(dripping_ends, timeout + 5, "the dripping client is closed")
    took = time.monotonic() - started
    check(0.5 * timeout <= took <= timeout + 4, f"closed after {took:.1f} s with a timeout of {timeout:g} s")
    silent.read_to_end(timeout + 5)
    stuck.read_to_end(timeout + 5)


# -- load --------------------------------------------------------------------------------------


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
    deaf = stage.channel(receive_buffer=4096, timeout=1)
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


def run_case(function, stage):
    try:
        note = function(stage)
        stage.round_trip()
        if stage.broker:
            check(stage.broker.alive(), "the broker is dead")
        print(f"ok {function.__name__}" + (f" ({note})" if note else ""), flush=True)
        return True
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        print(f"FAIL {function.__name__}: {type(error).__name__}: {error} [{where.name}:{where.lineno}]", flush=True)
        if stage.broker and not stage.broker.alive():
            print(stage.broker.log_tail(40))
            stage.broker.start()
            stage.pid = stage.broker.pid
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="use the broker that already runs here, and start none")
    parser.add_argument("--pid", type=int, help="with --url: its process, to look at its memory")
    parser.add_argument("--only", action="append", default=[], metavar="CASE")
    parser.add_argument("--connections", type=int, default=2000, help="for the cases with many connections")
    parser.add_argument("--handshake-timeout-ms", type=int, default=HANDSHAKE_TIMEOUT_MS, help="what the broker is set to")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"rerun: {sys.argv[0]} --seed {options.seed}")

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.connections + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))

    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="quorate-bad-") as folder:
        broker = None
        if not options.url:
            broker = Broker(folder).start()
        stage = Stage(options, options.url or broker.url, options.pid or (broker and broker.pid), broker)
        try:
            for function in CASES:
                if options.only and function.__name__ not in options.only:
                    continue
                if function is slow_loris and broker:
                    good = run_with_short_timeout(function, options)
                else:
                    good = run_case(function, stage)
                passed, failed = passed + good, failed + (not good)
            if broker:
                code = broker.stop()
                check(code == 0, f"the broker ended with {code}")
        finally:
            if broker and broker.alive():
                broker.kill()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def run_with_short_timeout(function, options):
    with tempfile.TemporaryDirectory(prefix="quorate-loris-") as folder:
        with Broker(folder, settings=[f"handshake_timeout={options.handshake_timeout_ms}"]) as broker:
            broker.start()
            return run_case(function, Stage(options, broker.url, broker.pid, broker))


if __name__ == "__main__":
    main()
