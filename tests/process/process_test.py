#!/usr/bin/python3
"""What an operator meets: TLS and its certificates, signals, configuration, limits, logs and a damaged disk.

Each scenario starts broker processes of its own on free loopback ports with an empty data directory, and looks at them
only from outside: sockets, signals, exit codes, files and logs. One line for each scenario, `N passed, N failed` at the
end, and the exit code follows. The last scenario searches everything that was logged for the passwords used.
"""

import argparse
import json
import logging
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import wire  # noqa: E402
from broker import Broker, default_command, free_port, wait_until  # noqa: E402
from wire import Closed, Wire  # noqa: E402

HOST = "127.0.0.1"
PASSWORD = "Tell-Nobody-1"  # of the user guest, in every scenario
WRONG_PASSWORD = "Bad-Guess-2"
KEY_PASSWORD = "Key-Phrase-3"  # of the server's private key
SECRETS = (PASSWORD, WRONG_PASSWORD, KEY_PASSWORD)
SSL_HANDSHAKE_TIMEOUT_MS = 400
LOST_CONNECTION = (Closed, OSError)  # OSError holds ssl.SSLError and TimeoutError, too
SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def check_in(needle, text, where):
    check(needle in text, f"{where} does not say '{needle}': {text.strip()[-700:]}")


# -- processes -------------------------------------------------------------------------------------------------------


class Node(Broker):
    """A broker whose user guest has our password, and whose start may be expected to fail."""

    def __init__(self, stage, name="node", settings=(), command=None, data=None):
        folder = os.path.join(stage.folder, name)
        super().__init__(folder, command, [f"default_pass={PASSWORD}", *settings])
        self.data = data or self.data
        self.tls_port = None
        self.raw_clients = []
        stage.nodes.append(self)

    def listen_on_tls(self, server, *settings):
        self.tls_port = free_port()
        self.settings += [
            f"listeners.ssl.1={HOST}:{self.tls_port}",
            f"ssl_options.certfile={server.certificate}",
            f"ssl_options.keyfile={server.key}",
            *settings,
        ]
        return self

    def log_size(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def log_since(self, offset=0):
        with open(self.log_path, errors="replace") as written:
            written.seek(offset)
            return written.read()

    def wait_for_log(self, text, offset=0):
        wait_until(lambda: text in self.log_since(offset), 10, f"'{text}' in the log")

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
        raise AssertionError(f"the start was not refused\n{self.log_tail()}")

    def send_signal(self, number):
        self.process.send_signal(number)

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
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                HOST,
                self.tls_port if tls else self.port,
                credentials=credentials or pika.PlainCredentials("guest", PASSWORD),
                ssl_options=pika.SSLOptions(tls, "localhost") if tls else None,
                socket_timeout=5,
                stack_timeout=10,
                blocked_connection_timeout=10,
            )
        )

    def tls_wire(self, tls):
        """A connection by hand after the TLS handshake; nothing of AMQP is said yet."""
        connection = self.raw(self.tls_port)
        connection.socket = tls.wrap_socket(connection.socket, server_hostname="localhost")
        return connection


class Stage:
    """The folder of one scenario and the processes in it."""

    def __init__(self, folder, certificates):
        self.folder, self.certificates = folder, certificates
        self.nodes = []
        os.makedirs(folder)

    def node(self, *settings, **kwargs):
        return Node(self, settings=settings, **kwargs)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def end(self):
        for node in self.nodes:
            if node.alive():
                node.kill()


# -- certificates ----------------------------------------------------------------------------------------------------


class Certificate:
    def __init__(self, folder, name):
        self.certificate = os.path.join(folder, name + ".crt")
        self.key = os.path.join(folder, name + ".key")

    def copy_to(self, other):
        for source, target in ((self.certificate, other.certificate), (self.key, other.key)):
            with open(source, "rb") as file, open(target, "wb") as copy:
                copy.write(file.read())


class Certificates:
    """Two authorities and what they signed; made anew in each run by the openssl command."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.ca, self.other_ca = self.authority("ca"), self.authority("other-ca")
        self.server = self.signed("server", "localhost", self.ca, 1001)
        self.new_server = self.signed("new-server", "localhost", self.ca, 1002)
        self.guest = self.signed("guest", "guest", self.ca, 2001)
        self.unknown = self.signed("unknown", "unknown-user", self.ca, 2002)
        self.stranger = self.signed("stranger", "guest", self.other_ca, 2003)
        self.locked = Certificate(folder, "locked")
        self.server.copy_to(self.locked)
        secret = ["-aes256", "-passout", f"pass:{KEY_PASSWORD}"]
        self.openssl("ec", "-in", self.server.key, *secret, "-out", self.locked.key)

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True)
        check(done.returncode == 0, f"openssl {' '.join(words)}: {done.stderr}")

    def request(self, name, common_name, *words):
        made = Certificate(self.folder, name)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", made.key]
        self.openssl("req", *key, "-subj", f"/CN={common_name}", *words)
        return made

    def authority(self, name):
        return self.request(name, name, "-x509", "-days", "2", "-out", os.path.join(self.folder, name + ".crt"))

    def signed(self, name, common_name, authority, serial):
        made = self.request(name, common_name, "-out", os.path.join(self.folder, name + ".csr"))
        extensions = os.path.join(self.folder, name + ".ext")
        with open(extensions, "w") as file:
            file.write("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signer = ["-CA", authority.certificate, "-CAkey", authority.key, "-set_serial", str(serial), "-days", "2"]
        self.openssl("x509", "-req", "-in", name + ".csr", *signer, "-extfile", extensions, "-out", made.certificate)
        return made

    def context(self, client=None, version=None):
        """What a client brings to the handshake: its trust in our authority, perhaps a certificate, one TLS version."""
        context = ssl.create_default_context(cafile=self.ca.certificate)
        if client:
            context.load_cert_chain(client.certificate, client.key)
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")  # or Python itself would refuse TLS 1.1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # nobody should use TLS 1.1: so we say
                context.minimum_version = context.maximum_version = version
        return context


def serial_shown(node, context):
    """The serial number of the certificate that a new connection is shown."""
    connection = node.tls_wire(context)
    connection.start()
    serial = int(connection.socket.getpeercert()["serialNumber"], 16)
    connection.drop()
    return serial


# -- AMQP ------------------------------------------------------------------------------------------------------------


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
    connection.call(wire.method(1, wire.CONFIRM_SELECT, b"\0"), wire.CONFIRM_SELECT_OK)
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


def queue_exists(connection, queue):
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except ChannelClosedByBroker as closed:
        check(closed.reply_code == 404, f"passive declaration of {queue}: {closed}")
        return False
    channel.close()
    return True


def refusal(action):
    """The exception that a connection attempt ends with; none is a failure."""
    try:
        action()
    except (AMQPError, wire.CloseMethod, *LOST_CONNECTION) as error:
        return error
    raise AssertionError("the connection was not refused")


def log_in_external(connection):
    """SASL EXTERNAL whether it was offered or not."""
    connection.start()
    capabilities = {"capabilities": {"authentication_failure_close": True}}
    start_ok = wire.table(capabilities) + wire.short("EXTERNAL") + wire.long(b"") + wire.short("en_US")
    connection.call(wire.method(0, wire.CONNECTION_START_OK, start_ok), wire.CONNECTION_TUNE)


# -- TLS -------------------------------------------------------------------------------------------------------------


@scenario
def tls_versions(stage):
    """pika works over TLS 1.2 and 1.3 with an encrypted server key; TLS 1.1 is refused"""
    made = stage.certificates
    node = stage.node().listen_on_tls(made.locked, f"ssl_options.password={KEY_PASSWORD}").start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        connection = node.pika(made.context(version=version))
        round_trip(connection)
        connection.close()
        raw = node.tls_wire(made.context(version=version))
        spoken = raw.socket.version()
        check(spoken == version.name.replace("_", "."), f"{spoken} instead of {version.name}")
        raw.drop()
    old = refusal(lambda: node.tls_wire(made.context(version=ssl.TLSVersion.TLSv1_1)))
    if getattr(old, "reason", "") != "NO_PROTOCOLS_AVAILABLE":  # this Python cannot even ask
        check("PROTOCOL_VERSION" in str(old).upper(), f"TLS 1.1 ended with {old!r}")
    node.check_stop()


@scenario
def tls_wrong_port(stage):
    """a plain client on the TLS port, a TLS client on the plain port and a silent one are closed while others work"""
    made = stage.certificates
    timeout = f"ssl_handshake_timeout={SSL_HANDSHAKE_TIMEOUT_MS}"
    node = stage.node().listen_on_tls(made.server, timeout).start()
    context = made.context()
    worker = node.pika(context)

    began = time.monotonic()
    silent = node.raw(node.tls_port)
    plain = node.raw(node.tls_port)
    plain.send(wire.PROTOCOL_0_9_1)
    answer = plain.read_to_end(5)
    check(b"AMQP" not in answer, f"a plain client on the TLS port is told {answer!r}")
    round_trip(worker)

    with socket.create_connection((HOST, node.port), timeout=5) as confused:
        error = refusal(lambda: context.wrap_socket(confused, server_hostname="localhost"))
        check(not isinstance(error, TimeoutError), "a TLS client on the plain port is not answered")
    round_trip(worker)

    check(silent.read_to_end(5) == b"", "a silent client on the TLS port was told something")
    waited = (time.monotonic() - began) * 1000
    check(waited >= SSL_HANDSHAKE_TIMEOUT_MS * 0.9, f"a silent client was closed after {waited:.0f} ms already")
    round_trip(worker)
    worker.close()
    node.check_stop()


@scenario
def external(stage):
    """SASL EXTERNAL: the certificate's common name logs in; unknown user, no certificate and another CA do not"""
    made = stage.certificates
    node = stage.node("auth_mechanisms.1=EXTERNAL", "auth_mechanisms.2=PLAIN", "ssl_cert_login_from=common_name")
    node.listen_on_tls(made.server, f"ssl_options.cacertfile={made.ca.certificate}", "ssl_options.verify=verify_peer")
    node.start()
    by_certificate = pika.credentials.ExternalCredentials()

    connection = node.pika(made.context(made.guest), by_certificate)
    round_trip(connection)
    connection.close()

    refusal(lambda: node.pika(made.context(made.unknown), pika.credentials.ExternalCredentials()))
    close = refusal(lambda: log_in_external(node.tls_wire(made.context(made.unknown))))
    check(getattr(close, "code", 0) == 403, f"a certificate of an unknown user: {close!r}")
    check_in("ACCESS_REFUSED", close.text, "the 403")

    refusal(lambda: node.pika(made.context(), pika.credentials.ExternalCredentials()))
    close = refusal(lambda: log_in_external(node.tls_wire(made.context())))
    check(getattr(close, "code", 0) == 403, f"EXTERNAL without a certificate: {close!r}")
    close = refusal(lambda: log_in_external(node.raw(node.port)))  # without TLS: silence and the end, as RabbitMQ does
    check(isinstance(close, Closed), f"EXTERNAL without TLS: {close!r}")
    by_password = node.pika(made.context())  # verify_peer asks for a certificate and does not insist
    round_trip(by_password)
    by_password.close()

    error = refusal(lambda: node.tls_wire(made.context(made.stranger)).start())
    check(isinstance(error, ssl.SSLError) and "UNKNOWN_CA" in str(error).upper(), f"another CA: {error!r}")
    node.check_stop()


@scenario
def certificates_reloaded(stage):
    """SIGHUP: new connections see the new certificate, old ones work on; a broken file keeps the old one"""
    made = stage.certificates
    server = Certificate(stage.folder, "in-use")
    made.server.copy_to(server)
    node = stage.node().listen_on_tls(server).start()
    context = made.context()
    old = node.pika(context)
    check(serial_shown(node, context) == 1001, "the first certificate is not shown")

    made.new_server.copy_to(server)
    check(serial_shown(node, context) == 1001, "the new certificate is shown before SIGHUP")
    offset = node.log_size()
    node.send_signal(signal.SIGHUP)
    node.wait_for_log("configuration reloaded", offset)
    check(serial_shown(node, context) == 1002, "the new certificate is not shown after SIGHUP")
    round_trip(old)

    stage.write("in-use.crt", "no certificate\n")
    offset = node.log_size()
    node.send_signal(signal.SIGHUP)
    node.wait_for_log("certificates not reloaded", offset)
    check_in("[error]", node.log_since(offset), "the log")
    check_in(server.certificate, node.log_since(offset), "the log")
    check(serial_shown(node, context) == 1002, "a broken file at SIGHUP replaced the certificate in use")
    round_trip(old)
    old.close()
    node.check_stop()


# -- start -----------------------------------------------------------------------------------------------------------


@scenario
def second_process(stage):
    """a second process on the same data directory ends and names the directory and the first one's pid"""
    node = stage.node().start()
    second = stage.node(name="second", data=node.data)
    _, said = second.start_refused()
    check_in(node.data, said, "the second process")
    check_in(str(node.pid), said, "the second process")
    connection = node.pika()
    round_trip(connection)
    connection.close()
    node.check_stop()
    second.start().check_stop()  # the lock ends with its process


@scenario
def configuration_keys(stage):
    """an unknown key stops the start with file:line and the nearest key; a key without meaning only warns"""
    config = stage.write("quorate.conf", f"# comment\ndefault_pass = {PASSWORD}\nhearbeat = 30\n")
    node = stage.node(command=default_command() + f" --config {config}")
    _, said = node.start_refused()
    check_in(f"{config}:3", said, "the refused start")
    check_in("'hearbeat'", said, "the refused start")
    check_in("'heartbeat'", said, "the refused start")
    check(os.listdir(node.data) == [], f"a refused configuration wrote {os.listdir(node.data)}")

    misspelt = stage.write("misspelt.conf", f"default_passs = {PASSWORD}\nfoo = {PASSWORD}\n")
    stage.node(name="misspelt", command=default_command() + f" --config {misspelt}").start_refused()  # see no_passwords

    stage.write("quorate.conf", "# comment\nheartbeat = 30\nmotd_file = /etc/motd\n")
    node.start()
    warning = [line for line in node.log_since().splitlines() if "motd_file" in line]
    check(len(warning) == 1 and "[warning]" in warning[0], f"a key without meaning: {warning}")
    check_in(f"{config}:3", warning[0], "the warning")
    node.check_stop()


@scenario
def busy_port(stage):
    """a busy port ends the start with a clear message; the data directory stays usable, flags included"""
    node = stage.node().start()
    connection = node.wire()
    connection.declare(1, "kept", durable=True)
    connection.declare(1, "seen", durable=True)
    fill(connection, "kept", 20)
    connection.close()
    node.check_stop()

    said, address = node.start_on_a_busy_port()
    check_in(address, said, "the refused start")
    check_in("in use", said, "the refused start")
    node.start()
    found = drain(node, "kept")
    check(found == [(number, False) for number in range(20)], f"after the busy port: {found}")

    # A crash stays a crash: what a client may have seen is still marked, though another start was tried in between.
    connection = node.wire()
    fill(connection, "seen", 5)
    node.kill()
    node.start_on_a_busy_port()
    node.start()
    found = drain(node, "seen")
    check(found == [(number, True) for number in range(5)], f"after a crash and a busy port: {found}")
    node.check_stop()


# -- the end, in order and not ---------------------------------------------------------------------------------------


@scenario
def sigterm_with_clients(stage):
    """SIGTERM: clients get 320, the exit code is 0, confirmed messages and an auto-delete queue in use are kept"""
    node = stage.node().start()
    client = node.wire()
    client.declare(1, "kept", durable=True)
    fill(client, "kept", 50)
    client.declare(1, "in-use", durable=True, auto_delete=True)
    fill(client, "in-use", 3)
    consumer = node.pika()
    consumer.channel().basic_consume("in-use", lambda *_: None)
    consumer.process_data_events(0)

    node.send_signal(signal.SIGTERM)
    close = client.expect_close(5)
    check(close.method == wire.CONNECTION_CLOSE and close.code == 320, f"SIGTERM: {close}")
    check(close.text == "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", close.text)
    client.send(wire.method(0, wire.CONNECTION_CLOSE_OK))
    try:
        wait_until(lambda: consumer.process_data_events(0.1), 5, "pika's connection closed")
    except ConnectionClosedByBroker as closed:
        check(closed.reply_code == 320, f"SIGTERM: {closed}")
    check(node.process.wait(10) == 0, f"SIGTERM: exit code {node.process.returncode}")

    node.start()
    found = drain(node, "kept")
    check(found == [(number, False) for number in range(50)], f"after the restart: {found}")
    found = [number for number, _ in drain(node, "in-use")]
    check(found == [0, 1, 2], f"in the auto-delete queue after the restart: {found}")
    node.check_stop()


@scenario
def sigterm_with_a_deaf_client(stage):
    """SIGTERM: a client that never answers connection.close delays the end, and does not prevent it"""
    node = stage.node().start()
    deaf = node.wire()
    check(node.stop(10) == 0, f"SIGTERM: exit code {node.process.returncode}")
    check(deaf.expect_close(1).code == 320, "the deaf client did not get 320")


@scenario
def kill_9_and_queues(stage):
    """kill -9: a durable auto-delete queue in use is kept with its messages, exclusive and transient queues are not"""
    node = stage.node().start()
    client = node.wire()
    client.declare(1, "in-use", durable=True, auto_delete=True)
    client.call(wire.basic_consume(1, "in-use", "tag"), wire.BASIC_CONSUME_OK)
    client.declare(1, "exclusive", exclusive=True)
    client.declare(1, "exclusive-durable", exclusive=True, durable=True)
    client.declare(1, "transient")
    fill(client, "in-use", 10)
    node.kill()

    node.start()
    connection = node.pika()
    for queue in ("exclusive", "exclusive-durable", "transient"):
        check(not queue_exists(connection, queue), f"{queue} is there after kill -9")
    connection.close()
    found = drain(node, "in-use")
    check([number for number, _ in found] == list(range(10)), f"after kill -9: {found}")
    check(all(redelivered for _, redelivered in found), f"delivered before kill -9 and not marked: {found}")
    node.check_stop()


# -- damage ----------------------------------------------------------------------------------------------------------


def crash_with_messages(stage, count):
    """A node that was killed with `count` messages in its log, its durability mark included; and its largest WAL."""
    node = stage.node().start()
    mark = os.path.join(node.data, "durable.mark")
    connection = node.wire()
    connection.declare(1, "kept", durable=True)
    fill(connection, "kept", count, 1000)
    for queue in ("one more write", "and another"):  # the first mark may have been under way before the messages were
        before = read(mark)
        connection.declare(1, queue, durable=True)
        wait_until(lambda: read(mark) != before, 5, "durability mark")
    node.kill()
    logs = [path for path in files(os.path.join(node.data, "log")) if path.endswith(".log")]
    return node, max(logs, key=os.path.getsize)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files(folder):
    return [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names]


def log_database(node):
    """What a refused start must leave as it is: every file of the log database that says anything about its content."""
    log = os.path.join(node.data, "log")
    chatter = ("LOG", "LOCK", "OPTIONS-")
    here = [path for path in files(log) if os.path.dirname(path) == log]
    return {path: read(path) for path in here if not os.path.basename(path).startswith(chatter)}


def changed(before, after):
    differ = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    return sorted(os.path.basename(path) for path in differ)


def check_all_there(node, count):
    node.start()
    numbers = [number for number, _ in drain(node, "kept")]
    check(numbers == list(range(count)), f"{len(numbers)} of {count} messages after the repair")
    node.check_stop()


@scenario
def damaged_log(stage):
    """a flipped byte in the log refuses the start and changes nothing: with the byte restored all messages are there"""
    node, log = crash_with_messages(stage, 300)
    middle = os.path.getsize(log) // 2

    def flip():
        with open(log, "r+b") as file:
            file.seek(middle)
            byte = file.read(1)[0]
            file.seek(middle)
            file.write(bytes([byte ^ 0x10]))

    flip()
    before = log_database(node)
    for attempt in ("the first start", "the second start"):
        _, said = node.start_refused()
        check_in(os.path.basename(log), said, attempt)
        check_in("restore the whole data directory from a copy", said, attempt)
        check(log_database(node) == before, f"{attempt} changed {changed(before, log_database(node))}")
    flip()
    check_all_there(node, 300)


def lose_and_put_back(stage, starts):
    """The log is moved away, the start refused `starts` times, the log put back: all messages have to be there."""
    node, log = crash_with_messages(stage, 300)
    aside = os.path.join(stage.folder, os.path.basename(log))
    os.rename(log, aside)
    for _ in range(starts):
        _, said = node.start_refused()
        check_in(os.path.dirname(log), said, "the refused start")
        check_in("write-ahead log (*.log) was shortened or deleted", said, "the refused start")
        check_in("restore the whole data directory from a copy", said, "the refused start")
    os.rename(aside, log)
    check_all_there(node, 300)


@scenario
def deleted_log(stage):
    """a deleted log refuses the start; with the file put back all messages are there"""
    lose_and_put_back(stage, 1)


@scenario
def deleted_log_refused_again(stage):
    """a deleted log refuses every start, as systemd tries again; with the file put back all messages are there"""
    lose_and_put_back(stage, 3)


@scenario
def shortened_log(stage):
    """a log cut in the middle refuses the start; with the end put back all messages are there"""
    node, log = crash_with_messages(stage, 300)
    whole = read(log)
    os.truncate(log, len(whole) // 2)
    _, said = node.start_refused()
    check_in(os.path.dirname(log), said, "the refused start")
    check_in("restore the whole data directory from a copy", said, "the refused start")
    with open(log, "wb") as file:
        file.write(whole)
    check_all_there(node, 300)


# -- surroundings ----------------------------------------------------------------------------------------------------


@scenario
def systemd(stage):
    """systemd is told READY=1 when clients are served, and STOPPING=1 at the end"""
    path = os.path.join(stage.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(path)
        notified.settimeout(10)
        node = stage.node(command=f"env NOTIFY_SOCKET={path} {default_command()}").start()
        check(notified.recv(100) == b"READY=1", "the first datagram is not READY=1")
        node.pika().close()
        node.check_stop()
        check(notified.recv(100) == b"STOPPING=1", "the second datagram is not STOPPING=1")


@scenario
def json_log(stage):
    """log.console.formatter = json: every line is an object, whatever clients bring"""
    node = stage.node("log.console.formatter=json", "log.console.level=debug").start()
    connection = node.pika()
    check(not queue_exists(connection, 'quo"te\\ \x01\n \u00fc'), "a queue that nobody declared")
    connection.close()
    refusal(lambda: node.pika(credentials=pika.PlainCredentials('gu"est\n', WRONG_PASSWORD)))
    refusal(lambda: node.pika(credentials=pika.PlainCredentials("guest", WRONG_PASSWORD)))
    node.check_stop()
    lines = node.log_since().splitlines()
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise AssertionError(f"no JSON ({error}): {line}") from None
        check(isinstance(entry, dict) and {"time", "level", "msg"} <= entry.keys(), f"keys are missing: {line}")
    check(len(lines) > 5, f"only {len(lines)} lines were logged")


@scenario
def connection_limit(stage):
    """max_connections = 2: the third client gets 530, and has its turn when another has left"""
    node = stage.node("max_connections=2").start()
    first, second = node.wire(), node.wire()
    close = refusal(node.wire)
    check(getattr(close, "code", 0) == 530, f"the third connection: {close!r}")
    check(close.text == "NOT_ALLOWED - connection refused: node connection limit (2) is reached", close.text)
    first.close()
    wait_until(lambda: try_to(node.wire), 5, "a place for another connection")
    second.close()
    node.check_stop()


# -- alarms ----------------------------------------------------------------------------------------------------------


class LimitsInAFile:
    """A node whose limits stand in a file, and change by SIGHUP."""

    def __init__(self, stage, *lines):
        self.stage = stage
        self.node = stage.node(command=default_command() + f" --config {self.write(*lines)}").start()

    def write(self, *lines):
        return self.stage.write("limits.conf", "node_name = rabbit@here\n" + "".join(line + "\n" for line in lines))

    def change(self, said, *lines):
        self.write(*lines)
        offset = self.node.log_size()
        self.node.send_signal(signal.SIGHUP)
        self.node.wait_for_log(said, offset)
        written = [line for line in self.node.log_since(offset).splitlines() if said in line]
        check(len(written) == 1, f"said once: {written}")
        return written[0]


class BlockedNotes:
    """What a pika connection is told about being blocked, in order; "" = unblocked."""

    def __init__(self, connection):
        self.connection, self.heard = connection, []
        connection.add_on_connection_blocked_callback(lambda _, method: self.heard.append(method.method.reason))
        connection.add_on_connection_unblocked_callback(lambda _, method: self.heard.append(""))

    def wait_for(self, *reasons):
        def is_heard():
            self.connection.process_data_events(0)
            return len(self.heard) >= len(reasons)

        wait_until(is_heard, 10, f"{reasons} on a connection that heard {self.heard}")
        check(self.heard == list(reasons), f"a connection is told {self.heard} instead of {reasons}")


def publish_confirmed(connection, queue, count):
    channel = connection.channel()
    channel.confirm_delivery()
    for _ in range(count):
        channel.basic_publish("", queue, b"confirmed", mandatory=True)
    return channel


@scenario
def memory_alarm(stage):
    """a watermark of 0 blocks who publishes, and says why; consumers work on; with the limit raised all is confirmed"""
    setup = LimitsInAFile(stage, "vm_memory_high_watermark.relative = 0.6")
    node = setup.node
    publisher = node.pika()
    publisher.channel().queue_declare("q", durable=True)
    publish_confirmed(publisher, "q", 200)
    told = BlockedNotes(publisher)
    consumer = node.pika()
    consumer_told = BlockedNotes(consumer)
    inbox = consumer.channel()
    inbox.basic_qos(prefetch_count=1)
    flood = node.wire()
    flood.declare(1, "flood", durable=True)
    fill(flood, "flood", 1)

    line = setup.change("memory resource limit alarm set", "vm_memory_high_watermark.relative = 0")
    check_in("[warning]", line, "the alarm in the log")
    for what in ("node rabbit@here", 'limit="0 B"', "used=", "vm_memory_high_watermark"):
        check_in(what, line, "the alarm in the log")
    told.wait_for("low on memory (rabbit@here)")

    # Those who published before the alarm are not read at all: what they send stays in the sockets.
    sizes = [1 << 20] * 64
    bodies = b"".join(wire.publish(1, "", "flood", bytes(size)) for size in sizes)
    sender = threading.Thread(target=flood.socket.sendall, args=(bodies,), daemon=True)
    flood.socket.settimeout(60)
    sender.start()
    blocked = threading.Thread(target=publish_confirmed, args=(publisher, "q", 3), daemon=True)
    blocked.start()

    # A newcomer may do everything; its first message passes, and it is told.
    newcomer = node.pika()
    newcomer_told = BlockedNotes(newcomer)
    newcomer.channel().queue_declare("other", exclusive=True)
    publish_confirmed(newcomer, "other", 1)
    newcomer_told.wait_for("low on memory (rabbit@here)")

    for count, (method, _, _) in enumerate(inbox.consume("q", inactivity_timeout=10), 1):
        check(method is not None, f"after {count - 1} messages a consumer gets no more")
        inbox.basic_ack(method.delivery_tag)
        if count == 200:
            break
    inbox.cancel()
    check(consumer_told.heard == [], f"a consumer is told {consumer_told.heard}")
    check(inbox.queue_declare("q", passive=True).method.message_count == 0, "a blocked message reached its queue")
    check(inbox.queue_declare("flood", passive=True).method.message_count == 1, "a blocked message reached its queue")
    check(blocked.is_alive() and sender.is_alive(), "a blocked publisher got on")

    line = setup.change("memory resource limit alarm cleared", "vm_memory_high_watermark.absolute = 8GB")
    check_in("publishers go on", line, "the end of the alarm in the log")
    blocked.join(20)
    sender.join(20)
    check(not blocked.is_alive() and not sender.is_alive(), "a publisher stays blocked when the alarm is over")
    told.wait_for("low on memory (rabbit@here)", "")
    newcomer_told.wait_for("low on memory (rabbit@here)", "")
    check(inbox.queue_declare("q", passive=True).method.message_count == 3, "not all that was confirmed is there")
    wait_until(
        lambda: inbox.queue_declare("flood", passive=True).method.message_count == 1 + len(sizes), 20, "the flood"
    )
    for connection in (publisher, consumer, newcomer):
        connection.close()
    node.check_stop()


@scenario
def disk_alarm(stage):
    """too little free disk at the start: the log says so with the folder, and a publisher is told with the reason"""
    setup = LimitsInAFile(stage, "disk_free_limit.absolute = 1000TB")
    node = setup.node
    node.wait_for_log("disk resource limit alarm set on node rabbit@here")
    check_in(node.data, node.log_since(), "the alarm in the log")
    connection = node.pika()
    told = BlockedNotes(connection)
    connection.channel().queue_declare("q", durable=True)
    publish_confirmed(connection, "q", 1)
    told.wait_for("low on disk (rabbit@here)")
    memory_too = ("disk_free_limit.absolute = 1000TB", "vm_memory_high_watermark.relative = 0")
    setup.change("memory resource limit alarm set", *memory_too)
    setup.change("disk resource limit alarm cleared", "vm_memory_high_watermark.relative = 0")
    check(told.heard == ["low on disk (rabbit@here)"], f"a blocked connection is told again: {told.heard}")
    setup.change("memory resource limit alarm cleared")
    told.wait_for("low on disk (rabbit@here)", "")
    connection.close()
    node.check_stop()


def try_to(action):
    try:
        return action()
    except wire.CloseMethod:
        return None


def no_passwords(folder):
    """no password stands in any log of this run"""
    logs = [path for path in files(folder) if path.endswith("broker.log") or os.path.basename(path) == "LOG"]
    check(logs, "nothing was logged")
    for path in logs:
        for secret in SECRETS:
            check(secret.encode() not in read(path), f"a password stands in {path.removeprefix(folder)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a scenario; may be repeated")
    only = parser.parse_args().only
    logging.getLogger("pika").setLevel(logging.CRITICAL + 1)  # refused connections are what we came for
    tally = {True: 0, False: 0}

    def play(function, *arguments):
        began = time.monotonic()
        failure = None
        try:
            function(*arguments)
        except Exception as error:
            failure = error
        tally[failure is None] += 1
        seconds = time.monotonic() - began
        verdict = "FAIL " if failure else "ok   "
        print(f"{verdict} {function.__name__} ({seconds:.1f} s): {function.__doc__}", flush=True)
        if failure:
            for line in traceback.format_exception(failure):
                print("      " + line.rstrip().replace("\n", "\n      "), flush=True)

    with tempfile.TemporaryDirectory(prefix="quorate-process-") as folder:
        certificates = Certificates(os.path.join(folder, "certificates"))
        for function in SCENARIOS:
            if only and function.__name__ not in only:
                continue
            stage = Stage(os.path.join(folder, function.__name__), certificates)
            try:
                play(function, stage)
            finally:
                stage.end()
        play(no_passwords, folder)
    print(f"{tally[True]} passed, {tally[False]} failed")
    sys.exit(1 if tally[False] else 0)


if __name__ == "__main__":
    main()
