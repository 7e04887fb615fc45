"""aio-pika against the broker: the same day through asyncio, with publisher confirms on by default."""

import asyncio
import datetime

import aio_pika
from aio_pika import DeliveryMode, ExchangeType, Message
from aiormq import exceptions
from pamqp.exceptions import AMQPInternalError
from scenario import expect, expect_in, main, scenario

PATIENCE = 10  # seconds until a scenario gives up waiting


class Client:
    def __init__(self, url):
        self.url = url
        self.connections = []

    async def connect(self, **kwargs):
        connection = await aio_pika.connect(self.url, **kwargs)
        self.connections.append(connection)
        return connection

    async def channel(self, **kwargs):
        return await (await self.connect()).channel(**kwargs)

    async def close(self):
        for connection in self.connections:
            if not connection.is_closed:
                await connection.close()


def run_one(function, url):
    async def run():
        client = Client(url)
        try:
            await asyncio.wait_for(function(client), 3 * PATIENCE)
        finally:
            await client.close()

    asyncio.run(run())


async def take(queue, count):
    """The next `count` bodies of a queue, acknowledged."""
    bodies = []
    async with queue.iterator() as messages:
        async for message in messages:
            await message.ack()
            bodies.append(message.body)
            if len(bodies) == count:
                return bodies


async def held(queue):
    """Everything that is ready in a queue, without waiting."""
    bodies = []
    while True:
        message = await queue.get(no_ack=True, fail=False)
        if message is None:
            return bodies
        bodies.append(message.body)


async def refused(operation, kind, code, text):
    try:
        await operation
    except kind as error:
        if isinstance(error.args[0], int):
            expect(error.args[0], code, "reply code")
        expect_in(text, str(error), "reply text")
    else:
        raise AssertionError(f"not refused with {code}")


@scenario
async def work_queue(client):
    publisher = await client.channel()
    tasks = await publisher.declare_queue("interop.aio.work", durable=True)
    await tasks.purge()
    taken = {"busy": [], "free": []}
    done = asyncio.Event()

    async def worker(name):
        channel = await client.channel()
        await channel.set_qos(prefetch_count=1)

        async def on_message(message):
            taken[name].append(message.body)
            if name == "free":
                await message.ack()
            if len(taken["free"]) == 9 and taken["busy"]:
                done.set()

        await (await channel.get_queue("interop.aio.work")).consume(on_message)

    await worker("busy")
    await worker("free")
    for number in range(10):
        message = Message(b"%d" % number, delivery_mode=DeliveryMode.PERSISTENT)
        await publisher.default_exchange.publish(message, routing_key="interop.aio.work")
    await asyncio.wait_for(done.wait(), PATIENCE)
    expect(len(taken["busy"]), 1, "the busy worker holds one")
    await tasks.delete(if_unused=False, if_empty=False)


@scenario
async def fanout(client):
    channel = await client.channel()
    exchange = await channel.declare_exchange("interop.aio.logs", ExchangeType.FANOUT, auto_delete=True)
    queues = [await channel.declare_queue(exclusive=True) for _ in range(3)]
    for queue in queues:
        await queue.bind(exchange)
    await exchange.publish(Message(b"to all"), routing_key="")
    expect([await take(queue, 1) for queue in queues], [[b"to all"]] * 3, "copies")


async def routed(client, kind, bindings, messages):
    channel = await client.channel()
    exchange = await channel.declare_exchange(f"interop.aio.{kind.value}", kind, auto_delete=True)
    queues = []
    for binding in bindings:
        queue = await channel.declare_queue(exclusive=True)
        key, arguments = ("", binding) if isinstance(binding, dict) else (binding, None)
        await queue.bind(exchange, key, arguments=arguments)
        queues.append(queue)
    for number, message in enumerate(messages):
        key, headers = ("", message) if isinstance(message, dict) else (message, {})
        # Confirms are on and nothing is mandatory: an unroutable message is simply confirmed.
        await exchange.publish(Message(b"%d" % number, headers=headers), routing_key=key, mandatory=False)
    return [[int(body) for body in await held(queue)] for queue in queues]


@scenario
async def direct(client):
    got = await routed(client, ExchangeType.DIRECT, ["error", "info"], ["info", "error", "debug", "error"])
    expect(got, [[1, 3], [0]], "direct")


@scenario
async def topic(client):
    got = await routed(client, ExchangeType.TOPIC, ["a.*", "a.#", "#.z", "*"], ["a", "a.b", "a.b.z", "z", "", "a..z"])
    expect(got, [[1], [0, 1, 2, 5], [2, 3, 5], [0, 3]], "topic: an empty key has no word at all")


@scenario
async def headers(client):
    bindings = [{"x-match": "all", "n": 1, "s": "x"}, {"x-match": "any", "n": 1, "s": "x"}, {"x-match": "all", "b": True}]
    got = await routed(client, ExchangeType.HEADERS, bindings, [{"n": 1, "s": "x"}, {"n": 1}, {"b": True}, {"b": "True"}])
    expect(got, [[0], [0, 1], [2]], "headers")


@scenario
async def rpc(client):
    server, caller = await client.channel(), await client.channel()
    requests = await server.declare_queue(exclusive=True)

    async def answer(message):
        async with message.process():
            reply = Message(message.body.upper(), correlation_id=message.correlation_id)
            await server.default_exchange.publish(reply, routing_key=message.reply_to)

    await requests.consume(answer)
    replies = await caller.declare_queue(exclusive=True)
    waiting = {f"id-{n}": asyncio.get_running_loop().create_future() for n in range(20)}

    async def on_reply(message):
        waiting[message.correlation_id].set_result(message.body)

    await replies.consume(on_reply, no_ack=True)
    for correlation_id in waiting:
        ask = Message(b"ask " + correlation_id.encode(), reply_to=replies.name, correlation_id=correlation_id)
        await caller.default_exchange.publish(ask, routing_key=requests.name)
    answers = await asyncio.wait_for(asyncio.gather(*waiting.values()), PATIENCE)
    expect(answers, [b"ASK ID-%d" % n for n in range(20)], "answers")


@scenario
async def confirms_one_by_one(client):
    channel = await client.channel()
    queue = await channel.declare_queue("interop.aio.confirm", durable=True)
    for number in range(50):
        message = Message(b"%d" % number, delivery_mode=DeliveryMode.PERSISTENT)
        confirmation = await channel.default_exchange.publish(message, routing_key=queue.name)
        expect(type(confirmation).__name__, "Ack", "answer")
    deleted = await queue.delete(if_unused=False, if_empty=False)
    expect(deleted.message_count, 50, "delete-ok counts")


@scenario
async def confirms_in_batches(client):
    channel = await client.channel()
    queue = await channel.declare_queue("interop.aio.batch", durable=True)
    message = Message(b"x", delivery_mode=DeliveryMode.PERSISTENT)
    for _ in range(3):
        answers = await asyncio.gather(
            *(channel.default_exchange.publish(message, routing_key=queue.name) for _ in range(300))
        )
        expect({type(answer).__name__ for answer in answers}, {"Ack"}, "answers")
    expect((await queue.delete(if_unused=False, if_empty=False)).message_count, 900, "stored")


@scenario
async def mandatory_return(client):
    channel = await client.channel(on_return_raises=True)
    try:
        await channel.default_exchange.publish(Message(b"back", headers={"kept": 1}), routing_key="interop.nowhere")
    except exceptions.DeliveryError as error:
        returned = error.message
        expect((returned.delivery.reply_code, returned.delivery.reply_text), (312, "NO_ROUTE"), "return")
        expect((returned.body, returned.header.properties.headers), (b"back", {"kept": 1}), "content")
    else:
        raise AssertionError("nothing came back")


@scenario
async def redelivery(client):
    connection = await client.connect()
    first, second = await connection.channel(), await connection.channel()
    queue = await second.declare_queue("interop.aio.redelivery", exclusive=True)
    for number in range(6):
        await second.default_exchange.publish(Message(b"%d" % number), routing_key=queue.name)
    other_side = await first.get_queue(queue.name)
    taken = [await other_side.get() for _ in range(4)]
    await taken[1].ack()
    expect([message.redelivered for message in taken], [False] * 4, "fresh")
    await first.close()
    again = [await queue.get(no_ack=True) for _ in range(5)]
    expect(
        [(message.body, message.redelivered) for message in again],
        [(b"0", True), (b"2", True), (b"3", True), (b"4", False), (b"5", False)],
        "again",
    )


@scenario
async def large_and_empty_bodies(client):
    channel = await client.channel()
    queue = await channel.declare_queue(exclusive=True)
    sent = [bytes(range(256)) * (5 * 1024 * 4), b"", b"small"]
    for body in sent:
        await channel.default_exchange.publish(Message(body), routing_key=queue.name)
    expect(await take(queue, 3) == sent, True, "5 MiB, nothing, and a little are the same")


@scenario
async def properties(client):
    channel = await client.channel()
    queue = await channel.declare_queue(exclusive=True)
    sent = Message(
        b"body",
        headers={
            "bool": False,
            "short": -200,
            "int": -2_000_000_000,
            "long": -(2**60),
            "text": "żółć",
            "bytes": b"\xff\x00",
            "time": datetime.datetime(2020, 1, 2, 3, 4, 5),
            "none": None,
            "list": ["a", 1, [True]],
            "table": {"deep": {"deeper": "x"}},
        },
        content_type="application/json",
        content_encoding="identity",
        delivery_mode=DeliveryMode.PERSISTENT,
        priority=3,
        correlation_id="c",
        reply_to="r",
        expiration=600,
        message_id="m",
        timestamp=datetime.datetime(2024, 5, 6, 7, 8, 9),
        type="t",
        user_id="guest",
        app_id="a",
    )
    await channel.default_exchange.publish(sent, routing_key=queue.name)
    received = await queue.get(no_ack=True)
    for name, value in sent.info().items():
        expect(received.info()[name], value, name)


@scenario
async def cancel_notification(client):
    """aio-pika ends the consumer when the queue goes; the channel works on."""
    channel, other = await client.channel(), await client.channel()
    queue = await channel.declare_queue("interop.aio.doomed", durable=True)
    await queue.consume(lambda message: None)
    consumers = channel.channel.consumers
    expect(len(consumers), 1, "consumers before")
    await (await other.get_queue("interop.aio.doomed")).delete(if_unused=False, if_empty=False)

    async def forgotten():
        while consumers:
            await asyncio.sleep(0.02)

    await asyncio.wait_for(forgotten(), PATIENCE)
    await channel.declare_queue(exclusive=True)


@scenario
async def refusals(client):
    connection = await client.connect()
    await (await client.channel()).declare_queue("interop.aio.locked", exclusive=True)
    await refused(
        (await connection.channel()).declare_queue("interop.aio.locked", exclusive=True),
        exceptions.ChannelLockedResource,
        405,
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'interop.aio.locked' in vhost '/'",
    )
    await refused(
        (await connection.channel()).declare_queue("interop.aio.no", passive=True),
        exceptions.ChannelNotFoundEntity,
        404,
        "NOT_FOUND - no queue 'interop.aio.no' in vhost '/'",
    )
    await refused(
        (await connection.channel()).declare_exchange("interop.aio.no", passive=True),
        exceptions.ChannelNotFoundEntity,
        404,
        "NOT_FOUND - no exchange 'interop.aio.no' in vhost '/'",
    )
    channel = await connection.channel()
    mine = await channel.declare_queue("interop.aio.mine", durable=True)
    await refused(
        (await connection.channel()).declare_queue("interop.aio.mine", durable=False),
        exceptions.ChannelPreconditionFailed,
        406,
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'interop.aio.mine' in vhost '/': "
        "received 'false' but current is 'true'",
    )
    await mine.delete()


@scenario
async def wrong_password(client):
    url = aio_pika.connection.URL(client.url).with_password("wrong")
    text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN"
    await refused(aio_pika.connect(url), exceptions.ProbableAuthenticationError, 403, text)


@scenario
async def missing_vhost(client):
    url = aio_pika.connection.URL(client.url).with_path("interop.no")
    try:
        await aio_pika.connect(url)
    except AMQPInternalError as error:  # aiormq hands over the frame that it did not expect
        close = error.args[1]
        expect((close.name, close.reply_code), ("Connection.Close", 530), "reply")
        expect_in("NOT_ALLOWED - vhost interop.no not found", close.reply_text, "reply text")
    else:
        raise AssertionError("a vhost that does not exist was opened")


@scenario
async def heartbeat(client):
    connection = await aio_pika.connect(f"{client.url}?heartbeat=1")
    client.connections.append(connection)
    channel = await connection.channel()
    closed = asyncio.Event()
    connection.close_callbacks.add(lambda *_: closed.set())
    try:
        await asyncio.wait_for(closed.wait(), 3.5)
    except asyncio.TimeoutError:
        pass
    expect(closed.is_set(), False, "closed while idle")
    await channel.declare_queue(exclusive=True)


@scenario
async def get_counts(client):
    channel = await client.channel()
    queue = await channel.declare_queue(exclusive=True)
    expect(await queue.get(fail=False), None, "get-empty")
    for number in range(3):
        await channel.default_exchange.publish(Message(b"%d" % number), routing_key=queue.name)
    counts = [(await queue.get()).message_count for _ in range(3)]
    expect(counts, [2, 1, 0], "what remains after each get")


@scenario
async def transactions(client):
    channel = await client.channel(publisher_confirms=False)
    watcher = await client.channel()
    queue = await channel.declare_queue("interop.aio.tx", durable=True)
    async with channel.transaction():
        await channel.default_exchange.publish(Message(b"kept"), routing_key=queue.name)
    transaction = channel.transaction()
    await transaction.select()
    await channel.default_exchange.publish(Message(b"dropped"), routing_key=queue.name)
    await transaction.rollback()
    other_side = await watcher.get_queue(queue.name)
    expect(await held(other_side), [b"kept"], "what is left")
    await queue.delete()


@scenario
async def many_channels(client):
    """A hundred channels of one connection work at the same time."""
    connection = await client.connect()

    async def round_trip(number):
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(Message(b"%d" % number), routing_key=queue.name)
        body = (await queue.get(no_ack=True)).body
        await channel.close()
        return body

    bodies = await asyncio.gather(*(round_trip(number) for number in range(100)))
    expect(bodies, [b"%d" % number for number in range(100)], "bodies")


main(run_one)
