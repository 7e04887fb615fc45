#!/usr/bin/python3
"""Faults against a cluster of real processes under the checked workload, with a table at the end.

    chaos.py [--minutes N] [--nodes 3] [--rate 300] [--brief] [--keep] [fault…]
    chaos.py --list

All faults, or those named, one after the other on one cluster; with --minutes the list is begun again until the time
is up. Each fault is a round: the workload runs on new queues, the fault strikes and ends, every queue is drained from
each node, and the checker judges. A cluster that does not recover is replaced by a new one. --brief shortens the
faults; --keep keeps data and histories of rounds that failed. No round is tried again.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import isolated  # noqa: E402
from faults import FAULTS, Stage, find, play  # noqa: E402
from support.cluster import NotPossible, ProcessCluster  # noqa: E402
from workload import Workload  # noqa: E402

COLUMNS = "fault published confirmed delivered explained unexplained lost disordered gap drained verdict".split()


class Rounds:
    def __init__(self, options, seed):
        self.options, self.seed = options, seed
        self.why_not_isolated = isolated.enter()  # begins this program again, inside namespaces
        self.folder = tempfile.mkdtemp(prefix="quorate-chaos.", dir=options.folder)
        self.cluster, self.clusters = None, 0
        self.rows, self.passed, self.failed, self.skipped = [], 0, 0, 0

    def fresh_cluster(self):
        self.drop_cluster()
        self.clusters += 1
        folder = os.path.join(self.folder, f"cluster{self.clusters}")
        os.makedirs(folder)
        kind = ProcessCluster if self.why_not_isolated else isolated.IsolatedCluster
        self.cluster = kind(folder, self.options.nodes)
        self.cluster.start_all()

    def drop_cluster(self):
        if self.cluster:
            self.cluster.close()
            self.cluster = None

    def round(self, fault, number):
        say(f"\n== {fault.name}")
        seed = f"{self.seed}.{number}"
        try:
            if not self.cluster:
                self.fresh_cluster()
            addresses = self.cluster.addresses
            workload = Workload(addresses, self.options.rate, seed, fault.classic, prefix=f"chaos.{number}")
            stage = Stage(self.cluster, workload.quorum[0], workload.history, say, self.options.brief, seed)
            verdict = workload.run(lambda: play(stage, fault))
        except NotPossible as error:
            say(f"not possible here: {error}")
            self.skipped += 1
            self.rows.append([fault.name] + ["-"] * (len(COLUMNS) - 2) + ["not possible here"])
            self.drop_cluster()  # with the queues of the round, which nobody would empty
            return
        except Exception as error:  # a node that does not come back is a result of the round, as is a bug of the test
            traceback.print_exc(file=sys.stdout)
            self.fail(fault, number, ["-"] * (len(COLUMNS) - 2) + [f"BROKEN: {str(error).splitlines()[0]}"])
            self.keep_histories(locals().get("workload"), number)
            self.abandon()
            return
        say("\n".join(workload.lines(verdict)))
        row = [verdict.published, verdict.confirmed, verdict.delivered, verdict.explained, verdict.unexplained]
        row += [len(verdict.broken["lost"]), len(verdict.broken["disordered"])]
        row += [f"{verdict.longest_gap:.2f} s", f"{workload.drained_within:.1f} s"]
        if verdict.kept():
            self.passed += 1
            self.rows.append([fault.name, *row, "kept"])
        else:
            broken = [promise for promise, examples in verdict.broken.items() if examples]
            self.fail(fault, number, [*row, f"BROKEN: {', '.join(broken)}"])
            self.keep_histories(workload, number)
        if not self.cluster.is_well():
            self.abandon()

    def fail(self, fault, number, row):
        self.failed += 1
        self.rows.append([fault.name, *row])
        say(f"round {number} of seed {self.seed} failed")

    def keep_histories(self, workload, number):
        if workload:
            workload.save(os.path.join(self.folder, f"history.{number}"))

    def abandon(self):
        if self.cluster:
            say(self.cluster.log_tail())
        try:
            self.drop_cluster()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            self.cluster = None

    def close(self):
        self.drop_cluster()
        if self.failed and self.options.keep:
            say(f"data and histories: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def table(self):
        rows = [COLUMNS] + [[str(cell) for cell in row] for row in self.rows]
        widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="fault")
    parser.add_argument("--list", action="store_true", help="the names of the faults")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rate", type=float, default=300, help="publications a second, altogether")
    parser.add_argument("--seed", help="of the choices made; printed at the start")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--folder", help="where data goes (default: the system's place for temporary files)")
    options = parser.parse_args()
    if options.list:
        print("\n".join(fault.name for fault in FAULTS))
        return 0
    unknown = [name for name in options.faults if not find(name)]
    if unknown:
        parser.error(f"no such fault: {', '.join(unknown)} (--list names them)")
    chosen = [find(name) for name in options.faults] or FAULTS

    seed = options.seed or str(random.randrange(10**6))
    rounds = Rounds(options, seed)
    say(f"seed {seed}, {options.nodes} nodes, {options.rate:g} publications a second")
    if rounds.why_not_isolated:
        say(f"no networks of their own for the nodes, so no network faults: {rounds.why_not_isolated}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as the first process in its namespace it would ignore it
    began, number = time.monotonic(), 0
    try:
        while number < len(chosen) or time.monotonic() - began < options.minutes * 60:
            rounds.round(chosen[number % len(chosen)], number + 1)
            number += 1
    finally:
        rounds.close()
    minutes = (time.monotonic() - began) / 60
    say(f"\n{rounds.table()}\n\n{number} rounds in {minutes:.1f} minutes")
    say(f"{rounds.passed} passed, {rounds.failed} failed, {rounds.skipped} not possible here")
    return 1 if rounds.failed else 0


if __name__ == "__main__":
    sys.exit(main())
