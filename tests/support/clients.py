"""pika, as tests use it that wait for every answer."""

import pika
from pika.exceptions import ChannelClosedByBroker


def connect(host, port, **parameters):
    """A connection; who is not let in within ten seconds, or blocked for a minute, fails."""
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host, port, socket_timeout=5, stack_timeout=10, blocked_connection_timeout=60, **parameters
        )
    )


def connect_to(cluster, name):
    node = cluster.nodes[name]
    return connect(node.host, node.amqp_port)


def queue_exists(connection, queue):
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except ChannelClosedByBroker as closed:
        if closed.reply_code != 404:
            raise
        return False
    channel.close()
    return True
