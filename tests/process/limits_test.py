"""Limits: connections, memory and disk."""

import signal
import threading

from stage import Stage, fill, refusal
from support import wire
from support.broker import default_command, wait_until
from support.scenarios import Scenarios, check, check_in

FLOOD_SECONDS = 60  # for 64 MiB of persistent messages, on whatever disk
scenario = Scenarios(Stage, shared=False)


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
    blocked.join(FLOOD_SECONDS)
    sender.join(FLOOD_SECONDS)
    check(not blocked.is_alive() and not sender.is_alive(), "a publisher stays blocked when the alarm is over")
    told.wait_for("low on memory (rabbit@here)", "")
    newcomer_told.wait_for("low on memory (rabbit@here)", "")
    check(inbox.queue_declare("q", passive=True).method.message_count == 3, "not all that was confirmed is there")
    wait_until(
        lambda: inbox.queue_declare("flood", passive=True).method.message_count == 1 + len(sizes),
        FLOOD_SECONDS,
        "the flood",
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
