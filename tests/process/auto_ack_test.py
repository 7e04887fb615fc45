"""Messages that no client acknowledges. Publisher and consumer are at n1, whose life nothing disturbs; the leader is
elsewhere, and is stopped, stands still or dies under load. Nothing that was confirmed may be missed, nor come twice."""

import contextlib
import json
import subprocess
import threading

from support.broker import program, wait_until
from support.clients import connect_to
from support.cluster import three_nodes
from support.scenarios import Scenarios, equal

SECONDS = 30
RATE = 5000  # messages a second
KILL_AFTER_SECONDS = 0.1  # in the middle of requests
scenario = Scenarios(three_nodes)


def lead(cluster, queue, name):
    def is_led():
        if cluster.leader_of(queue) == name:
            return True
        with contextlib.suppress(RuntimeError):  # while they elect, or the member there is behind
            cluster.control("n1", "transfer_leadership", queue, f"rabbit@{name}")
        return False

    wait_until(is_led, SECONDS, f"{queue} led by {name}")


def load(cluster, queue, kind="--quorum-queue"):
    """quorate-perf, which publishes with confirms and consumes with auto-ack until it is told to end."""
    words = f"-u {queue} {kind} --auto-delete false -a -c 500 -r {RATE} -s 100"
    node = cluster.nodes["n1"]
    url = f"amqp://guest:guest@{node.host}:{node.amqp_port}/%2F"
    command = [program("quorate-perf"), "-h", url, *words.split(), "-i", "0.1", "--json", "-"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    wait_until(lambda: has_messages(cluster, queue), SECONDS, f"{queue} is used")
    return process


def has_messages(cluster, queue):
    return any(row["name"] == queue and row["consumers"] for row in rows(cluster))


def rows(cluster):
    return json.loads(cluster.control("n1", "list_queues", "name", "consumers", "--formatter", "json"))


def end(process):
    process.terminate()
    said, _ = process.communicate(timeout=SECONDS)
    return process.returncode, json.loads(said)


def strike(cluster, how, queue, name):
    {"freeze": cluster.freeze, "stop": cluster.stop, "kill": cluster.kill}[how](name)
    wait_until(lambda: cluster.leader_of(queue) != name, SECONDS, f"another leader of {queue} than {name}")
    {"freeze": cluster.thaw, "stop": cluster.start, "kill": cluster.start}[how](name)
    cluster.await_ready([name])


@scenario
def a_consumer_misses_nothing(cluster):
    """under 5,000 messages a second, whatever becomes of the leader"""
    process = load(cluster, "unacked")
    for how, name in (("kill", "n2"), ("freeze", "n3"), ("stop", "n2"), ("kill", "n3")):
        lead(cluster, "unacked", name)
        strike(cluster, how, "unacked", name)
    must_be_whole(process)


@scenario
def nor_does_one_from_when_the_queue_was_classic(cluster):
    """it came while the queue lived on its node alone, and goes on where others lead"""
    with connect_to(cluster, "n1") as connection:
        connection.channel().queue_declare("was-classic", durable=True)
    process = load(cluster, "was-classic", "--predeclared -f persistent")
    for name in ("n2", "n3"):
        cluster.control("n1", "add_member", "was-classic", f"rabbit@{name}")
        wait_until(lambda at=name: f"rabbit@{at}" in voters(cluster, "was-classic"), SECONDS, f"{name} votes")
    for how, name in (("kill", "n2"), ("stop", "n3"), ("kill", "n2")):
        lead(cluster, "was-classic", name)
        strike(cluster, how, "was-classic", name)
    must_be_whole(process)


def voters(cluster, queue):
    status = json.loads(cluster.control("n1", "quorum_status", queue, "--formatter", "json"))
    return [row["Node Name"] for row in status if row["Membership"] == "voter"]


def must_be_whole(process):
    code, result = end(process)
    for count in ("lost", "duplicated", "disordered", "nacked"):
        equal(result[count], 0, f"{count} of {json.dumps(result)}")
    equal(code, 0)
    equal(result["sent"], result["received"])


@scenario
def what_is_fetched_is_not_missed(cluster):
    """basic.get without acknowledgements, one after the other, while leaders die"""
    count = 900
    with connect_to(cluster, "n1") as connection:
        channel = connection.channel()
        channel.queue_declare("fetched", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", "fetched", str(number).encode())
        found = []
        for name in ("n2", "n3", "n2"):
            lead(cluster, "fetched", name)
            end_of_part = len(found) + count // 3
            killer = threading.Timer(KILL_AFTER_SECONDS, cluster.kill, [name])
            killer.start()
            while len(found) < end_of_part or killer.is_alive():
                method, _, body = channel.basic_get("fetched", auto_ack=True)
                if method is None:
                    break
                found.append(int(body))
            killer.join()
            cluster.start(name)
            cluster.await_ready([name])
        for method, _, body in iter(lambda: channel.basic_get("fetched", auto_ack=True), (None, None, None)):
            found.append(int(body))
    equal(found, list(range(count)))
