"""Scenarios: what they are given, what they check with, and the line that each of them gets.

A file of scenarios says what surrounds them, and marks each function; its docstring is printed:

    scenario = Scenarios(a_broker)  # a_broker(folder) is a context manager

    @scenario
    def it_answers(broker):
        \"""whoever asks gets an answer\"""
"""

import os
import time
import traceback


class NotPossible(Exception):
    """What a scenario needs and this machine, or this kind of cluster, does not permit."""


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def check_in(needle, text, where=""):
    check(needle in text, f"{where}: no {needle!r} in {text[-1000:]!r}")


def equal(found, wanted, what=""):
    check(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


class Scenarios:
    """Those of one file, in their order, in surroundings that they share, or that each has for itself."""

    def __init__(self, surroundings, shared=True):
        self.surroundings, self.shared = surroundings, shared
        self.functions = []

    def __call__(self, function):
        self.functions.append(function)
        return function

    def play(self, tally, folder):
        """Plays those that the tally wants, each group in a folder of its own within `folder`."""
        wanted = [function for function in self.functions if tally.wants(function)]
        for group in ([wanted] if self.shared else [[function] for function in wanted]):
            if group:
                self.play_group(tally, os.path.join(folder, group[0].__name__), group)

    def skip(self, tally, why):
        """Those that the tally wants are not possible here, for one reason."""
        for function in self.functions:
            if tally.wants(function):
                tally.skip(function.__name__, why)

    def play_group(self, tally, folder, functions):
        os.makedirs(folder)
        try:
            with self.surroundings(folder) as given:
                for function in functions:
                    tally.play(function, given)
        except Exception:
            tally.count(f"the surroundings of {functions[0].__name__}", traceback.format_exc())


class Tally:
    """What was played, and how it went. `only`: names of scenarios or of their files; none means all."""

    def __init__(self, only=()):
        self.only = set(only)
        self.passed = self.failed = self.skipped = 0

    def wants(self, function):
        return not self.only or not self.only.isdisjoint((function.__name__, function.__module__))

    def play(self, function, given):
        """`given` has a log_tail(), which is shown when the scenario fails."""
        began, failure = time.monotonic(), ""
        try:
            function(given)
        except NotPossible as why:
            return self.skip(function.__name__, why)
        except Exception:
            failure = traceback.format_exc() + given.log_tail()
        seconds = time.monotonic() - began
        self.count(f"{function.__name__} ({seconds:.1f} s): {function.__doc__}", failure)

    def count(self, title, failure=""):
        self.failed += bool(failure)
        self.passed += not failure
        print("FAIL " if failure else "ok   ", title, flush=True)
        for line in failure.splitlines():
            print("      " + line, flush=True)

    def skip(self, title, why):
        self.skipped += 1
        print(f"skip   {title}: not possible here: {why}", flush=True)

    def close(self):
        """The last line; the exit code. A run that wanted nothing has failed."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} not possible here")
        return 1 if self.failed or not self.passed + self.skipped else 0
