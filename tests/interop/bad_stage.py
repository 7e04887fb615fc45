"""What the cases of bad_clients.py are given, how they are marked, and the ends that they expect."""

import time

from support import wire
from support.broker import process_status
from support.scenarios import check
from support.wire import Closed, Wire


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
