"""The end of a broker, in order and not."""

import signal

from pika.exceptions import ConnectionClosedByBroker
from stage import Stage, drain, fill
from support import wire
from support.broker import wait_until
from support.clients import queue_exists
from support.scenarios import Scenarios, check

scenario = Scenarios(Stage, shared=False)


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
