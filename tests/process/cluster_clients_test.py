#!/usr/bin/python3
"""What clients see of a cluster of three real nodes on which nothing fails.

One line for each scenario, `N passed, N failed` at the end, and the exit code follows.
"""

import os
import sys
import tempfile
import traceback

import pika

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
sys.path.insert(0, os.path.join(HERE, "..", "chaos"))
from broker import wait_until  # noqa: E402
from cluster import ProcessCluster  # noqa: E402

SCENARIOS = []
ROUNDS = 200


def scenario(function):
    SCENARIOS.append(function)
    return function


def equal(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def connect(cluster, name):
    node = cluster.nodes[name]
    return pika.BlockingConnection(pika.ConnectionParameters(node.host, node.amqp_port))


@scenario
def names_are_known_everywhere(cluster):
    """what a client declared on one node it uses on another at once"""
    with connect(cluster, "n1") as first, connect(cluster, "n2") as second, connect(cluster, "n3") as third:
        declaring, using, binding = first.channel(), third.channel(), second.channel()
        for i in range(ROUNDS):
            declaring.queue_declare(f"q{i}", durable=True)
            using.queue_declare(f"q{i}", passive=True)
            declaring.exchange_declare(f"e{i}", "fanout")
            binding.queue_bind(f"q{i}", f"e{i}")
            binding.basic_publish(f"e{i}", "", b"x")
            using.queue_delete(f"q{i}")
            declaring.exchange_declare(f"f{i}", "fanout")
            using.basic_publish(f"f{i}", "", b"x")
            using.exchange_declare(f"f{i}", "fanout", passive=True)
            using.exchange_delete(f"f{i}")
            using.exchange_delete(f"e{i}")
        for i in range(ROUNDS):
            wait_until(lambda i=i: is_missing(declaring.connection, f"q{i}"), 10, f"q{i} deleted")


def is_missing(connection, queue):
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
        channel.close()
        return False
    except pika.exceptions.ChannelClosedByBroker as error:
        equal(error.reply_code, 404)
        return True


def main():
    only = sys.argv[1:]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="quorate-cluster-") as folder:
        cluster = ProcessCluster(folder)
        try:
            cluster.start_all()
            for function in SCENARIOS:
                if only and function.__name__ not in only:
                    continue
                try:
                    function(cluster)
                    passed += 1
                    print(f"ok    {function.__name__}: {function.__doc__}", flush=True)
                except Exception:
                    failed += 1
                    print(f"FAIL  {function.__name__}: {function.__doc__}\n{traceback.format_exc()}", flush=True)
        finally:
            cluster.close()
        if failed:
            for name in cluster.nodes:
                print(name, cluster.last_words(name))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
