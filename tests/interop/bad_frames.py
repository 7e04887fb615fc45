"""Bad clients: protocol headers, and frames that are none."""

import random
import socket
import struct

from bad_stage import case, expect_connection_close, expect_end
from support import wire
from support.scenarios import check
from support.wire import Closed

ONE_ZERO = b"AMQP\x03\x01\x00\x00"


def refused_header(stage, first_bytes, wanted):
    connection = stage.connect()
    connection.send(first_bytes)
    answer = connection.read_to_end(10)
    check(answer in wanted, f"{first_bytes!r} was answered by {answer!r}, expected one of {wanted}")


@case
def p001_header_0_9_1(stage):
    connection = stage.connect()
    connection.send(wire.PROTOCOL_0_9_1)
    check(connection.expect(wire.CONNECTION_START)[:2] == b"\x00\x09", "version of connection.start")


@case
def p002_header_0_9_is_taken_for_0_9_1(stage):
    connection = stage.connect()
    connection.send(b"AMQP\x01\x01\x00\x09")
    check(connection.expect(wire.CONNECTION_START)[:2] == b"\x00\x09", "version of connection.start")


@case
def p003_header_1_0(stage):
    """Until AMQP 1.0 is spoken here it is refused with the header of what is."""
    refused_header(stage, b"AMQP\x00\x01\x00\x00", [wire.PROTOCOL_0_9_1, ONE_ZERO])


@case
def p004_header_of_another_0_9(stage):
    refused_header(stage, b"AMQP\x00\x00\x09\x02", [wire.PROTOCOL_0_9_1])
    refused_header(stage, b"AMQP\x00\x00\x0a\x00", [wire.PROTOCOL_0_9_1])


@case
def p004_header_0_8(stage):
    if stage.is_rabbitmq_3():  # it still spoke 0-8
        return
    refused_header(stage, b"AMQP\x01\x01\x08\x00", [ONE_ZERO])


@case
def p005_other_protocols(stage):
    wanted = [wire.PROTOCOL_0_9_1] if stage.is_rabbitmq_3() else [ONE_ZERO]
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
    for cut in range(len(wire.PROTOCOL_0_9_1)):
        connection = stage.connect()
        connection.send(wire.PROTOCOL_0_9_1[:cut])
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
