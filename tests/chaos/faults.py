"""The faults, as rows: each is done to a cluster while the checked workload runs, and undone.

A fault gets a Stage: the cluster, a queue of the workload, a clock to wait on, and a place to say what it does.
"""

import os
import random
import threading
import time
from typing import Callable, NamedTuple

from network import CLIENTS
from support.broker import wait_until
from support.cluster import NodeEnded

DOWN = 5.0  # seconds for which a killed node stays away
CUT = 20.0
FROZEN = 30.0
SLOW_BYTES = 60_000  # a second
BACK_SECONDS = 90  # for nodes to be ready again
LEADER_SECONDS = 10  # for a group to have another leader
STORM = 8  # kills of a restart storm


class Stage:
    def __init__(self, cluster, queue, history, say, brief=False, seed=None):
        self.cluster, self.queue, self.history, self.say = cluster, queue, history, say
        self.brief = brief  # shorter faults, for a test of a few minutes
        self.chance = random.Random(seed)
        self.began = time.monotonic()

    def did(self, text):
        self.say(f"{time.strftime('%H:%M:%S')} +{time.monotonic() - self.began:5.1f} s  {text}")

    def wait(self, seconds):
        threading.Event().wait(min(seconds, 10.0) if self.brief else seconds)

    def leader(self):
        return self.cluster.leader_of(self.queue)

    def follower(self):
        leader = self.leader()
        return self.chance.choice([name for name in self.names if name != leader])

    @property
    def names(self):
        return list(self.cluster.nodes)

    def last(self, seconds, began, undo, ended):
        """What began lasts so long, and is undone whatever happens meanwhile."""
        self.did(began)
        try:
            self.wait(seconds)
        finally:
            undo()
        self.did(ended)

    def back(self, *names):
        """The nodes run again, and are ready for clients."""
        for name in names:
            self.cluster.start(name)
        began = time.monotonic()
        self.cluster.await_ready(names or None, BACK_SECONDS)
        self.did(f"{', '.join(names) or 'all'} ready again after {time.monotonic() - began:.1f} s")


def kill(stage, *victims, why=""):
    for name in victims:
        stage.cluster.kill(name)
    stage.did(f"SIGKILL {', '.join(victims)}{why and f' ({why})'}")
    stage.wait(DOWN)
    stage.back(*victims)


def kill_leader(stage):
    kill(stage, stage.leader(), why=f"leader of {stage.queue}")


def kill_follower(stage):
    kill(stage, stage.follower(), why="a follower")


def kill_minority(stage):
    kill(stage, *stage.chance.sample(stage.names, (len(stage.names) - 1) // 2), why="a minority")


def kill_all(stage):
    kill(stage, *stage.names, why="all at once")


def freeze(stage, victim, why):
    stage.cluster.freeze(victim)
    stage.last(FROZEN, f"SIGSTOP {victim} ({why})", lambda: stage.cluster.thaw(victim), f"SIGCONT {victim}")
    stage.back(victim)


def freeze_leader(stage):
    freeze(stage, stage.leader(), f"leader of {stage.queue}")


def freeze_follower(stage):
    freeze(stage, stage.follower(), "a follower")


def partition(stage, pairs, text):
    stage.cluster.cut(pairs)
    stage.last(CUT, f"cut: {text}", lambda: stage.cluster.cut([]), "network whole again")
    stage.back()


def both_ways(left, right):
    return [(a, b) for a in left for b in right] + [(b, a) for a in left for b in right]


def partition_one(stage):
    alone = stage.leader()
    others = [name for name in stage.names if name != alone]
    partition(stage, both_ways([alone], others), f"{alone} (leader of {stage.queue}) from the others, not from clients")


def partition_from_all(stage):
    alone = stage.leader()
    others = [name for name in stage.names if name != alone] + [CLIENTS]
    partition(stage, both_ways([alone], others), f"{alone} (leader of {stage.queue}) from the others and from clients")


def partition_one_way(stage):
    mute = stage.leader()
    others = [name for name in stage.names if name != mute]
    pairs = [(mute, other) for other in others]
    partition(stage, pairs, f"others do not hear {mute} (leader of {stage.queue}), it hears them")


def partition_deaf(stage):
    deaf = stage.leader()
    pairs = [(other, deaf) for other in stage.names if other != deaf]
    partition(stage, pairs, f"{deaf} (leader of {stage.queue}) does not hear the others, they hear it")


def partition_ring(stage):
    """Each node hears a majority, and no two the same one."""
    names, count = stage.names, len(stage.names)
    heard = count // 2 + 1
    pairs = []
    for at, name in enumerate(names):
        hears = {names[(at + step) % count] for step in range(heard)}
        pairs += [(other, name) for other in names if other not in hears]
    partition(stage, pairs, "majority ring: " + ", ".join(f"{b} does not hear {a}" for a, b in pairs))


def partition_bridge(stage):
    """Two halves that only one node connects."""
    bridge = stage.follower()
    rest = [name for name in stage.names if name != bridge]
    left, right = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    partition(stage, both_ways(left, right), f"{', '.join(left)} from {', '.join(right)}; {bridge} reaches both")


def slow(stage, victim, why):
    stage.cluster.slow(victim, SLOW_BYTES)
    text = f"{victim} ({why}) has {SLOW_BYTES // 1000} kB/s to other nodes, the rest is dropped"
    stage.last(CUT, text, lambda: stage.cluster.slow(victim, 0), "full speed again")
    stage.back()


def slow_link(stage):
    slow(stage, stage.follower(), "a follower")


def slow_leader(stage):
    slow(stage, stage.leader(), f"leader of {stage.queue}")


def full_disk(stage):
    victim = stage.names[-1]
    stage.cluster.fill_disk(victim)
    free = lambda: stage.cluster.free_disk(victim)  # noqa: E731
    stage.last(CUT, f"the disk of {victim} is full", free, f"the disk of {victim} has room again")
    stage.back(victim)


def hung_disk(stage):
    """Of a leader; whoever has a disk that may hang is made one first."""
    victim = stage.names[-1]
    if stage.leader() != victim:
        stage.cluster.control(victim, "transfer_leadership", stage.queue, f"rabbit@{victim}")
        wait_until(lambda: stage.leader() == victim, LEADER_SECONDS, f"{victim} leads {stage.queue}")
    stage.cluster.hang_disk(victim)
    stage.did(f"the disk of {victim} (leader of {stage.queue}) hangs")
    answer = lambda: stage.cluster.let_disk_answer(victim)  # noqa: E731
    try:
        wait_until(lambda: stage.leader() != victim, LEADER_SECONDS, f"another node leads {stage.queue}")
    except TimeoutError:
        answer()
        raise
    stage.last(CUT, f"{stage.leader()} leads {stage.queue}", answer, f"the disk of {victim} answers again")
    stage.back(victim)


def damaged_log(stage):
    """Bits flip in a file of a stopped node's log, and another file loses its end."""
    victim = stage.follower()
    folder = os.path.join(stage.cluster.data_of(victim), "log")
    stage.cluster.kill(victim)
    files = sorted(
        (os.path.join(folder, name) for name in os.listdir(folder) if name.endswith((".log", ".sst", ".blob"))),
        key=os.path.getsize,
    )
    flipped, cut = files[-1], files[-2] if len(files) > 1 else files[-1]
    with open(flipped, "r+b") as file:
        for _ in range(3):
            at = stage.chance.randrange(max(1, os.path.getsize(flipped)))
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([(byte[0] if byte else 0) ^ 1 << stage.chance.randrange(8)]))
    os.truncate(cut, os.path.getsize(cut) * 2 // 3)
    stage.did(f"SIGKILL {victim}; 3 bits of {os.path.basename(flipped)} flipped, {os.path.basename(cut)} truncated")
    stage.wait(DOWN)
    try:
        stage.back(victim)
    except (TimeoutError, NodeEnded) as error:
        stage.did(f"{victim} does not come back with this log, so it is replaced: {str(error).splitlines()[-1].strip()}")
        replace(stage, victim)


def restart_storm(stage):
    for _ in range(STORM // 2 if stage.brief else STORM):
        victim = stage.chance.choice(stage.names)
        stage.cluster.kill(victim)
        stage.did(f"SIGKILL {victim}, started again at once")
        stage.cluster.start(victim)
        stage.wait(stage.chance.uniform(0.2, 3.0))
    stage.back()


def replace(stage, victim):
    helper = next(name for name in stage.names if name != victim)
    stage.cluster.control(helper, "ping")  # whoever cannot be told to forget a node need not lose one
    stage.cluster.kill(victim)
    stage.cluster.wipe(victim)
    stage.did(f"{victim} killed and wiped")
    stage.cluster.control(helper, "forget_cluster_node", f"rabbit@{victim}")
    stage.did(f"{helper} has forgotten {victim}")
    stage.back(victim)


def replace_node(stage):
    replace(stage, stage.follower())


def rolling_restart(stage):
    for name in stage.names:
        stage.cluster.stop(name)
        stage.did(f"{name} stopped in order")
        stage.back(name)


def rolling_upgrade(stage):
    for name in stage.names:
        stage.cluster.upgrade(name)
        stage.cluster.stop(name)
        stage.did(f"{name} stopped in order, and starts with the other version")
        stage.back(name)


def pause_and_kill(stage):
    """A minority misses some time; then, of those that have seen it, one is killed and the rest frozen for a while."""
    paused = stage.names[: (len(stage.names) - 1) // 2]
    others = stage.names[len(paused) :]
    for name in paused:
        stage.cluster.freeze(name)
    stage.did(f"SIGSTOP {', '.join(paused)}")
    stage.wait(FROZEN)
    stage.cluster.kill(others[0])
    for name in others[1:]:
        stage.cluster.freeze(name)
    stage.did(f"SIGKILL {others[0]}, SIGSTOP {', '.join(others[1:])}")
    for name in paused:
        stage.cluster.thaw(name)
    stage.did(f"SIGCONT {', '.join(paused)}")
    stage.wait(DOWN)
    stage.cluster.start(others[0])
    stage.wait(DOWN)
    for name in others[1:]:
        stage.cluster.thaw(name)
    stage.did(f"{others[0]} started, SIGCONT {', '.join(others[1:])}")
    stage.back()


class Fault(NamedTuple):
    name: str
    strike: Callable[[Stage], None]
    classic: bool = True  # whether classic queues may take part: they live on one node, and that must keep its data


FAULTS = [
    Fault("kill_leader", kill_leader),
    Fault("kill_follower", kill_follower),
    Fault("kill_minority", kill_minority),
    Fault("kill_all", kill_all),
    Fault("freeze", freeze_leader),
    Fault("freeze_follower", freeze_follower),
    Fault("pause_and_kill", pause_and_kill),
    Fault("partition", partition_one),
    Fault("partition_from_all", partition_from_all),
    Fault("partition_one_way", partition_one_way),
    Fault("partition_deaf", partition_deaf),
    Fault("partition_ring", partition_ring),
    Fault("partition_bridge", partition_bridge),
    Fault("slow_link", slow_link),
    Fault("slow_leader", slow_leader),
    Fault("full_disk", full_disk),
    Fault("hung_disk", hung_disk),
    Fault("restart_storm", restart_storm),
    Fault("rolling_restart", rolling_restart),
    Fault("rolling_upgrade", rolling_upgrade),
    Fault("damaged_log", damaged_log, classic=False),
    Fault("replace_node", replace_node, classic=False),
]


def find(name):
    return next((fault for fault in FAULTS if fault.name == name), None)


def play(stage, fault, before=5.0, after=8.0):
    """The whole scenario of one fault: some quiet, the fault, some time to recover."""
    stage.wait(before)
    stage.history.add("fault", subject=fault.name)
    try:
        fault.strike(stage)
    finally:
        stage.history.add("heal", subject=fault.name)
    stage.wait(after)
    wait_until(stage.cluster.is_well, BACK_SECONDS, "every node ready")
