"""AMQP 0-9-1 by hand: just enough to say exactly what a test wants said, well-formed or not.

Used where a real client library is too polite (tests/interop/bad_clients.py) or too slow (tests/kill). One
blocking socket, one thread; frames go in and out as they are on the wire:

    frame  = type(1) channel(2) size(4) payload(size) 0xCE
    method = class(2) method(2) arguments
    header = class(2) weight(2)=0 body-size(8) flags(2) properties
"""

import socket
import struct
import time
from urllib.parse import unquote, urlsplit

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = b"\xce"
PROTOCOL_0_9_1 = b"AMQP\x00\x00\x09\x01"

CONNECTION_START, CONNECTION_START_OK = (10, 10), (10, 11)
CONNECTION_TUNE, CONNECTION_TUNE_OK = (10, 30), (10, 31)
CONNECTION_OPEN, CONNECTION_OPEN_OK = (10, 40), (10, 41)
CONNECTION_CLOSE, CONNECTION_CLOSE_OK = (10, 50), (10, 51)
CHANNEL_OPEN, CHANNEL_OPEN_OK = (20, 10), (20, 11)
CHANNEL_CLOSE, CHANNEL_CLOSE_OK = (20, 40), (20, 41)
EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK = (40, 10), (40, 11)
EXCHANGE_DELETE, EXCHANGE_DELETE_OK = (40, 20), (40, 21)
QUEUE_DECLARE, QUEUE_DECLARE_OK = (50, 10), (50, 11)
QUEUE_BIND, QUEUE_BIND_OK = (50, 20), (50, 21)
QUEUE_DELETE, QUEUE_DELETE_OK = (50, 40), (50, 41)
BASIC_QOS, BASIC_QOS_OK = (60, 10), (60, 11)
BASIC_CONSUME, BASIC_CONSUME_OK = (60, 20), (60, 21)
BASIC_PUBLISH, BASIC_RETURN, BASIC_DELIVER = (60, 40), (60, 50), (60, 60)
BASIC_GET, BASIC_GET_OK, BASIC_GET_EMPTY = (60, 70), (60, 71), (60, 72)
BASIC_ACK, BASIC_NACK = (60, 80), (60, 120)
CONFIRM_SELECT, CONFIRM_SELECT_OK = (85, 10), (85, 11)


class Closed(Exception):
    """The peer closed the TCP connection; no AMQP close was seen."""


class CloseMethod(Exception):
    """The peer sent connection.close or channel.close."""

    def __init__(self, method, code, text, class_id, method_id):
        super().__init__(f"{'connection' if method == CONNECTION_CLOSE else 'channel'}.close {code} {text}")
        self.method, self.code, self.text = method, code, text
        self.class_id, self.method_id = class_id, method_id


def short(text):
    raw = text.encode()
    return bytes([len(raw)]) + raw


def long(raw):
    raw = raw.encode() if isinstance(raw, str) else raw
    return struct.pack(">I", len(raw)) + raw


def table(entries):
    """A field table; values are bool, int (as I or l), str, bytes-as-string, or dict."""
    out = bytearray()
    for key, value in entries.items():
        out += short(key)
        if isinstance(value, bool):
            out += b"t" + bytes([value])
        elif isinstance(value, int):
            out += b"I" + struct.pack(">i", value) if abs(value) < 2**31 else b"l" + struct.pack(">q", value)
        elif isinstance(value, dict):
            out += b"F" + table(value)
        else:
            out += b"S" + long(value)
    return long(bytes(out))


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + FRAME_END


def method(channel, name, arguments=b""):
    return frame(METHOD, channel, struct.pack(">HH", *name) + arguments)


def publish(channel, exchange, routing_key, body, *, persistent=True, mandatory=False, frame_max=131072):
    """The frames of one basic.publish, body split as `frame_max` asks."""
    out = method(channel, BASIC_PUBLISH, b"\0\0" + short(exchange) + short(routing_key) + bytes([mandatory]))
    out += frame(HEADER, channel, struct.pack(">HHQHB", 60, 0, len(body), 0x1000, 2 if persistent else 1))
    step = frame_max - 8
    for start in range(0, len(body), step):
        out += frame(BODY, channel, body[start : start + step])
    return out


def queue_declare(channel, queue, *, passive=False, durable=False, exclusive=False, auto_delete=False, arguments=None):
    bits = passive | durable << 1 | exclusive << 2 | auto_delete << 3
    return method(channel, QUEUE_DECLARE, b"\0\0" + short(queue) + bytes([bits]) + table(arguments or {}))


def basic_consume(channel, queue, tag, *, no_ack=False):
    return method(channel, BASIC_CONSUME, b"\0\0" + short(queue) + short(tag) + bytes([no_ack << 1]) + table({}))


def basic_ack(channel, delivery_tag, *, multiple=False):
    return method(channel, BASIC_ACK, struct.pack(">QB", delivery_tag, multiple))


def read_short(payload, at):
    end = at + 1 + payload[at]
    return payload[at + 1 : end].decode(), end


class Wire:
    """One connection. `deadline` everywhere is seconds from now; passing it raises TimeoutError."""

    def __init__(self, host, port, *, timeout=10.0, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.buffer = bytearray()
        self.at = 0
        self.frame_max = 131072
        self.server_properties = b""

    # -- bytes ---------------------------------------------------------------------------------

    def send(self, data):
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from error

    def fill(self, timeout):
        """Reads what the socket has. Raises Closed at its end, TimeoutError when nothing comes."""
        self.socket.settimeout(max(timeout, 0.001))
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        if self.at > 1 << 20:
            del self.buffer[: self.at]
            self.at = 0
        self.buffer += data

    def read_exactly(self, count, deadline=None):
        until = time.monotonic() + (deadline or self.timeout)
        while len(self.buffer) - self.at < count:
            self.fill(until - time.monotonic())
        data = bytes(self.buffer[self.at : self.at + count])
        self.at += count
        return data

    def read_to_end(self, deadline):
        """Everything until the peer closes."""
        until = time.monotonic() + deadline
        try:
            while True:
                self.fill(until - time.monotonic())
        except Closed:
            rest = bytes(self.buffer[self.at :])
            self.at = len(self.buffer)
            return rest

    # -- frames --------------------------------------------------------------------------------

    def buffered_frame(self):
        """The next whole frame that is already here, or None."""
        held = len(self.buffer) - self.at
        if held < 8:
            return None
        kind, channel, size = struct.unpack_from(">BHI", self.buffer, self.at)
        if held < size + 8:
            return None
        payload = bytes(self.buffer[self.at + 7 : self.at + 7 + size])
        if self.buffer[self.at + 7 + size] != 0xCE:
            raise AssertionError(f"the server's own frame has no end octet: type {kind}, size {size}")
        self.at += size + 8
        return kind, channel, payload

    def read_frame(self, deadline=None):
        until = time.monotonic() + (deadline or self.timeout)
        while True:
            found = self.buffered_frame()
            if found:
                return found
            self.fill(until - time.monotonic())

    def read_method(self, deadline=None):
        """The next method as (channel, name, arguments); heartbeats and content are passed over."""
        until = time.monotonic() + (deadline or self.timeout)
        while True:
            kind, channel, payload = self.read_frame(until - time.monotonic())
            if kind == METHOD:
                return channel, struct.unpack_from(">HH", payload), payload[4:]

    def expect(self, wanted, deadline=None):
        """Waits for one method and returns its arguments; a close from the peer raises CloseMethod."""
        until = time.monotonic() + (deadline or self.timeout)
        while True:
            channel, name, arguments = self.read_method(until - time.monotonic())
            if name == wanted:
                return arguments
            if name in (CONNECTION_CLOSE, CHANNEL_CLOSE):
                (code,) = struct.unpack_from(">H", arguments)
                text, at = read_short(arguments, 2)
                class_id, method_id = struct.unpack_from(">HH", arguments, at)
                raise CloseMethod(name, code, text, class_id, method_id)

    def expect_close(self, deadline=None):
        """Waits until the peer closes the connection or a channel with a method, and returns it."""
        try:
            self.expect((0, 0), deadline)
        except CloseMethod as close:
            return close
        raise AssertionError("unreachable: method 0.0 does not exist")

    # -- conversations -------------------------------------------------------------------------

    def start(self):
        self.send(PROTOCOL_0_9_1)
        self.server_properties = self.expect(CONNECTION_START)[2:]

    def log_in(self, user="guest", password="guest", capabilities=None):
        properties = {"product": "wire", "capabilities": capabilities or {}}
        response = b"\0" + user.encode() + b"\0" + password.encode()
        self.send(method(0, CONNECTION_START_OK, table(properties) + short("PLAIN") + long(response) + short("en_US")))
        channel_max, self.frame_max, _ = struct.unpack(">HIH", self.expect(CONNECTION_TUNE))
        return channel_max

    def open(self, user="guest", password="guest", vhost="/", *, heartbeat=0, capabilities=None):
        """The whole handshake; returns self."""
        self.start()
        channel_max = self.log_in(user, password, capabilities)
        self.send(method(0, CONNECTION_TUNE_OK, struct.pack(">HIH", channel_max, self.frame_max, heartbeat)))
        self.send(method(0, CONNECTION_OPEN, short(vhost) + b"\0\0"))
        self.expect(CONNECTION_OPEN_OK)
        return self

    def call(self, request, reply):
        self.send(request)
        return self.expect(reply)

    def open_channel(self, channel=1):
        self.call(method(channel, CHANNEL_OPEN, b"\0"), CHANNEL_OPEN_OK)

    def confirm_select(self, channel=1):
        self.call(method(channel, CONFIRM_SELECT, b"\0"), CONFIRM_SELECT_OK)

    def declare(self, channel, queue, **kwargs):
        """Declares a queue and returns (name, ready messages, consumers)."""
        reply = self.call(queue_declare(channel, queue, **kwargs), QUEUE_DECLARE_OK)
        name, at = read_short(reply, 0)
        return (name, *struct.unpack_from(">II", reply, at))

    def delete_queue(self, channel, queue):
        self.call(method(channel, QUEUE_DELETE, b"\0\0" + short(queue) + b"\0"), QUEUE_DELETE_OK)

    def close(self):
        """Says good-bye properly."""
        self.call(method(0, CONNECTION_CLOSE, struct.pack(">H", 200) + short("bye") + b"\0\0\0\0"), CONNECTION_CLOSE_OK)
        self.drop()

    def drop(self):
        self.socket.close()


def parse_url(url):
    """amqp://user:password@host:port/vhost → (host, port, user, password, vhost)."""
    parts = urlsplit(url)
    vhost = unquote(parts.path[1:]) if len(parts.path) > 1 else "/"
    return (
        parts.hostname or "127.0.0.1",
        parts.port or 5672,
        unquote(parts.username or "guest"),
        unquote(parts.password or "guest"),
        vhost,
    )
