"""TLS and its certificates, from outside."""

import signal
import socket
import ssl
import time

import pika
from certificates import KEY_PASSWORD, Certificate
from stage import Stage, refusal, round_trip
from support import wire
from support.broker import HOST
from support.scenarios import Scenarios, check, check_in
from support.wire import Closed

SSL_HANDSHAKE_TIMEOUT_MS = 2000  # for good clients as well
scenario = Scenarios(Stage, shared=False)


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


def log_in_external(connection):
    """SASL EXTERNAL whether it was offered or not."""
    connection.start()
    capabilities = {"capabilities": {"authentication_failure_close": True}}
    start_ok = wire.table(capabilities) + wire.short("EXTERNAL") + wire.long(b"") + wire.short("en_US")
    connection.call(wire.method(0, wire.CONNECTION_START_OK, start_ok), wire.CONNECTION_TUNE)


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


def serial_shown(node, context):
    """The serial number of the certificate that a new connection is shown."""
    connection = node.tls_wire(context)
    connection.start()
    serial = int(connection.socket.getpeercert()["serialNumber"], 16)
    connection.drop()
    return serial


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
