"""Bad clients: methods and content out of order, and handshakes."""

import struct
import time

from bad_stage import case, expect_connection_close, expect_end
from support import wire
from support.broker import wait_until
from support.scenarios import check
from support.wire import Closed

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
                dripping.send(wire.PROTOCOL_0_9_1[sent : sent + 1])
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
