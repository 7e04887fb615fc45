"""What scenarios with brokers of their own are given, and what clients do there.

Each starts broker processes on free loopback ports with an empty data directory, and looks at them only from outside:
sockets, signals, exit codes, files and logs.
"""

import contextlib
import functools
import os
import socket
import struct

import pika
from certificates import KEY_PASSWORD, Certificates
from pika.exceptions import AMQPError
from support import wire
from support.broker import HOST, Broker, free_port
from support.clients import connect
from support.scenarios import check
from support.wire import Closed, Wire

PASSWORD = "Tell-Nobody-1"  # of the user guest, in every scenario
WRONG_PASSWORD = "Bad-Guess-2"
SECRETS = (PASSWORD, WRONG_PASSWORD, KEY_PASSWORD)
LOST_CONNECTION = (Closed, OSError)  # OSError holds ssl.SSLError and TimeoutError, too


class Node(Broker):
    """A broker whose user guest has our password, and whose start may be expected to fail."""

    def __init__(self, stage, name="node", settings=(), command=None, data=None):
        folder = os.path.join(stage.folder, name)
        super().__init__(folder, command, [f"default_pass={PASSWORD}", *settings])
        self.data = data or self.data
        self.tls_port = None
        self.raw_clients = []

    def listen_on_tls(self, server, *settings):
        self.tls_port = free_port()
        self.settings += [
            f"listeners.ssl.1={HOST}:{self.tls_port}",
            f"ssl_options.certfile={server.certificate}",
            f"ssl_options.keyfile={server.key}",
            *settings,
        ]
        return self

    def start_on_a_busy_port(self):
        """What the process says, which has to end by itself, when a port is taken; and the port's address."""
        port = self.port
        with socket.socket() as holder:
            holder.bind((HOST, 0))
            self.port = holder.getsockname()[1]
            _, said = self.start_refused()
        self.port, busy = port, self.port
        return said, f"{HOST}:{busy}"

    def start_refused(self):
        """Starts the process, which has to end by itself with an error; returns the exit code and what it said."""
        before = self.log_size()
        try:
            self.start(20)
        except RuntimeError:
            code = self.process.returncode
            check(code > 0, f"the exit code of a refused start is {code}")
            return code, self.log_since(before)
        self.kill()
        raise AssertionError(f"the start was not refused{self.log_tail()}")

    def check_stop(self):
        """The end of a scenario: clients leave, for the broker would wait for them; exit code 0."""
        for client in self.raw_clients:
            client.drop()
        code = self.stop(10)
        check(code == 0, f"SIGTERM: exit code {code}")

    def raw(self, port):
        """A TCP connection that has said nothing yet."""
        self.raw_clients.append(Wire(HOST, port))
        return self.raw_clients[-1]

    def wire(self):
        """A connection without TLS, channel 1 open, by hand."""
        connection = self.raw(self.port).open("guest", PASSWORD)
        connection.open_channel(1)
        return connection

    def pika(self, tls=None, credentials=None):
        return connect(
            HOST,
            self.tls_port if tls else self.port,
            credentials=credentials or pika.PlainCredentials("guest", PASSWORD),
            ssl_options=pika.SSLOptions(tls, "localhost") if tls else None,
        )

    def tls_wire(self, tls):
        """A connection by hand after the TLS handshake; nothing of AMQP is said yet."""
        connection = self.raw(self.tls_port)
        connection.socket = tls.wrap_socket(connection.socket, server_hostname="localhost")
        return connection


class Stage(contextlib.ExitStack):
    """The folder of one scenario and the processes in it, which end with it."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.nodes = []

    @functools.cached_property
    def certificates(self):
        return Certificates(os.path.join(self.folder, "certificates"))

    def node(self, *settings, **kwargs):
        self.nodes.append(self.enter_context(Node(self, settings=settings, **kwargs)))
        return self.nodes[-1]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def log_tail(self):
        return "".join(f"\n{node.log_path}:{node.log_tail()}" for node in self.nodes)


def round_trip(connection):
    """pika publishes with a confirm and consumes what it published."""
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"there and back", mandatory=True)
    for method, _, body in channel.consume(queue, inactivity_timeout=10):
        check(method is not None and body == b"there and back", f"consumed {body}")
        channel.basic_ack(method.delivery_tag)
        break
    channel.cancel()
    channel.close()


def fill(connection, queue, count, size=10):
    """Persistent messages, all confirmed; each begins with its number."""
    connection.confirm_select()
    connection.send(b"".join(wire.publish(1, "", queue, b"%09d " % number + bytes(size)) for number in range(count)))
    confirmed = 0
    while confirmed < count:
        tag, multiple = struct.unpack(">QB", connection.expect(wire.BASIC_ACK))
        confirmed = tag if multiple else confirmed + 1


def drain(node, queue):
    """What basic.get finds: (number, redelivered) of each message in order; everything is acked."""
    found = []
    connection = node.pika()
    channel = connection.channel()
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            connection.close()
            return found
        found.append((int(body[:9]), method.redelivered))


def refusal(action):
    """The exception that a connection attempt ends with; none is a failure."""
    try:
        action()
    except (AMQPError, wire.CloseMethod, *LOST_CONNECTION) as error:
        return error
    raise AssertionError("the connection was not refused")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files(folder):
    return [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names]
