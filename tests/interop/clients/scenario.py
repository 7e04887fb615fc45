"""What the Python clients share: a list of scenarios, run one by one, one line printed for each.

Every client program, whatever its language, is called as `program URL [NAME…]` and prints
`ok NAME`, or `FAIL NAME: reason`. Its exit code is 1 when a scenario failed.
"""

import signal
import sys
import traceback

SCENARIOS = []
SCENARIO_SECONDS = 30  # a client that waits for ever is woken by SIGALRM


def scenario(function):
    """Registers a scenario under its function's name, in the order of the file."""
    SCENARIOS.append(function)
    return function


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: expected {wanted!r}, got {actual!r}")


def expect_in(wanted, text, what):
    if wanted not in text:
        raise AssertionError(f"{what}: expected … {wanted!r} …, got {text!r}")


def on_alarm(*_):
    raise TimeoutError(f"still waiting after {SCENARIO_SECONDS} s")


def main(run_one):
    """`run_one(function, url)` runs one scenario; what it raises is the reason of its failure."""
    url, only = sys.argv[1], sys.argv[2:]
    failed = 0
    signal.signal(signal.SIGALRM, on_alarm)
    for function in SCENARIOS:
        name = function.__name__
        if only and name not in only:
            continue
        signal.setitimer(signal.ITIMER_REAL, SCENARIO_SECONDS, 5)  # and again: good-byes can hang too
        try:
            run_one(function, url)
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(f"ok {name}", flush=True)
        except Exception as error:  # whatever a client throws is the reason
            signal.setitimer(signal.ITIMER_REAL, 0)
            failed += 1
            here = [step for step in traceback.extract_tb(error.__traceback__) if step.name not in ("expect", "expect_in")]
            where = next((step for step in reversed(here) if step.filename == function.__code__.co_filename), here[-1])
            reason = (str(error) or repr(error)).replace("\n", " ")
            print(f"FAIL {name}: {type(error).__name__}: {reason} [line {where.lineno}]", flush=True)
    sys.exit(1 if failed else 0)
