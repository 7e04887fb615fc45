"""What the Python clients share: a list of scenarios, run one by one, one line printed for each.

Every client program, whatever its language, is called as `program URL [NAME…]` and prints
`ok NAME`, or `FAIL NAME: reason`. Its exit code is 1 when a scenario failed.
"""

import sys
import traceback

SCENARIOS = []


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


def main(run_one):
    """`run_one(function, url)` runs one scenario; what it raises is the reason of its failure."""
    url, only = sys.argv[1], sys.argv[2:]
    failed = 0
    for function in SCENARIOS:
        name = function.__name__
        if only and name not in only:
            continue
        try:
            run_one(function, url)
            print(f"ok {name}", flush=True)
        except Exception as error:  # whatever a client throws is the reason
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = str(error) or repr(error)
            print(f"FAIL {name}: {type(error).__name__}: {reason} [{where.name}:{where.lineno}]".replace("\n", " "), flush=True)
    sys.exit(1 if failed else 0)
