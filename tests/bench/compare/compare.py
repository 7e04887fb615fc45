#!/usr/bin/python3
"""Quorate and RabbitMQ by turns through the standard scenarios on this machine, and one table in the end.

    compare.py [--rounds N] [--seconds S] [--scale X] [--brief] [scenario…]
    compare.py --list
    compare.py --from RESULTS.json [--write]

Each scenario is run several times, Quorate, RabbitMQ, Quorate, RabbitMQ: each time with brokers just started on empty
folders of the same disk, on the same cores. The floor of the machine (tests/bench/floor.cc) is measured once a round.
A run of all scenarios that is not --brief writes docs/PERFORMANCE.md; --write does it for any.
"""

import argparse
import datetime
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback

import floor
import machine
import report
import scenarios
from admin import REFUSALS
from brokers import Quorate, RabbitMQ, Yard
from measure import Failure, Stage
from outcome import SIDES, plain
from shared import ROOT, NodeEnded
from usage import await_idle

PAGE = os.path.join(ROOT, "docs", "PERFORMANCE.md")
OPEN_FILES = 20_000  # 10,000 connections take as many in the broker, and as many in the generator
BROKEN = (*REFUSALS, Failure, RuntimeError, NodeEnded, KeyError, ValueError)


def say(text):
    print(text, flush=True)


class Comparison:
    def __init__(self, options):
        self.options = options
        self.groups = scenarios.chosen(options.scenarios)
        self.yard = None
        self.floors = []
        self.rows = [[self.empty_row(group, row) for row in group.rows] for group in self.groups]

    @staticmethod
    def empty_row(group, row):
        return {
            "scenario": group.scenario,
            "nodes": group.nodes,
            "title": row.title,
            "how": row.measure.how,
            "aims": [plain(aim) for aim in row.aims],
            "judged": row.figures(),
            "floor": plain(row.floor),
            "sides": {side: [] for side in SIDES},
        }

    def run(self):
        options = self.options
        with tempfile.TemporaryDirectory(prefix="run.", dir=options.folder) as folder:
            self.yard = Yard(folder, options.broker_cores)
            for number in range(options.rounds):
                self.run_round(number)
                self.save()
        return self.results()

    def run_round(self, number):
        options = self.options
        say(f"\n== round {number + 1} of {options.rounds}: the floor")
        cores = options.generator_cores[0], options.broker_cores[0]
        self.floors.append(floor.measure(options.floor, self.yard.folder, options.floor_seconds, *cores))
        for group, rows in zip(self.groups, self.rows):
            if number < group.rounds_max:
                for side in SIDES:
                    self.run_group(group, rows, side)

    def run_group(self, group, rows, side):
        """One start of one broker, and every row of the group on it; a broker that fails is started anew."""
        broker = None
        try:
            for row, kept in zip(group.rows, rows):
                begin = time.monotonic()
                try:
                    if not broker and not row.measure.reason:
                        broker = self.start(group, side)
                    outcome = row.measure(Stage(side, broker, self.options) if broker else None)
                except BROKEN as error:
                    outcome = {"failed": reason_of(error)}
                    if self.options.verbose:
                        traceback.print_exc(file=sys.stdout)
                    broker = self.drop(broker)
                kept["sides"][side].append(outcome)
                seconds = time.monotonic() - begin
                say(f"{group.scenario} ×{group.nodes} {side:8} {row.title}: {told(outcome)} [{seconds:.0f} s]")
        finally:
            self.drop(broker)

    def start(self, group, side):
        broker = self.yard.make(side, group.nodes, **(group.rabbit if side == RabbitMQ.name else {}))
        try:
            broker.start()
            await_idle(broker.pids())
            return broker
        except BaseException:
            self.yard.clear(broker)
            raise

    def drop(self, broker):
        if broker:
            self.yard.clear(broker)

    def results(self):
        options = self.options
        words = " ".join(["./dev bench compare", *sys.argv[1:]])
        rounds = f"{options.rounds} rounds in turn, {options.seconds:g} s a row after {options.warmup:g} s of warm-up"
        cores = f"brokers on core {listed(options.broker_cores)}, generator on core {listed(options.generator_cores)}"
        facts = {
            "date": datetime.date.today().isoformat(),
            "machine": machine.describe(options.folder),
            "versions": f"{Quorate.version(options.quorate)} at {machine.commit(ROOT)}, {RabbitMQ.version()}",
            "command": words,
            "rounds": f"{rounds}; {cores}; scale {options.scale:g}.",
        }
        return {"facts": facts, "floors": self.floors, "rows": [row for rows in self.rows for row in rows]}

    def save(self):
        with open(self.options.results, "w") as file:
            json.dump(self.results(), file, indent=1, ensure_ascii=False)


def listed(cores):
    return ", ".join(str(core) for core in cores)


def reason_of(error):
    text = str(error) or type(error).__name__
    return text if isinstance(error, Failure) else f"{type(error).__name__}: {text.splitlines()[0]}"


def told(outcome):
    """One measurement in a line."""
    if "failed" in outcome:
        return f"fails: {outcome['failed']}"
    figures = [f"{name} {report.number(value)}" for name, value in outcome["figures"].items()]
    return ", ".join(figures) + (f" ({outcome['note']})" if outcome.get("note") else "")


def cores(text):
    return [int(word) for word in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help="as S1; all unless some are named")
    parser.add_argument("--list", action="store_true", help="the rows of all scenarios")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of a row's measurement")
    parser.add_argument("--warmup", type=float, default=1.5, help="seconds in front of it")
    parser.add_argument("--scale", type=float, default=0.1, help="of backlogs, and of what is declared or held in bulk")
    parser.add_argument("--brief", action="store_true", help="one round, 2 s a row, scale 0.01")
    parser.add_argument("--broker-cores", type=cores, default=[0])
    parser.add_argument("--generator-cores", type=cores, default=[machine.last_core()])
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "compare"), help="where all data goes")
    parser.add_argument("--write", action="store_true", help="write docs/PERFORMANCE.md whatever was run")
    parser.add_argument("--from", dest="source", metavar="FILE", help="runs nothing: the table of an earlier run")
    parser.add_argument("--verbose", action="store_true", help="where a failure came from")
    options = parser.parse_args()
    if options.brief:
        options.rounds, options.seconds, options.warmup, options.scale = 1, 2, 1, 0.01
    options.floor_seconds = 0.1 if options.seconds < 4 else 0.5
    options.count_seconds = 900 * max(options.scale, 0.1)
    options.results = os.path.join(options.folder, "results.json")
    build = os.path.join(ROOT, "build", "release", "bin")
    options.quorate = os.environ.setdefault("QUORATE_BIN", os.path.join(build, "quorate"))  # what shared.py starts
    options.perf = os.environ.get("QUORATE_PERF_BIN", os.path.join(build, "quorate-perf"))
    options.floor = os.path.join(build, "floor")
    return parser, options


def main():
    parser, options = parse()
    if options.list:
        for group in scenarios.GROUPS:
            say("\n".join(f"{group.scenario:4} {group.nodes} nodes  {row.title}" for row in group.rows))
        return 0
    if options.source:
        with open(options.source) as file:
            results = json.load(file)
    else:
        results = run(parser, options)
    say("\n" + report.as_text(report.table(results)))
    say(f"\n{report.summary(results)}")
    if options.write or not (options.source or options.brief or options.scenarios):
        report.write_page(PAGE, results)
        say(f"written to {os.path.relpath(PAGE, ROOT)}")
    return 0


def run(parser, options):
    for program in (options.quorate, options.perf, options.floor, RabbitMQ.PROGRAM):
        if not os.path.exists(program):
            parser.error(f"there is no {program}")
    try:
        comparison = Comparison(options)
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(OPEN_FILES, hard)), hard))
    os.makedirs(options.folder, exist_ok=True)
    begin = time.monotonic()
    results = comparison.run()
    say(f"\n{(time.monotonic() - begin) / 60:.0f} minutes; all that was measured is in {options.results}")
    return results


if __name__ == "__main__":
    sys.exit(main())
