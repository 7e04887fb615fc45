"""pika against the broker: what its users do on an ordinary day, through BlockingConnection."""

import collections
import datetime
import decimal
import time

import pika
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)
from scenario import expect, expect_in, main, scenario

PATIENCE = 10  # seconds until a scenario gives up waiting


class Client:
    """The connections of one scenario; all are closed after it."""

    def __init__(self, url):
        self.url = url
        self.connections = []

    def parameters(self, **changes):
        parameters = pika.URLParameters(self.url)
        for name, value in changes.items():
            setattr(parameters, name, value)
        return parameters

    def connect(self, **changes):
        connection = pika.BlockingConnection(self.parameters(**changes))
        self.connections.append(connection)
        return connection

    def channel(self):
        return self.connect().channel()

    def close(self):
        for connection in self.connections:
            if connection.is_open:
                connection.close()


def private_queue(channel, **kwargs):
    """A server-named exclusive queue."""
    return channel.queue_declare("", exclusive=True, **kwargs).method.queue


def pump(channel, condition, what):
    """Lets the client work until `condition()` holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(what)
        channel.connection.process_data_events(0.05)


def collect(channel, queue, count):
    """Consumes `count` bodies from `queue` with automatic acknowledgement."""
    bodies = []
    tag = channel.basic_consume(queue, lambda _c, _m, _p, body: bodies.append(body), auto_ack=True)
    pump(channel, lambda: len(bodies) >= count, f"{len(bodies)} of {count} messages came")
    channel.basic_cancel(tag)
    return bodies


def run_one(function, url):
    client = Client(url)
    try:
        function(client)
    finally:
        client.close()


@scenario
def work_queue(client):
    """With prefetch 1 a busy worker gets nothing more, and the free one gets the rest."""
    publisher = client.channel()
    publisher.queue_declare("interop.pika.work", durable=True)
    publisher.queue_purge("interop.pika.work")
    workers = {"busy": client.channel(), "free": client.channel()}
    taken = collections.defaultdict(list)

    def on_message(name):
        def work(channel, method, _properties, body):
            taken[name].append(body)
            if name == "free":
                channel.basic_ack(method.delivery_tag)

        return work

    for name, channel in workers.items():
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("interop.pika.work", on_message(name))
    for number in range(10):
        publisher.basic_publish("", "interop.pika.work", b"%d" % number, pika.BasicProperties(delivery_mode=2))

    def done():
        workers["busy"].connection.process_data_events(0)
        return len(taken["busy"]) == 1 and len(taken["free"]) == 9

    pump(workers["free"], done, f"fair dispatch: {dict(taken)}")
    expect(sorted(sum(taken.values(), [])), [b"%d" % n for n in range(10)], "each task once")
    workers["busy"].connection.close()
    pump(workers["free"], lambda: len(taken["free"]) == 10, "the dead worker's task goes to the other")
    publisher.queue_delete("interop.pika.work")


@scenario
def declared_here_found_there(client):
    """A queue that was declared on one connection is there for another one in the same moment."""
    channels = [client.channel() for _ in range(4)]
    for number in range(200):
        name = f"found-{number}"
        channels[number % 4].queue_declare(name, auto_delete=True)
        for offset in (1, 2, 3):
            channels[(number + offset) % 4].queue_declare(name, passive=True)
        channels[number % 4].queue_delete(name)


@scenario
def fanout(client):
    channel = client.channel()
    channel.exchange_declare("interop.pika.logs", "fanout")
    queues = [private_queue(channel) for _ in range(3)]
    expect(all(name.startswith("amq.gen-") for name in queues), True, "names of the server")
    expect(len(set(queues)), 3, "different names")
    for queue in queues:
        channel.queue_bind(queue, "interop.pika.logs")
    channel.basic_publish("interop.pika.logs", "ignored", b"to all")
    expect([collect(channel, queue, 1) for queue in queues], [[b"to all"]] * 3, "copies")
    channel.exchange_delete("interop.pika.logs")


def routed(channel, kind, bindings, messages):
    """Binds one queue per entry of `bindings`, publishes `messages`, returns what each queue holds."""
    exchange = f"interop.pika.{kind}"
    channel.exchange_declare(exchange, kind, auto_delete=True)
    queues = []
    for binding in bindings:
        queue = private_queue(channel)
        key, arguments = ("", binding) if isinstance(binding, dict) else (binding, None)
        channel.queue_bind(queue, exchange, key, arguments)
        queues.append(queue)
    channel.confirm_delivery()
    for number, message in enumerate(messages):
        key, headers = ("", message) if isinstance(message, dict) else (message, None)
        channel.basic_publish(exchange, key, b"%d" % number, pika.BasicProperties(headers=headers))
    held = []
    for queue in queues:
        numbers = []
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                break
            numbers.append(int(body))
        held.append(numbers)
    return held


@scenario
def direct(client):
    held = routed(client.channel(), "direct", ["error", "info", "error"], ["info", "error", "debug"])
    expect(held, [[1], [0], [1]], "direct")


@scenario
def topic(client):
    held = routed(
        client.channel(),
        "topic",
        ["*.orange.*", "*.*.rabbit", "lazy.#", "#", "lazy.#.rabbit"],
        ["quick.orange.rabbit", "lazy.orange.elephant", "lazy", "orange", "lazy.pink.fat.rabbit", ""],
    )
    expect(held, [[0, 1], [0], [1, 2, 4], [0, 1, 2, 3, 4, 5], [4]], "topic")


@scenario
def headers(client):
    held = routed(
        client.channel(),
        "headers",
        [
            {"x-match": "all", "colour": "red", "size": 3},
            {"x-match": "any", "colour": "red", "size": 3},
            {"colour": "red"},
        ],
        [{"colour": "red", "size": 3, "more": True}, {"colour": "red"}, {"size": 3}, {"size": "3"}],
    )
    expect(held, [[0], [0, 1, 2], [0, 1]], "headers")


@scenario
def rpc(client):
    """A caller with its own reply queue and two questions under way; answers are told apart by correlation id."""
    server, caller = client.channel(), client.channel()
    requests = private_queue(server)

    def answer(channel, method, properties, body):
        reply = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish("", properties.reply_to, b"%d" % (int(body) ** 2), reply)
        channel.basic_ack(method.delivery_tag)

    server.basic_consume(requests, answer)
    reply_queue = private_queue(caller)
    answers = {}
    caller.basic_consume(reply_queue, lambda _c, _m, p, body: answers.update({p.correlation_id: body}), auto_ack=True)
    for question in (7, 9):
        ask = pika.BasicProperties(reply_to=reply_queue, correlation_id=f"question-{question}")
        caller.basic_publish("", requests, b"%d" % question, ask)

    def answered():
        server.connection.process_data_events(0.02)
        return len(answers) == 2

    pump(caller, answered, f"answers: {answers}")
    expect(answers, {"question-7": b"49", "question-9": b"81"}, "answers")


@scenario
def confirms_one_by_one(client):
    channel = client.channel()
    channel.queue_declare("interop.pika.confirm", durable=True)
    channel.confirm_delivery()
    for number in range(50):
        channel.basic_publish("", "interop.pika.confirm", b"%d" % number, pika.BasicProperties(delivery_mode=2))
    expect(channel.queue_declare("interop.pika.confirm", passive=True).method.message_count, 50, "stored")
    expect(channel.queue_delete("interop.pika.confirm").method.message_count, 50, "delete-ok counts")


@scenario
def confirms_in_batches(client):
    """500 persistent messages without waiting: each number is answered once, alone or under `multiple`."""
    total, seen, problems = 500, set(), []

    def on_confirm(frame):
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        numbers = [n for n in range(1, tag + 1) if n not in seen] if multiple else [tag]
        if frame.method.NAME != "Basic.Ack" or not numbers or numbers[0] in seen:
            problems.append(f"{frame.method} after {len(seen)} answers")
        seen.update(numbers)
        if len(seen) == total or problems:
            connection.close()

    def on_channel(channel):
        def on_queue(frame):
            channel.confirm_delivery(on_confirm)
            for _ in range(total):
                channel.basic_publish("", frame.method.queue, b"x", pika.BasicProperties(delivery_mode=2))

        channel.queue_declare("", exclusive=True, callback=on_queue)

    connection = pika.SelectConnection(
        client.parameters(),
        on_open_callback=lambda c: c.channel(on_open_callback=on_channel),
        on_open_error_callback=lambda c, _error: c.ioloop.stop(),
        on_close_callback=lambda c, _reason: c.ioloop.stop(),
    )
    connection.ioloop.call_later(PATIENCE, connection.ioloop.stop)
    connection.ioloop.start()
    expect(problems, [], "answers")
    expect(sorted(seen), list(range(1, total + 1)), "confirmed numbers")


@scenario
def mandatory_return(client):
    """Returned, then confirmed; pika makes one exception of the two."""
    channel = client.channel()
    channel.confirm_delivery()
    properties = pika.BasicProperties(content_type="text/plain", headers={"kept": True})
    try:
        channel.basic_publish("amq.direct", "interop.nowhere", b"come back", properties, mandatory=True)
    except UnroutableError as error:
        returned = error.messages[0]
    else:
        raise AssertionError("nothing came back")
    expect((returned.method.reply_code, returned.method.reply_text), (312, "NO_ROUTE"), "return")
    expect((returned.method.exchange, returned.method.routing_key), ("amq.direct", "interop.nowhere"), "address")
    expect((returned.body, returned.properties.headers), (b"come back", {"kept": True}), "content")
    channel.basic_publish("amq.direct", "interop.nowhere", b"dropped and confirmed")


@scenario
def redelivery(client):
    """Unacknowledged messages of a closed channel come back first, in order and marked."""
    connection = client.connect()
    first, second = connection.channel(), connection.channel()
    queue = private_queue(second)
    for number in range(5):
        second.basic_publish("", queue, b"%d" % number)
    taken = []
    first.basic_qos(prefetch_count=3)
    first.basic_consume(queue, lambda _c, m, _p, body: taken.append((body, m.redelivered)))
    pump(first, lambda: len(taken) == 3, "the first three")
    expect(taken, [(b"%d" % n, False) for n in range(3)], "fresh")
    first.close()
    again = [second.basic_get(queue, auto_ack=True) for _ in range(5)]
    expect([(body, m.redelivered) for m, _, body in again], [(b"%d" % n, n < 3) for n in range(5)], "again")


@scenario
def reject_and_requeue(client):
    channel = client.channel()
    queue = private_queue(channel)
    for number in range(4):
        channel.basic_publish("", queue, b"%d" % number)
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(4)]
    channel.basic_reject(tags[1], requeue=False)
    channel.basic_nack(tags[2], multiple=True, requeue=True)
    channel.basic_reject(tags[3], requeue=True)
    left = [channel.basic_get(queue, auto_ack=True) for _ in range(3)]
    expect([(body, m.redelivered) for m, _, body in left], [(b"0", True), (b"2", True), (b"3", True)], "order")
    expect(channel.basic_get(queue)[0], None, "the queue is empty")


@scenario
def large_body(client):
    channel = client.channel()
    queue = private_queue(channel)
    body = bytes(range(256)) * (5 * 1024 * 4)
    channel.confirm_delivery()
    channel.basic_publish("", queue, body)
    expect(collect(channel, queue, 1) == [body], True, "5 MiB are the same")


@scenario
def frame_sized_bodies(client):
    """Bodies around the largest frame: the last frame is full, or holds one byte, or is missing one."""
    channel = client.channel()
    queue = private_queue(channel)
    frame_max = channel.connection._impl.params.frame_max
    sizes = [frame_max - 9, frame_max - 8, frame_max - 7, 2 * (frame_max - 8), 2 * (frame_max - 8) + 1]
    for size in sizes:
        channel.basic_publish("", queue, b"z" * size)
    expect([len(body) for body in collect(channel, queue, len(sizes))], sizes, "sizes")


@scenario
def empty_body(client):
    channel = client.channel()
    queue = private_queue(channel)
    for body in (b"", b"after", b""):
        channel.basic_publish("", queue, body)
    expect(collect(channel, queue, 3), [b"", b"after", b""], "bodies")


@scenario
def properties(client):
    """Every property and every header type that pika can send comes back the same."""
    channel = client.channel()
    queue = private_queue(channel)
    sent = pika.BasicProperties(
        content_type="text/plain; charset=utf-8",
        content_encoding="identity",
        headers={
            "bool": True,
            "int": -2_000_000_000,
            "long": 2**62,
            "decimal": decimal.Decimal("-123.45"),
            "text": "grüße",
            "empty": "",
            "bytes": b"\x00\xff\x80",
            "time": datetime.datetime(2001, 2, 3, 4, 5, 6),
            "none": None,
            "list": [1, "two", None, [3, {"four": 5}]],
            "table": {"a": {"b": {"c": False}}, "empty": {}},
            "": "the key is empty",
            "k" * 128: "the longest key",
        },
        delivery_mode=2,
        priority=7,
        correlation_id="c-1",
        reply_to="elsewhere",
        expiration="600000",
        message_id="m" * 255,
        timestamp=1_700_000_000,
        type="kind",
        user_id=client.parameters().credentials.username,
        app_id="interop",
        cluster_id="c",
    )
    channel.basic_publish("", queue, b"x", sent)
    channel.basic_publish("", queue, b"bare")
    _, received, _ = channel.basic_get(queue, auto_ack=True)
    for name, value in vars(sent).items():
        expect(getattr(received, name), value, name)
    _, bare, _ = channel.basic_get(queue, auto_ack=True)
    expect({n: v for n, v in vars(bare).items() if v is not None}, {}, "no property is invented")


@scenario
def cancel_notification(client):
    """Deleting a queue tells its consumers."""
    channel, other = client.channel(), client.channel()
    channel.queue_declare("interop.pika.doomed", durable=True)
    cancelled = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    tag = channel.basic_consume("interop.pika.doomed", lambda *_: None)
    other.queue_delete("interop.pika.doomed")
    pump(channel, lambda: cancelled, "the consumer hears of it")
    expect(cancelled, [tag], "cancelled consumer")
    expect(channel.is_open, True, "the channel lives on")


def refused(operation, code, text):
    try:
        operation()
    except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
        expect(error.reply_code, code, "reply code")
        expect_in(text, error.reply_text, "reply text")
    else:
        raise AssertionError(f"not refused with {code}")


@scenario
def exclusive_queue_refused(client):
    queue = "interop.pika.locked"
    client.channel().queue_declare(queue, exclusive=True)
    other = client.connect()
    text = f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'"
    refused(lambda: other.channel().queue_declare(queue, passive=True), 405, text)
    refused(lambda: other.channel().queue_declare(queue, exclusive=True), 405, text)
    refused(lambda: other.channel().basic_get(queue), 405, text)
    refused(lambda: other.channel().queue_delete(queue), 405, text)
    refused(lambda: other.channel().basic_consume(queue, lambda *_: None), 405, text)
    refused(lambda: other.channel().queue_bind(queue, "amq.direct", "k"), 405, text)
    refused(lambda: other.channel().queue_purge(queue), 405, text)
    publisher = other.channel()
    publisher.confirm_delivery()
    publisher.basic_publish("", queue, b"publishing is allowed", mandatory=True)


@scenario
def reserved_names(client):
    """Names beginning `amq.` are the server's, even the one it has just given us; asking passively is fine."""
    connection = client.connect()
    queue = private_queue(connection.channel())
    expect(connection.channel().queue_declare(queue, passive=True).method.queue, queue, "passive")
    text = f"ACCESS_REFUSED - queue name '{queue}' contains reserved prefix 'amq.*'"
    refused(lambda: connection.channel().queue_declare(queue, exclusive=True), 403, text)
    text = "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"
    refused(lambda: connection.channel().exchange_declare("amq.mine"), 403, text)


@scenario
def exclusive_queue_ends_with_its_connection(client):
    """An immediate reconnect may declare the same name: the queue is gone before close-ok."""
    for _ in range(20):
        connection = client.connect()
        connection.channel().queue_declare("interop.pika.mine", exclusive=True)
        connection.close()


@scenario
def exclusive_consumer_refused(client):
    connection = client.connect()
    channel = connection.channel()
    queue = private_queue(channel)
    channel.basic_consume(queue, lambda *_: None, exclusive=True)
    text = f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"
    refused(lambda: connection.channel().basic_consume(queue, lambda *_: None), 403, text)


@scenario
def missing_things(client):
    connection = client.connect()
    text = "NOT_FOUND - no queue 'interop.no' in vhost '/'"
    refused(lambda: connection.channel().queue_declare("interop.no", passive=True), 404, text)
    refused(lambda: connection.channel().basic_get("interop.no"), 404, text)
    text = "NOT_FOUND - no exchange 'interop.no' in vhost '/'"
    refused(lambda: connection.channel().exchange_declare("interop.no", passive=True), 404, text)

    publisher = connection.channel()
    publisher.basic_publish("interop.no", "", b"nobody")
    refused(lambda: publisher.queue_declare("", exclusive=True), 404, text)
    channel = connection.channel()
    expect(channel.queue_delete("interop.no").method.message_count, 0, "deleting nothing is fine")
    channel.exchange_delete("interop.no")


@scenario
def inequivalent_declarations(client):
    connection = client.connect()
    channel = connection.channel()
    queue = private_queue(channel)
    channel.queue_declare("interop.pika.same", durable=True)
    channel.queue_declare("interop.pika.same", durable=True)
    prefix = "PRECONDITION_FAILED - inequivalent arg"
    refused(
        lambda: connection.channel().queue_declare("interop.pika.same", durable=True, auto_delete=True),
        406,
        f"{prefix} 'auto_delete' for queue 'interop.pika.same' in vhost '/': received 'true' but current is 'false'",
    )
    refused(
        lambda: connection.channel().queue_declare("interop.pika.same", durable=True, arguments={"x-max-length": 5}),
        406,
        f"{prefix} 'x-max-length' for queue 'interop.pika.same' in vhost '/': received the value '5' of type",
    )
    refused(
        lambda: connection.channel().exchange_declare("amq.direct", "topic", durable=True),
        406,
        f"{prefix} 'type' for exchange 'amq.direct' in vhost '/': received 'topic' but current is 'direct'",
    )
    text = f"PRECONDITION_FAILED - queue '{queue}' in vhost '/' not empty"
    channel.basic_publish("", queue, b"x")
    refused(lambda: channel.queue_delete(queue, if_empty=True), 406, text)
    cleaner = connection.channel()
    cleaner.queue_delete("interop.pika.same")


@scenario
def unknown_delivery_tag(client):
    channel = client.channel()
    channel.basic_ack(99)
    text = "PRECONDITION_FAILED - unknown delivery tag 99"
    refused(lambda: channel.queue_declare("", exclusive=True), 406, text)


@scenario
def one_channel_dies_alone(client):
    """A channel error leaves its neighbours and the connection alone; the number is free at once."""
    connection = client.connect()
    good, bad = connection.channel(1), connection.channel(2)
    refused(lambda: bad.queue_declare("interop.no", passive=True), 404, "NOT_FOUND")
    expect(bad.is_closed, True, "the failed channel is closed")
    again = connection.channel(2)
    queue = private_queue(again)
    good.basic_publish("", queue, b"hello")
    pump(again, lambda: again.queue_declare(queue, passive=True).method.message_count == 1, "published")
    method, _, body = again.basic_get(queue)
    expect((method.delivery_tag, body), (1, b"hello"), "tags start again")


@scenario
def wrong_password(client):
    credentials = pika.PlainCredentials("guest", "wrong")
    try:
        client.connect(credentials=credentials)
    except ProbableAuthenticationError as error:
        expect_in(
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
            "For details see the broker logfile.",
            str(error),
            "reply text",
        )
    else:
        raise AssertionError("let in with a wrong password")


@scenario
def missing_vhost(client):
    try:
        client.connect(virtual_host="interop.no")
    except ProbableAccessDeniedError as error:
        expect_in("530", str(error), "reply code")
        expect_in("NOT_ALLOWED - vhost interop.no not found", str(error), "reply text")
    else:
        raise AssertionError("a vhost that does not exist was opened")


@scenario
def heartbeat(client):
    """With one-second heartbeats an idle connection lives, because both sides send them."""
    connection = client.connect(heartbeat=1)
    channel = connection.channel()
    queue = private_queue(channel)
    connection.process_data_events(3.5)
    channel.basic_publish("", queue, b"alive")
    expect(collect(channel, queue, 1), [b"alive"], "still working")


@scenario
def silent_client_is_dropped(client):
    """A client that promised a heartbeat each second and says nothing is gone after 2 to 3 of them."""
    connection = client.connect(heartbeat=1)
    connection.channel().queue_declare("interop.pika.silent", exclusive=True)
    watcher = client.connect()
    started = time.monotonic()
    while True:
        try:
            watcher.channel().queue_declare("interop.pika.silent", passive=True)
            raise AssertionError("a locked queue must not be shown")
        except ChannelClosedByBroker as error:
            if error.reply_code == 404:
                break
            expect(error.reply_code, 405, "while the silent one lives")
        if time.monotonic() - started > PATIENCE:
            raise TimeoutError("the silent connection lives on")
        watcher.process_data_events(0.1)
    expect(1.0 <= time.monotonic() - started <= 5.0, True, f"dropped after {time.monotonic() - started:.1f} s")
    client.connections.remove(connection)


@scenario
def get_counts(client):
    channel = client.channel()
    queue = private_queue(channel)
    expect(channel.basic_get(queue)[0], None, "get-empty")
    for number in range(3):
        channel.basic_publish("", queue, b"%d" % number)
    pump(channel, lambda: channel.queue_declare(queue, passive=True).method.message_count == 3, "published")
    counts = [channel.basic_get(queue)[0].message_count for _ in range(3)]
    expect(counts, [2, 1, 0], "what remains after each get")
    declared = channel.queue_declare(queue, passive=True).method
    expect((declared.message_count, declared.consumer_count), (0, 0), "only ready messages count")
    channel.basic_nack(0, multiple=True)
    channel.basic_consume(queue, lambda *_: None)
    expect(channel.queue_purge(queue).method.message_count, 0, "purge spares what is unacknowledged")
    expect(channel.queue_declare(queue, passive=True).method.consumer_count, 1, "consumers")


@scenario
def transactions(client):
    """Publishes and acks become real at commit; rollback leaves both undone."""
    connection = client.connect()
    channel, watcher = connection.channel(), connection.channel()
    queue = private_queue(channel)
    channel.tx_select()
    channel.basic_publish("", queue, b"one")
    channel.basic_publish("", queue, b"two")
    expect(watcher.queue_declare(queue, passive=True).method.message_count, 0, "before commit")
    channel.tx_commit()
    expect(watcher.queue_declare(queue, passive=True).method.message_count, 2, "after commit")
    channel.basic_publish("", queue, b"never")
    channel.tx_rollback()
    method, _, body = channel.basic_get(queue)
    expect(body, b"one", "first")
    channel.basic_ack(method.delivery_tag)
    channel.tx_rollback()
    channel.basic_ack(method.delivery_tag)
    channel.tx_commit()
    channel.close()
    left = [watcher.basic_get(queue, auto_ack=True)[2] for _ in range(2)]
    expect(left, [b"two", None], "what is left")
    refused(lambda: watcher.tx_commit(), 406, "PRECONDITION_FAILED - channel is not transactional")


@scenario
def consumer_priorities(client):
    """The consumer with the higher priority is served first, as long as it has credit."""
    connection = client.connect()
    low, high = connection.channel(), connection.channel()
    queue = private_queue(low)
    got = {"low": [], "high": []}
    low.basic_consume(queue, lambda _c, _m, _p, body: got["low"].append(body), arguments={"x-priority": -1})
    high.basic_qos(prefetch_count=2)
    high.basic_consume(queue, lambda _c, _m, _p, body: got["high"].append(body), arguments={"x-priority": 5})
    for number in range(4):
        low.basic_publish("", queue, b"%d" % number)
    pump(low, lambda: len(got["low"]) + len(got["high"]) == 4, f"all delivered: {got}")
    expect(got, {"high": [b"0", b"1"], "low": [b"2", b"3"]}, "who got what")


@scenario
def exchange_bindings(client):
    """Exchange to exchange with a cycle, and an alternate exchange that counts as routed."""
    channel = client.channel()
    queue, lost = private_queue(channel), private_queue(channel)
    channel.exchange_declare("interop.pika.spare", "fanout", auto_delete=True)
    channel.queue_bind(lost, "interop.pika.spare")
    channel.exchange_declare(
        "interop.pika.a", "direct", auto_delete=True, arguments={"alternate-exchange": "interop.pika.spare"}
    )
    channel.exchange_declare("interop.pika.b", "direct", auto_delete=True)
    channel.exchange_bind("interop.pika.b", "interop.pika.a", "k")
    channel.exchange_bind("interop.pika.a", "interop.pika.b", "k")
    channel.queue_bind(queue, "interop.pika.a", "k")
    channel.queue_bind(queue, "interop.pika.b", "k")
    channel.confirm_delivery()
    channel.basic_publish("interop.pika.a", "k", b"once", mandatory=True)
    channel.basic_publish("interop.pika.a", "other", b"spare", mandatory=True)
    expect(channel.queue_declare(queue, passive=True).method.message_count, 1, "one copy through the cycle")
    expect(collect(channel, lost, 1), [b"spare"], "the alternate exchange takes the rest")


@scenario
def recover(client):
    channel = client.channel()
    queue = private_queue(channel)
    taken = []
    for number in range(3):
        channel.basic_publish("", queue, b"%d" % number)
    channel.basic_consume(queue, lambda _c, m, _p, body: taken.append((body, m.redelivered)))
    pump(channel, lambda: len(taken) == 3, "delivered")
    channel.basic_recover(requeue=True)
    pump(channel, lambda: len(taken) == 6, "delivered again")
    expect(taken[3:], [(b"%d" % n, True) for n in range(3)], "in order and marked")


QUEUE_TYPES = {"classic": {}, "quorum": {"x-queue-type": "quorum"}}


def count(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


@scenario
def messages_expire(client):
    """By their own time and the queue's, wherever they stand; none is delivered afterwards."""
    channel = client.channel()
    channel.confirm_delivery()
    for kind, arguments in QUEUE_TYPES.items():
        queue = f"interop.pika.ttl.{kind}"
        channel.queue_declare(queue, durable=True, arguments={**arguments, "x-message-ttl": 600_000})
        channel.queue_purge(queue)
        for body, expiration in ((b"first", None), (b"soon", "100"), (b"later", "300"), (b"last", "500000")):
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2, expiration=expiration))
        pump(channel, lambda: count(channel, queue) == 2, f"two of four expire in a {kind} queue")
        expect(collect(channel, queue, 2), [b"first", b"last"], f"what stays in a {kind} queue")
        channel.basic_publish("", queue, b"nobody is ready", pika.BasicProperties(expiration="0"))
        expect(channel.basic_get(queue), (None, None, None), f"gone at once from a {kind} queue")
        refused(
            lambda: channel.basic_publish("", queue, b"", pika.BasicProperties(expiration="soon")),
            406,
            "PRECONDITION_FAILED - invalid expiration 'soon': {error,no_integer}",
        )
        channel = client.channel()
        channel.confirm_delivery()
        channel.queue_delete(queue)


@scenario
def unused_queues_expire(client):
    channel = client.channel()
    for kind, arguments in QUEUE_TYPES.items():
        queue = f"interop.pika.expires.{kind}"
        channel.queue_declare(queue, durable=True, arguments={**arguments, "x-expires": 300})

        def is_gone(name=queue):
            try:
                # Asking a classic queue for its counts is using it; being refused is not.
                channel.connection.channel().queue_declare(name, durable=True, arguments={"x-expires": 1})
            except ChannelClosedByBroker as error:
                return error.reply_code != 406
            return True

        pump(channel, is_gone, f"the {kind} queue goes")


main(run_one)
