"""A cluster that faults can be done to: what they need of it, and the cluster of processes on this machine.

Cluster is the interface of the faults. Others that fill it: tests/chaos/isolated.py (each node in a network of its own)
and deploy/chaos (the cluster of docker-compose, or one that `./dev cluster` has started).
"""

import contextlib
import os
import shutil
import signal
import urllib.parse

from support import management
from support.broker import HOST, Process, free_port, program, wait_until
from support.scenarios import NotPossible

START_SECONDS = 60
SECRET = "chaos"
READY = "/api/health/checks/ready-to-serve-clients"


class Node:
    """Where one node is: addresses that clients and this test reach."""

    def __init__(self, name, host, amqp_port, http_port):
        self.name, self.host = name, host  # n1; its node name is rabbit@n1
        self.amqp_port, self.http_port = amqp_port, http_port

    @property
    def address(self):
        return (self.name, self.host, self.amqp_port)

    def get(self, path, seconds=3):
        """(status, body as JSON or text); OSError if nobody answers."""
        return management.get(self.host, self.http_port, path, seconds)

    def is_ready(self):
        try:
            return self.get(READY)[0] == 200
        except OSError:
            return False


class Cluster:
    """Nodes by name. What a kind of cluster cannot do raises NotPossible."""

    nodes = {}

    @property
    def addresses(self):
        return [node.address for node in self.nodes.values()]

    # --- what every kind answers in the same way -----------------------------------------------------------------

    def leader_of(self, queue):
        """The name of the node that leads this queue, as any node knows it."""
        path = f"/api/queues/%2F/{urllib.parse.quote(queue, safe='')}"

        def ask():
            for node in self.nodes.values():
                try:
                    status, found = node.get(path, seconds=1)
                except OSError:
                    continue
                leader = found.get("leader", "") if status == 200 else ""
                if leader.partition("@")[2] in self.nodes:
                    return leader.partition("@")[2]
            return None

        return wait_until(ask, 20, f"a leader of {queue}")

    def await_ready(self, names=None, seconds=START_SECONDS):
        for name in names or self.nodes:
            try:
                wait_until(self.nodes[name].is_ready, seconds, f"{name} ready for clients")
            except (TimeoutError, NodeEnded) as error:
                raise type(error)(f"{error}{self.last_words(name)}") from None

    def is_well(self):
        try:
            return all(node.is_ready() for node in self.nodes.values())
        except NodeEnded:
            return False

    def last_words(self, name):
        return ""

    def log_tail(self):
        """The last words of every node."""
        return "".join(f"\n{name}:{self.last_words(name)}" for name in self.nodes)

    # --- what each kind does in its own way ----------------------------------------------------------------------

    def kill(self, name):
        raise NotPossible("kill")

    def start(self, name):
        """Sees to it that the node runs; it may take a while to be ready."""
        raise NotPossible("start")

    def stop(self, name):
        """In order: SIGTERM, and waits."""
        raise NotPossible("stop")

    def freeze(self, name):
        raise NotPossible("freeze")

    def thaw(self, name):
        raise NotPossible("thaw")

    def cut(self, pairs):
        """Nothing that pairs' first sends reaches their second, for all pairs of names at once; [] heals."""
        raise NotPossible("network faults: the nodes share one network (try ./dev chaos, or docker-compose)")

    def slow(self, name, bytes_per_second):
        """Limits what this node receives and sends to other nodes; 0 ends it."""
        raise NotPossible("a slow network: the nodes share one (try ./dev chaos, or docker-compose)")

    def fill_disk(self, name):
        raise NotPossible("a full disk: no node has a small one")

    def free_disk(self, name):
        raise NotPossible("a full disk")

    def hang_disk(self, name):
        """Whoever writes to the node's disk, or waits for it, waits until let_disk_answer()."""
        raise NotPossible("a disk that hangs: no node has one of its own")

    def let_disk_answer(self, name):
        raise NotPossible("a disk that hangs")

    def data_of(self, name):
        """The data directory, as this machine sees it."""
        raise NotPossible("a look into the data directory")

    def wipe(self, name):
        """Removes all data of a node that does not run."""
        raise NotPossible("wiping a node")

    def control(self, name, *words):
        """quoratectl at this node; its output."""
        raise NotPossible("quoratectl")

    def upgrade(self, name):
        """The next start of this node will be with the other version."""
        raise NotPossible("an upgrade: name the other version (see --help)")


class NodeEnded(Exception):
    """The process of a node that should become ready is gone."""


class ProcessNode(Process, Node):
    """One process with its data directory."""

    def __init__(self, name, host, ports, folder):
        amqp_port, http_port, self.peer_port = ports
        self.folder = os.path.join(folder, name)
        Process.__init__(self, os.path.join(self.folder, "log"))
        Node.__init__(self, name, host, amqp_port, http_port)
        self.data = os.path.join(self.folder, "data")
        self.config = os.path.join(self.folder, "rabbitmq.conf")
        self.program = program()
        os.makedirs(self.data, exist_ok=True)

    def configure(self, nodes, more=()):
        """`more`: lines for this node only."""
        lines = [f"listeners.tcp.1 = {self.host}:{self.amqp_port}", "loopback_users.guest = false"]
        lines += [f"node_name = rabbit@{self.name}"]
        lines += [f"management.tcp.ip = {self.host}", f"management.tcp.port = {self.http_port}"]
        lines += [f"cluster.listener.ip = {self.host}", f"cluster.listener.port = {self.peer_port}"]
        lines += [f"cluster.secret = {SECRET}", "cluster_partition_handling = pause_minority"]
        for number, node in enumerate(nodes, 1):
            peer = f"rabbit@{node.name}@{node.host}:{node.peer_port}"
            lines.append(f"cluster_formation.classic_config.nodes.{number} = {peer}")
        lines += more
        with open(self.config, "w") as file:
            file.write("\n".join(lines) + "\n")

    def words(self):
        """Its command line."""
        return [self.program, "--config", self.config, "--data-dir", self.data]

    def is_ready(self):
        if not self.alive():
            raise NodeEnded(f"{self.name} has ended" + (f" with {self.process.returncode}" if self.process else ""))
        return super().is_ready()


class ProcessCluster(Cluster):
    """Processes on 127.0.0.1, each with ports of its own. Needs no rights, and so knows no network faults."""

    def __init__(self, folder, count=3):
        self.folder = folder
        self.nodes = {}
        for number in range(1, count + 1):
            name = f"n{number}"
            self.nodes[name] = ProcessNode(name, *self.place(number), folder)
        for node in self.nodes.values():
            node.configure(self.nodes.values())

    def place(self, number):
        """(host, (AMQP port, HTTP port, port for nodes))."""
        return HOST, tuple(free_port() for _ in range(3))

    def prefix(self, name):
        """Words before the command line of a node."""
        return []

    def start_all(self):
        for name in self.nodes:
            self.start(name)
        self.await_ready()
        return self

    def start(self, name):
        node = self.nodes[name]
        if not node.alive():
            node.launch(self.prefix(name) + node.words())

    def kill(self, name):
        self.nodes[name].kill()

    def stop(self, name):
        self.nodes[name].stop(60)

    def freeze(self, name):
        self.nodes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name):
        self.nodes[name].send_signal(signal.SIGCONT)

    def data_of(self, name):
        return self.nodes[name].data

    def wipe(self, name):
        for entry in os.listdir(self.nodes[name].data):
            path = os.path.join(self.nodes[name].data, entry)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif entry != "lost+found":
                os.unlink(path)

    def control(self, name, *words):
        try:
            done = management.run_command(self.nodes[name].data, *words)
        except FileNotFoundError as error:
            raise NotPossible(f"quoratectl: {error}") from error
        if done.returncode:
            raise RuntimeError(f"quoratectl {' '.join(words)} at {name}: {done.returncode} {done.stdout}{done.stderr}")
        return done.stdout

    def upgrade(self, name):
        other = os.environ.get("QUORATE_OTHER_BIN")
        if not other:
            raise NotPossible("an upgrade: QUORATE_OTHER_BIN names the other version's program")
        self.nodes[name].program = other

    def last_words(self, name):
        return self.nodes[name].log_tail(12)

    def close(self):
        for node in self.nodes.values():
            if node.alive():
                node.kill()


@contextlib.contextmanager
def three_nodes(folder, settings=None):
    """A cluster of processes that is ready for clients. `settings(name)`: more lines for the configuration of a node."""
    cluster = ProcessCluster(folder)
    try:
        if settings is not None:
            for node in cluster.nodes.values():
                node.configure(cluster.nodes.values(), settings(node.name))
        yield cluster.start_all()
    finally:
        cluster.close()
