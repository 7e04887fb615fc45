#!/usr/bin/python3
"""Clients that break the rules, on raw sockets: each gets the reply code that RabbitMQ gives (or is
closed by a timeout), costs bounded memory, and disturbs no other client.

Starts its own brokers; with --url it uses a running one, and leaves out what cannot be seen from
outside (memory, unless --pid names the process, and the short handshake timeout). After each case
a well-behaved client works for a moment: that is the last check of every case.
"""

import argparse
import os
import random
import resource
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import bad_frames  # noqa: E402, F401  (each of the three brings its cases)
import bad_load  # noqa: E402, F401
import bad_order  # noqa: E402
from bad_stage import CASES, Stage  # noqa: E402
from support.broker import Broker  # noqa: E402
from support.scenarios import check  # noqa: E402

HANDSHAKE_TIMEOUT_MS = 2500  # for good clients as well


def run_case(function, stage):
    try:
        note = function(stage)
        stage.round_trip()
        if stage.broker:
            check(stage.broker.alive(), "the broker is dead")
        print(f"ok {function.__name__}" + (f" ({note})" if note else ""), flush=True)
        return True
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        print(f"FAIL {function.__name__}: {type(error).__name__}: {error} [{where.name}:{where.lineno}]", flush=True)
        if stage.broker and not stage.broker.alive():
            print(stage.broker.log_tail(40))
            stage.broker.start()
            stage.pid = stage.broker.pid
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="use the broker that already runs here, and start none")
    parser.add_argument("--pid", type=int, help="with --url: its process, to look at its memory")
    parser.add_argument("--only", action="append", default=[], metavar="CASE")
    parser.add_argument("--connections", type=int, default=2000, help="for the cases with many connections")
    parser.add_argument("--handshake-timeout-ms", type=int, default=HANDSHAKE_TIMEOUT_MS, help="what the broker is set to")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"rerun: {sys.argv[0]} --seed {options.seed}")

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.connections + 500
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))

    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="quorate-bad-") as folder:
        broker = None
        if not options.url:
            broker = Broker(folder).start()
        stage = Stage(options, options.url or broker.url, options.pid or (broker and broker.pid), broker)
        try:
            for function in CASES:
                if options.only and function.__name__ not in options.only:
                    continue
                if function is bad_order.slow_loris and broker:
                    good = run_with_short_timeout(function, options)
                else:
                    good = run_case(function, stage)
                passed, failed = passed + good, failed + (not good)
            if broker:
                code = broker.stop()
                check(code == 0, f"the broker ended with {code}")
        finally:
            if broker and broker.alive():
                broker.kill()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def run_with_short_timeout(function, options):
    with tempfile.TemporaryDirectory(prefix="quorate-loris-") as folder:
        with Broker(folder, settings=[f"handshake_timeout={options.handshake_timeout_ms}"]) as broker:
            broker.start()
            return run_case(function, Stage(options, broker.url, broker.pid, broker))


if __name__ == "__main__":
    main()
