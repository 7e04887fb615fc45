// amqplib (promise API) against the broker. Called as `node amqplib_client.js URL [NAME…]`; prints
// `ok NAME` or `FAIL NAME: reason`. The package itself is found through NODE_PATH.
'use strict';

const assert = require('node:assert/strict');
const amqp = require('amqplib');

const PATIENCE_MS = 10000;
const url = process.argv[2];
const only = process.argv.slice(3);
const scenarios = [];
const scenario = (name, run) => scenarios.push({ name, run });

/** The promise, or a failure that says what did not happen in time. */
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise and its resolver, for events that come through callbacks. */
function event() {
  let happen;
  const promise = new Promise((resolve) => (happen = resolve));
  return { promise, happen };
}

class Client {
  connections = [];

  async connect(options, address = url) {
    const connection = await amqp.connect(address, options);
    connection.on('error', () => {});
    this.connections.push(connection);
    return connection;
  }

  async channel() {
    return quiet(await (await this.connect()).createChannel());
  }

  async close() {
    for (const connection of this.connections) await connection.close().catch(() => {});
  }
}

/** A channel whose errors are seen by the operation that caused them, and by nobody else. */
function quiet(channel) {
  channel.on('error', () => {});
  return channel;
}

async function privateQueue(channel) {
  return (await channel.assertQueue('', { exclusive: true })).queue;
}

/** Consumes `count` messages with automatic acknowledgement. */
async function collect(channel, queue, count) {
  const messages = [];
  const done = event();
  const { consumerTag } = await channel.consume(
    queue,
    (message) => messages.push(message) === count && done.happen(),
    { noAck: true },
  );
  await within(done.promise, `${messages.length} of ${count} messages of ${queue}`);
  await channel.cancel(consumerTag);
  return messages;
}

/** The bodies of everything that is ready in a queue. */
async function held(channel, queue) {
  const bodies = [];
  for (let message; (message = await channel.get(queue, { noAck: true })); ) bodies.push(message.content.toString());
  return bodies;
}

async function refused(operation, code, text) {
  await assert.rejects(operation, (error) => {
    assert.ok(error.message.includes(text), `expected … ${text} …, got ${error.message}`);
    assert.ok(error.code === undefined || error.code === code, `expected ${code}, got ${error.code}`);
    return true;
  });
}

scenario('work_queue', async (client) => {
  const publisher = await client.channel();
  const queue = 'interop.node.work';
  await publisher.assertQueue(queue, { durable: true });
  await publisher.purgeQueue(queue);
  const taken = { busy: 0, free: 0 };
  const done = event();
  for (const name of ['busy', 'free']) {
    const channel = await client.channel();
    await channel.prefetch(1);
    await channel.consume(queue, (message) => {
      taken[name] += 1;
      if (name === 'free') channel.ack(message);
      if (taken.free === 9 && taken.busy === 1) done.happen();
    });
  }
  for (let n = 0; n < 10; n += 1) publisher.sendToQueue(queue, Buffer.from(`${n}`), { persistent: true });
  await within(done.promise, 'fair dispatch');
  await publisher.deleteQueue(queue);
});

scenario('fanout', async (client) => {
  const channel = await client.channel();
  await channel.assertExchange('interop.node.logs', 'fanout', { autoDelete: true });
  const queues = [await privateQueue(channel), await privateQueue(channel)];
  for (const queue of queues) await channel.bindQueue(queue, 'interop.node.logs', '');
  channel.publish('interop.node.logs', '', Buffer.from('to all'));
  for (const queue of queues) {
    const [message] = await collect(channel, queue, 1);
    assert.equal(message.content.toString(), 'to all');
  }
});

async function routed(client, kind, bindings, messages) {
  const channel = quiet(await (await client.connect()).createConfirmChannel());
  const exchange = `interop.node.${kind}`;
  await channel.assertExchange(exchange, kind, { autoDelete: true });
  const queues = [];
  for (const binding of bindings) {
    const queue = await privateQueue(channel);
    if (typeof binding === 'string') await channel.bindQueue(queue, exchange, binding);
    else await channel.bindQueue(queue, exchange, '', binding);
    queues.push(queue);
  }
  messages.forEach((message, n) => {
    const [key, headers] = typeof message === 'string' ? [message, {}] : ['', message];
    channel.publish(exchange, key, Buffer.from(`${n}`), { headers });
  });
  await channel.waitForConfirms();
  const result = [];
  for (const queue of queues) result.push((await held(channel, queue)).join(' '));
  return result;
}

scenario('direct', async (client) => {
  assert.deepEqual(await routed(client, 'direct', ['a', 'b'], ['b', 'a', 'c', 'a']), ['1 3', '0']);
});

scenario('topic', async (client) => {
  const bindings = ['*.critical', 'kern.#', '#', '#.x.#'];
  const keys = ['kern.critical', 'kern', 'a.b.critical', 'x', 'p.x.q', ''];
  assert.deepEqual(await routed(client, 'topic', bindings, keys), ['0', '0 1', '0 1 2 3 4 5', '3 4']);
});

scenario('headers', async (client) => {
  const bindings = [
    { 'x-match': 'all', n: 1, s: 'x' },
    { 'x-match': 'any', n: 1, s: 'x' },
  ];
  assert.deepEqual(await routed(client, 'headers', bindings, [{ n: 1, s: 'x' }, { n: 2, s: 'x' }, { n: 2 }]), ['0', '0 1']);
});

scenario('rpc', async (client) => {
  const server = await client.channel();
  const caller = await client.channel();
  const requests = await privateQueue(server);
  await server.consume(requests, (message) => {
    const answer = Buffer.from(message.content.toString().split('').reverse().join(''));
    server.sendToQueue(message.properties.replyTo, answer, { correlationId: message.properties.correlationId });
    server.ack(message);
  });
  const replies = await privateQueue(caller);
  const answers = {};
  const done = event();
  await caller.consume(
    replies,
    (message) => {
      answers[message.properties.correlationId] = message.content.toString();
      if (Object.keys(answers).length === 2) done.happen();
    },
    { noAck: true },
  );
  caller.sendToQueue(requests, Buffer.from('abc'), { replyTo: replies, correlationId: '1' });
  caller.sendToQueue(requests, Buffer.from('xyz'), { replyTo: replies, correlationId: '2' });
  await within(done.promise, 'both answers');
  assert.deepEqual(answers, { 1: 'cba', 2: 'zyx' });
});

scenario('confirms_one_by_one', async (client) => {
  const channel = quiet(await (await client.connect()).createConfirmChannel());
  await channel.assertQueue('interop.node.confirm', { durable: true });
  for (let n = 0; n < 50; n += 1) {
    const answer = event();
    channel.sendToQueue('interop.node.confirm', Buffer.from(`${n}`), { persistent: true }, answer.happen);
    assert.equal(await within(answer.promise, `confirm ${n}`), null);
  }
  assert.equal((await channel.deleteQueue('interop.node.confirm')).messageCount, 50);
});

scenario('confirms_in_batches', async (client) => {
  const channel = quiet(await (await client.connect()).createConfirmChannel());
  await channel.assertQueue('interop.node.batch', { durable: true });
  let answered = 0;
  for (let batch = 0; batch < 3; batch += 1) {
    for (let n = 0; n < 300; n += 1) {
      channel.sendToQueue('interop.node.batch', Buffer.alloc(100), { persistent: true }, (refusal) => {
        assert.equal(refusal, null);
        answered += 1;
      });
    }
    await within(channel.waitForConfirms(), 'confirms of a batch');
    assert.equal(answered, 300 * (batch + 1));
  }
  assert.equal((await channel.deleteQueue('interop.node.batch')).messageCount, 900);
});

scenario('mandatory_return', async (client) => {
  const channel = quiet(await (await client.connect()).createConfirmChannel());
  const story = [];
  channel.on('return', (message) => story.push(message));
  const answer = event();
  const options = { mandatory: true, headers: { kept: true }, contentType: 'text/plain' };
  channel.publish('amq.direct', 'interop.nowhere', Buffer.from('back'), options, (refusal) => {
    story.push('confirmed');
    answer.happen(refusal);
  });
  assert.equal(await within(answer.promise, 'confirm'), null);
  const [returned, last] = story;
  assert.equal(last, 'confirmed', 'the return comes before the confirm');
  assert.deepEqual([returned.fields.replyCode, returned.fields.replyText], [312, 'NO_ROUTE']);
  assert.deepEqual([returned.content.toString(), returned.properties.headers], ['back', { kept: true }]);
});

scenario('redelivery', async (client) => {
  const connection = await client.connect();
  const first = await connection.createChannel();
  const second = await connection.createChannel();
  const queue = await privateQueue(second);
  for (let n = 0; n < 5; n += 1) second.sendToQueue(queue, Buffer.from(`${n}`));
  const taken = [];
  const three = event();
  await first.prefetch(3);
  await first.consume(queue, (message) => taken.push(message.fields.redelivered) === 3 && three.happen());
  await within(three.promise, 'the first three');
  assert.deepEqual(taken, [false, false, false]);
  await first.close();
  const again = (await collect(second, queue, 5)).map((m) => [m.content.toString(), m.fields.redelivered]);
  assert.deepEqual(again, [['0', true], ['1', true], ['2', true], ['3', false], ['4', false]]);
});

scenario('large_and_empty_bodies', async (client) => {
  const channel = await client.channel();
  const queue = await privateQueue(channel);
  const bodies = [Buffer.alloc(5 << 20, 'quorate'), Buffer.alloc(0), Buffer.from('small')];
  for (const body of bodies) channel.sendToQueue(queue, body);
  const received = await collect(channel, queue, bodies.length);
  bodies.forEach((body, n) => assert.ok(body.equals(received[n].content), `body ${n}`));
});

scenario('small_frames', async (client) => {
  // The smallest frames that every version allows, and bodies around their size.
  const connection = await client.connect({}, `${url}?frameMax=8192`);
  const channel = await connection.createChannel();
  const queue = await privateQueue(channel);
  const sizes = [8183, 8184, 8185, 16368, 16369, 100000];
  for (const size of sizes) channel.sendToQueue(queue, Buffer.alloc(size, 'f'));
  assert.deepEqual((await collect(channel, queue, sizes.length)).map((m) => m.content.length), sizes);
});

scenario('properties', async (client) => {
  const channel = await client.channel();
  const queue = await privateQueue(channel);
  const headers = {
    bool: true,
    byte: { '!': 'int8', value: -7 },
    short: { '!': 'int16', value: -30000 },
    int: 2000000000,
    long: 1099511627776,
    float: { '!': 'float', value: 0.5 },
    double: 0.1,
    decimal: { '!': 'decimal', value: { digits: 123, places: 2 } },
    time: { '!': 'timestamp', value: 1700000000 },
    text: 'ünï',
    bytes: Buffer.from([0, 255, 1]),
    nothing: null,
    list: [1, 'two', [false]],
    table: { a: { b: 'c' } },
  };
  channel.sendToQueue(queue, Buffer.from('x'), {
    contentType: 'a/b',
    contentEncoding: 'e',
    headers,
    deliveryMode: 2,
    priority: 9,
    correlationId: 'c',
    replyTo: 'r',
    expiration: '600000',
    messageId: 'm',
    timestamp: 1700000000,
    type: 't',
    userId: 'guest',
    appId: 'a',
  });
  const [{ properties }] = await collect(channel, queue, 1);
  assert.deepEqual(
    { ...properties, headers: undefined },
    {
      contentType: 'a/b',
      contentEncoding: 'e',
      headers: undefined,
      deliveryMode: 2,
      priority: 9,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '600000',
      messageId: 'm',
      timestamp: 1700000000,
      type: 't',
      userId: 'guest',
      appId: 'a',
      clusterId: undefined,
    },
  );
  const received = properties.headers;
  assert.deepEqual([received.byte, received.short, received.float], [-7, -30000, 0.5]);
  for (const name of ['bool', 'int', 'long', 'double', 'decimal', 'time', 'text', 'bytes', 'nothing', 'list', 'table']) {
    assert.deepEqual(received[name], headers[name], name);
  }
});

scenario('cancel_notification', async (client) => {
  const channel = await client.channel();
  const other = await client.channel();
  await channel.assertQueue('interop.node.doomed', { durable: true });
  const cancelled = event();
  await channel.consume('interop.node.doomed', (message) => message === null && cancelled.happen());
  await other.deleteQueue('interop.node.doomed');
  await within(cancelled.promise, 'the consumer hears null');
  await privateQueue(channel);
});

scenario('refusals', async (client) => {
  const connection = await client.connect();
  const open = async () => quiet(await connection.createChannel());
  const mine = await client.channel();
  await mine.assertQueue('interop.node.locked', { exclusive: true });
  await refused(
    (await open()).assertQueue('interop.node.locked', { exclusive: true }),
    405,
    `405 (RESOURCE-LOCKED) with message "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'interop.node.locked' in vhost '/'`,
  );
  await refused((await open()).checkQueue('interop.no'), 404, `"NOT_FOUND - no queue 'interop.no' in vhost '/'"`);
  await refused((await open()).checkExchange('interop.no'), 404, `"NOT_FOUND - no exchange 'interop.no' in vhost '/'"`);
  await mine.assertQueue('interop.node.same', { durable: true });
  await refused(
    (await open()).assertQueue('interop.node.same', { durable: true, messageTtl: 5 }),
    406,
    `"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'interop.node.same' in vhost '/': received the value '5' of type 'byte' but current is none"`,
  );
  await mine.deleteQueue('interop.node.same');
});

scenario('wrong_password', async (client) => {
  const address = new URL(url);
  address.password = 'wrong';
  const text = 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.';
  await refused(client.connect({}, address.href), 403, text);
});

scenario('missing_vhost', async (client) => {
  const address = new URL(url);
  address.pathname = '/interop.no';
  await refused(client.connect({}, address.href), undefined, 'Expected ConnectionOpenOk; got <ConnectionClose channel:0>');
});

scenario('heartbeat', async (client) => {
  const connection = await client.connect({}, `${url}?heartbeat=1`);
  const closed = event();
  connection.on('close', () => closed.happen('closed'));
  const idle = new Promise((resolve) => setTimeout(resolve, 3500, 'idle'));
  assert.equal(await Promise.race([closed.promise, idle]), 'idle');
  await privateQueue(await connection.createChannel());
});

scenario('get_counts', async (client) => {
  const channel = await client.channel();
  const queue = await privateQueue(channel);
  assert.equal(await channel.get(queue), false);
  for (let n = 0; n < 3; n += 1) channel.sendToQueue(queue, Buffer.from(`${n}`));
  const counts = [];
  for (let n = 0; n < 3; n += 1) counts.push((await channel.get(queue)).fields.messageCount);
  assert.deepEqual(counts, [2, 1, 0]);
  channel.nackAll();
  assert.deepEqual(await held(channel, queue), ['0', '1', '2']);
});

scenario('exclusive_queue_ends_with_its_connection', async () => {
  for (let n = 0; n < 10; n += 1) {
    const connection = await amqp.connect(url);
    await (await connection.createChannel()).assertQueue('interop.node.mine', { exclusive: true });
    await connection.close();
  }
});

scenario('channel_numbers_are_reused', async (client) => {
  // amqplib takes the lowest free number: each new channel comes right after close-ok of the old one.
  const connection = await client.connect();
  for (let n = 0; n < 30; n += 1) {
    const channel = quiet(await connection.createChannel());
    if (n % 2) await refused(channel.checkQueue('interop.no'), 404, 'NOT_FOUND');
    else await channel.close();
  }
});

async function main() {
  let failed = 0;
  for (const { name, run } of scenarios) {
    if (only.length && !only.includes(name)) continue;
    const client = new Client();
    try {
      await within(run(client), 'the scenario');
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${String(error.message).replaceAll('\n', ' ')}`);
    } finally {
      await client.close();
    }
  }
  process.exit(failed ? 1 : 0);
}

main();
