"""The clusters that deploy/chaos strikes: the one of docker-compose, and the one of ./dev cluster."""

import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests"))
sys.path.insert(0, os.path.join(ROOT, "tests", "chaos"))
sys.path.insert(0, os.path.join(ROOT, "deploy"))
import local_cluster  # noqa: E402
from network import CLIENTS, Network  # noqa: E402
from support.broker import wait_until  # noqa: E402
from support.cluster import Cluster, Node, NotPossible, ProcessCluster  # noqa: E402

NAMES = ("n1", "n2", "n3")
DATA = "/var/lib/quorate"
SMALL_KIB = 2 << 20


def output(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout.strip()


class Attached(ProcessCluster):
    """Nodes that ./dev cluster looks after: it starts them again, unless they are held."""

    def __init__(self, folder):
        super().__init__(folder, sum(os.path.isdir(os.path.join(folder, name)) for name in NAMES))

    place = local_cluster.LocalCluster.place
    file = local_cluster.LocalCluster.file

    @staticmethod
    def is_there(folder):
        return any(running(os.path.join(folder, name, "pid")) for name in NAMES)

    def pid(self, name):
        return running(self.file(name, "pid"))

    def signal(self, name, number):
        if pid := self.pid(name):
            os.kill(pid, number)

    def end(self, name, number):
        open(self.file(name, "hold"), "w").close()
        self.signal(name, number)
        wait_until(lambda: not self.pid(name), 60, f"{name} ended")

    def kill(self, name):
        self.end(name, 9)

    def stop(self, name):
        self.end(name, 15)

    def start(self, name):
        if os.path.exists(self.file(name, "hold")):
            os.unlink(self.file(name, "hold"))
        wait_until(lambda: self.pid(name), 30, f"./dev cluster has started {name} again")

    def freeze(self, name):
        self.signal(name, 19)

    def thaw(self, name):
        self.signal(name, 18)

    def upgrade(self, name):
        raise NotPossible("an upgrade: stop ./dev cluster and start that of the other version on the same data")

    def is_well(self):
        return all(Node.is_ready(node) for node in self.nodes.values())

    def await_ready(self, names=None, seconds=60):
        for name in names or self.nodes:
            wait_until(lambda: Node.is_ready(self.nodes[name]), seconds, f"{name} ready for clients")


def running(pid_file):
    """The process that the file names, if it is there and no zombie."""
    try:
        with open(pid_file) as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/stat") as stat:
            return pid if stat.read().rpartition(")")[2].split()[0] != "Z" else None
    except (OSError, ValueError):
        return None


class Compose(Cluster):
    """The containers of docker-compose.yml; network faults need root and nft on this machine."""

    def __init__(self):
        self.nodes = {f"n{i}": Node(f"n{i}", "127.0.0.1", 5680 + i, 15680 + i) for i in (1, 2, 3)}
        self.network = Network(self.inside, {})
        self.image = {}

    @staticmethod
    def compose(*words, **more):
        return output("docker-compose", *words, cwd=ROOT, **more)

    @staticmethod
    def is_there():
        try:
            return bool(Compose.compose("ps", "-q", "n1"))
        except (OSError, subprocess.CalledProcessError):
            return False

    def container(self, name):
        """Its id, or nothing. By docker's own command: docker-compose takes a second or more to begin, and faults wait."""
        labels = {"service": name, "project.working_dir": os.path.realpath(ROOT), "oneoff": "False"}
        filters = [f"--filter=label=com.docker.compose.{label}={value}" for label, value in labels.items()]
        return output("docker", "ps", "-aq", *filters)

    def inspect(self, name, what):
        return output("docker", "inspect", "-f", what, self.container(name))

    def kill(self, name):
        output("docker", "kill", self.container(name))

    def start(self, name):
        environment = dict(os.environ)
        if name in self.image:
            environment["QUORATE_IMAGE"] = self.image[name]
        container = self.container(name)
        if container and name not in self.image:
            output("docker", "start", container)
        else:
            self.compose("up", "-d", "--no-deps", "--no-build", name, env=environment)

    def stop(self, name):
        output("docker", "stop", "-t", "60", self.container(name))

    def freeze(self, name):
        output("docker", "pause", self.container(name))

    def thaw(self, name):
        output("docker", "unpause", self.container(name))

    # --- the network -----------------------------------------------------------------------------------------------

    def inside(self, name):
        if os.geteuid() != 0:
            raise NotPossible("network faults need root on this machine")
        return ["nsenter", "-t", self.inspect(name, "{{.State.Pid}}"), "-n"]

    def look_up(self):
        networks = "{{range .NetworkSettings.Networks}}{{.%s}}{{end}}"
        addresses = {name: self.inspect(name, networks % "IPAddress") for name in self.nodes}
        self.network.address_of = addresses | {CLIENTS: self.inspect("n1", networks % "Gateway")}

    def cut(self, pairs):
        if pairs:
            self.look_up()
        self.network.cut(pairs)

    def slow(self, name, bytes_per_second):
        self.look_up()
        self.network.slow(name, bytes_per_second)

    # --- the disk --------------------------------------------------------------------------------------------------

    def fill_disk(self, name):
        container = self.container(name)
        size = int(output("docker", "exec", container, "df", "--output=size", DATA).split()[-1])
        if size > SMALL_KIB:
            raise NotPossible(f"a full disk: that of {name} is shared with this machine; see deploy/chaos/small_disk.yml")
        output("docker", "exec", "-u", "0", container, "sh", "-c", f"cat /dev/zero > {DATA}/filler 2>/dev/null || true")

    def free_disk(self, name):
        self.start(name)  # a node may end when it cannot write
        output("docker", "exec", "-u", "0", self.container(name), "rm", "-f", f"{DATA}/filler")

    def own_volume(self, name):
        """Where a file system of the node's own is mounted on this machine: nothing else may be made to hang."""
        volume = '{{range .Mounts}}{{if eq .Destination "%s"}}{{.Source}}{{end}}{{end}}' % DATA
        place = self.inspect(name, volume)
        if os.geteuid() != 0 or not os.path.ismount(place):
            raise NotPossible(f"a disk that hangs: needs root, and {name} on a volume of its own (deploy/chaos/small_disk.yml)")
        return place

    def hang_disk(self, name):
        output("fsfreeze", "--freeze", self.own_volume(name))

    def let_disk_answer(self, name):
        output("fsfreeze", "--unfreeze", self.own_volume(name))

    def wipe(self, name):
        container = self.container(name)
        volume = output(
            "docker", "inspect", "-f", '{{range .Mounts}}{{if eq .Destination "%s"}}{{.Name}}{{end}}{{end}}' % DATA, container
        )
        output("docker", "rm", "-f", container)
        output("docker", "volume", "rm", volume)

    def control(self, name, *words):
        return output("docker", "exec", self.container(name), "quoratectl", *words)

    def upgrade(self, name):
        other = os.environ.get("QUORATE_OTHER_IMAGE")
        if not other:
            raise NotPossible("an upgrade: QUORATE_OTHER_IMAGE names the other version's image")
        self.image[name] = other

    def last_words(self, name):
        return subprocess.run(
            ["docker", "logs", "--tail", "8", self.container(name)], capture_output=True, text=True
        ).stderr


def find(folder):
    """The cluster that runs on this machine."""
    if Attached.is_there(folder):
        return Attached(folder)
    if Compose.is_there():
        return Compose()
    raise NotPossible("no cluster runs here: docker-compose up -d, or ./dev cluster")
