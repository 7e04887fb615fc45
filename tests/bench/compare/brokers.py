"""The two brokers: started on free loopback ports with data folders of their own, pinned, killed, frozen, ended.

Both sides offer the same: `addresses`, `pids()`, `start()`, `kill(at)`, `restart(at)`, `freeze(at)`, `thaw(at)`,
`close()`; nodes are numbered from 0. Both are stock: their own default configuration but for addresses, names and the
list of nodes. RabbitMQ's package is only a source of programs: its service is neither used nor needed.
"""

import os
import re
import shutil
import signal
import subprocess

from shared import HOST, Process, ProcessCluster, answers, free_port, wait_until

START_SECONDS, RESTART_SECONDS = 120, 300


def pinned(cores):
    return ["taskset", "-c", ",".join(str(core) for core in cores)]


def children_of():
    """Process → the processes it started, of the whole machine."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    return children


def family(pid):
    """This process and all that it started, directly or not."""
    children, found, next_ones = children_of(), [], [pid]
    while next_ones:
        found += next_ones
        next_ones = [child for one in next_ones for child in children.get(one, [])]
    return found


class PinnedCluster(ProcessCluster):
    """The processes of ./dev cluster and ./dev chaos, on the cores given."""

    def __init__(self, folder, count, cores):
        self.cores = cores
        super().__init__(folder, count)

    def prefix(self, name):
        return pinned(self.cores)


class Quorate:
    name = "Quorate"

    def __init__(self, folder, count, cores):
        self.cluster = PinnedCluster(folder, count, cores)
        self.names = list(self.cluster.nodes)
        self.data = folder

    @property
    def addresses(self):
        return [(node.host, node.amqp_port) for node in self.cluster.nodes.values()]

    @property
    def http(self):
        node = self.cluster.nodes[self.names[0]]
        return node.host, node.http_port

    def pids(self):
        return [node.process.pid for node in self.cluster.nodes.values() if node.alive()]

    def start(self):
        self.cluster.start_all()
        return self

    def kill(self, at):
        self.cluster.kill(self.names[at])

    def restart(self, at):
        self.cluster.start(self.names[at])

    def await_ready(self):
        self.cluster.await_ready(seconds=RESTART_SECONDS)

    def freeze(self, at):
        self.cluster.freeze(self.names[at])

    def thaw(self, at):
        self.cluster.thaw(self.names[at])

    def close(self):
        self.cluster.close()

    @staticmethod
    def version(program):
        found = subprocess.run([program, "--version"], capture_output=True, text=True)
        return (found.stdout + found.stderr).strip().splitlines()[0]


class RabbitNode(Process):
    """One Erlang VM, the processes that serve it, and its folder."""

    def __init__(self, folder, name):
        self.folder, self.name = os.path.join(folder, name), f"{name}@localhost"
        super().__init__(self.path("out"))
        self.port, self.http_port, self.dist_port = free_port(), free_port(), free_port()
        os.makedirs(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def configure(self, nodes, plugins, advanced):
        lines = [f"listeners.tcp.1 = {HOST}:{self.port}"]
        if "rabbitmq_management" in plugins:
            lines += [f"management.tcp.ip = {HOST}", f"management.tcp.port = {self.http_port}"]
        if len(nodes) > 1:
            lines.append("cluster_formation.peer_discovery_backend = classic_config")
            names = enumerate((node.name for node in nodes), 1)
            lines += [f"cluster_formation.classic_config.nodes.{number} = {name}" for number, name in names]
        self.write("rabbitmq.conf", "\n".join(lines) + "\n")
        self.write("enabled_plugins", f"[{','.join(plugins)}].\n")
        self.write("advanced.config", advanced)
        self.write(".erlang.cookie", "quoratecompare")
        os.chmod(self.path(".erlang.cookie"), 0o400)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def environment(self, epmd_port):
        return {
            "PATH": os.environ["PATH"],
            "HOME": self.folder,  # where Erlang looks for the cookie
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_MNESIA_BASE": self.path("mnesia"),
            "RABBITMQ_LOG_BASE": self.path("log"),
            "RABBITMQ_CONFIG_FILE": self.path("rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": self.path("advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.path("enabled_plugins"),
            "RABBITMQ_PID_FILE": self.path("pid"),
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
        }

    def vm(self):
        """The process that is the broker, among those that serve it."""
        for pid in family(self.pid):
            try:
                with open(f"/proc/{pid}/comm") as file:
                    if file.read().startswith("beam"):
                        return pid
            except OSError:
                pass
        raise RuntimeError(f"{self.name} has no Erlang VM{self.log_tail()}")

    def kill(self):
        """With SIGKILL, all of them."""
        for pid in family(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


class RabbitMQ:
    name = "RabbitMQ"
    PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in /usr/sbin wants the service's user
    STOCK = "[]."
    NO_CREDIT_FLOW = "[{rabbit, [{credit_flow_default_credit, {0, 0}}]}]."

    def __init__(self, folder, count, cores, plugins=(), advanced=STOCK):
        self.cores, self.data = cores, folder
        self.epmd, self.epmd_port = None, free_port()
        self.nodes = [RabbitNode(folder, f"r{number}") for number in range(1, count + 1)]
        for node in self.nodes:
            node.configure(self.nodes, plugins, advanced)

    @property
    def addresses(self):
        return [(HOST, node.port) for node in self.nodes]

    @property
    def http(self):
        return HOST, self.nodes[0].http_port

    def pids(self):
        return [pid for node in self.nodes if node.process for pid in family(node.pid)]

    def start(self):
        command = [*pinned(self.cores), "epmd", "-address", HOST, "-port", str(self.epmd_port)]
        self.epmd = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        for at in range(len(self.nodes)):
            self.restart(at)
        self.await_ready(START_SECONDS)
        return self

    def await_ready(self, seconds=RESTART_SECONDS):
        def all_answer():
            for node in self.nodes:
                if not node.alive():
                    raise RuntimeError(f"{node.name} ended with {node.process.returncode}{node.log_tail()}")
            return all(answers(node.port) for node in self.nodes)

        wait_until(all_answer, seconds, "RabbitMQ ready")

    def restart(self, at):
        node = self.nodes[at]
        environment = node.environment(self.epmd_port)
        node.launch([*pinned(self.cores), self.PROGRAM], env=environment, start_new_session=True)

    def kill(self, at):
        self.nodes[at].kill()

    def freeze(self, at):
        os.kill(self.nodes[at].vm(), signal.SIGSTOP)

    def thaw(self, at):
        os.kill(self.nodes[at].vm(), signal.SIGCONT)

    def close(self):
        for node in self.nodes:
            if node.process:
                node.kill()
        if self.epmd:
            self.epmd.kill()
            self.epmd.wait()

    @staticmethod
    def version():
        words = ["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"]
        found = subprocess.run(words, capture_output=True, text=True).stdout
        return "RabbitMQ " + (re.match(r"[0-9.]*", found)[0] or "is not installed")


class Yard:
    """Makes brokers in folders of their own below one folder, and removes them again."""

    def __init__(self, folder, cores):
        self.folder, self.cores = folder, cores
        self.count = 0

    def make(self, side, count, **options):
        """`side` is "Quorate" or "RabbitMQ"; what only RabbitMQ knows is `options`."""
        self.count += 1
        folder = os.path.join(self.folder, f"{self.count}.{side.lower()}")
        os.makedirs(folder)
        if side == Quorate.name:
            return Quorate(folder, count, self.cores)
        return RabbitMQ(folder, count, self.cores, **options)

    def clear(self, broker):
        broker.close()
        shutil.rmtree(broker.data, ignore_errors=True)
