#!/usr/bin/python3
"""Does quorate-perf say what another client says? The same load on one durable queue, once with quorate-perf and once
with a loop on amqp091-go, by turns; a line for each load with the medians of the rates and of their differences. Exit code 1 when one is more than 5 %.

    QUORATE_BIN=build/release/bin/quorate tests/bench/perf_agreement.py [--rounds N] [--seconds N] [--url URL]

Needs Debian's golang-go and golang-github-rabbitmq-amqp091-go-dev. Without --url it starts a broker of its own.
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from support.broker import Broker, program  # noqa: E402

TOLERANCE = 0.05
# rate of the producer (0: unlimited), window of confirms, octets of a body
NUMBERS = itertools.count()  # each loop has a queue of its own, as it leaves without closing anything
LOADS = ((1000, 100, 100), (5000, 500, 100), (0, 1, 100), (0, 10, 1000), (0, 50, 1000))


def build_loop(folder):
    binary = os.path.join(folder, "loop")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "perf_agreement.go")
    environment = {"GOCACHE": os.path.join(folder, "go-build"), **os.environ}
    environment |= {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", binary, source], env=environment, check=True)
    return binary


def result_of(words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words} ended with {done.returncode}\n{done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def loop(binary, url, seconds, rate, window, size):
    said = result_of([binary, url, f"agreement-{next(NUMBERS)}", *map(str, (seconds, rate, window, size))])
    return said["rate"], said["delivery_latency_us"]["p50"]


def perf(url, seconds, rate, window, size):
    words = f"-f persistent -q 1000 -A 100 -c {window} -r {rate} -s {size} -z {seconds} -u agreement-perf --json -"
    said = result_of([program("quorate-perf"), "-h", url, *words.split()])
    return said["rate"]["sent"], said["delivery_latency_us"]["p50"]


def compare(binary, url, rounds, seconds, load):
    """Runs go in pairs, and each pair has a difference of its own: what else the machine does changes by the minute."""
    pairs = []
    for number in range(rounds):
        runs = {}
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            runs[side] = perf(url, seconds, *load) if side == "ours" else loop(binary, url, seconds, *load)
        pairs.append((*runs["ours"], *runs["theirs"]))
    rate, latency, their_rate, their_latency = (statistics.median(column) for column in zip(*pairs))
    difference = statistics.median(pair[0] / pair[2] for pair in pairs) - 1
    rate_limit, window, size = load
    print(
        f"| {rate_limit or 'full speed'} | {window} | {size} | {rate:,.0f} | {their_rate:,.0f} | {difference:+.1%} "
        f"| {latency:,.0f} | {their_latency:,.0f} |",
        flush=True,
    )
    return abs(difference) <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--url")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="quorate-agreement-"))
        binary = build_loop(folder)
        url = options.url or stack.enter_context(Broker(folder).start()).url.rstrip("/")
        print("| rate | window | octets | quorate-perf, msg/s | amqp091-go, msg/s | difference | its p50 µs | its p50 µs |")
        print("|---|---|---|---|---|---|---|---|")
        agreed = [compare(binary, url, options.rounds, options.seconds, load) for load in LOADS]
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
