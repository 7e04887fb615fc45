#!/usr/bin/python3
"""The micro-benchmarks of two builds side by side: ./dev bench micro builds them.

    micro.py --here BIN --there BIN [--name COMMIT] [--rounds N] [--seconds S] [filter]

Both builds run all programs by turns, A B B A, so that what else the machine does falls on both. A line for each
benchmark: the median time of both, the ratio with its spread over the rounds, the allocations of both.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "compare"))
from outcome import OURS, THEIRS, ratio, spread  # noqa: E402
from report import as_text, number, ratio_text  # noqa: E402

NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
NOTICEABLE = 0.05  # a ratio is marked when all rounds agree that it is further from 1,
MINUTES_LONG = "group_host_bench"  # is measured when the filter asks for something of it
EVERYTHING = "."
ROUNDS_MIN = 3  # and there were so many


def programs(folder, pattern):
    """Name → path of every benchmark program of a build."""
    found = {os.path.basename(path): path for path in glob.glob(os.path.join(folder, "*_bench"))}
    return {name: path for name, path in found.items() if name != MINUTES_LONG or pattern != EVERYTHING}


def run(program, pattern, seconds):
    """Benchmark → {"figures": {"time", "allocations"}} of one run; an error is a benchmark that failed."""
    words = [program, f"--benchmark_filter={pattern}", f"--benchmark_min_time={seconds}"]
    with tempfile.NamedTemporaryFile(suffix=".json") as found:  # standard output has the log of what is measured
        words += [f"--benchmark_out={found.name}", "--benchmark_out_format=json"]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if "Failed to match any benchmarks" in done.stderr:
            return {}
        if done.returncode:
            raise RuntimeError(f"{os.path.basename(program)} ended with {done.returncode}: {done.stderr.strip()}")
        return read(json.load(found)["benchmarks"])


def read(benchmarks):
    """What Google Benchmark says, in nanoseconds of processor time and allocations."""
    found = {}
    for one in benchmarks:
        if one.get("run_type") == "aggregate":
            continue
        if one.get("error_occurred"):
            found[one["name"]] = {"failed": one.get("error_message", "failed")}
            continue
        figures = {"time": one["cpu_time"] * NANOSECONDS[one["time_unit"]]}
        counted = [key for key in one if key.startswith("allocations")]
        figures |= {"allocations": one[key] for key in counted[:1]}
        found[one["name"]] = {"figures": figures}
    return found


def collect(sides, pattern, rounds, seconds):
    """(program, benchmark) → side → its rounds; in the order in which they came."""
    rows = {}
    for number in range(rounds):
        for side, of_side in list(sides.items())[:: -1 if number % 2 else 1]:
            for name, path in sorted(of_side.items()):
                for benchmark, outcome in run(path, pattern, seconds).items():
                    row = rows.setdefault((name, benchmark), {one: [] for one in sides})
                    row[side].append(outcome)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def verdict(found, rounds):
    """Whether all rounds say that it became faster, or slower."""
    if not found or rounds < ROUNDS_MIN:
        return ""
    if found.high < 1 - NOTICEABLE:
        return "faster"
    return "slower" if found.low > 1 + NOTICEABLE else ""


def time_text(found):
    return f"{number(found.median)} ns" if found else "–"


def table(rows, name):
    cells = [["benchmark", "this tree", name, "ratio (spread)", "", "allocations", f"of {name}", ""]]
    for (program, benchmark), sides in sorted(rows.items()):
        ours, theirs = sides[OURS], sides[THEIRS]
        both = ratio(ours, theirs, "time")
        made = [spread(side, "allocations") for side in (ours, theirs)]
        differs = all(made) and abs(made[0].median - made[1].median) > 0.005
        cells.append([
            f"{program.removesuffix('_bench')}: {benchmark}",
            time_text(spread(ours, "time")),
            time_text(spread(theirs, "time")),
            ratio_text(both) if both else "only here" if ours else f"only in {name}",
            verdict(both, min(len(ours), len(theirs))),
            *(f"{one.median:.2f}" if one else "–" for one in made),
            "differs" if differs else "",
        ])
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filter", nargs="?", default=EVERYTHING, help="a regular expression over the benchmarks' names")
    parser.add_argument("--here", required=True, help="folder of this tree's programs")
    parser.add_argument("--there", required=True, help="folder of the other's")
    parser.add_argument("--name", default="the other", help="of the other commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each benchmark, at least, in each round")
    options = parser.parse_args()
    # outcome.py compares what it calls our side with the other.
    sides = {OURS: programs(options.here, options.filter), THEIRS: programs(options.there, options.filter)}
    rows = collect(sides, options.filter, options.rounds, options.seconds)
    if not rows:
        print(f"no benchmark matches {options.filter}", file=sys.stderr)
        return 2
    print(as_text(table(rows, options.name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
