#!/usr/bin/python3
"""What a comparison says of what it measured: ratios, spreads, aims, failures, and the page. No broker is needed."""

import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import micro  # noqa: E402
import report  # noqa: E402
import scenarios  # noqa: E402
from measure import complaints, figures_of, queues_of  # noqa: E402
from outcome import FIGURES, OURS, THEIRS, Aim, Floor, Spread, judge, notes, plain, ratio  # noqa: E402
from striking import told_missing  # noqa: E402


def rounds(figure, *numbers):
    """One measurement a round; None is one that failed."""
    return [{"failed": "it fell"} if one is None else {"figures": {figure: one}} for one in numbers]


def row(figure, ours, theirs, aims=(), floor=None):
    return {
        "scenario": "S1",
        "nodes": 1,
        "title": "title",
        "how": "how",
        "aims": [plain(aim) for aim in aims],
        "judged": [figure],
        "floor": plain(floor),
        "sides": {OURS: rounds(figure, *ours), THEIRS: rounds(figure, *theirs)},
    }


FLOORS = [
    {"append": [{"body_bytes": 100, "batch": 1, "p50_us": value}, {"body_bytes": 100, "batch": 9, "p50_us": 1}]}
    for value in (100, 300, 200)
]
SYNCED = Floor("confirm_p50", "append", "p50_us", 100, 1)


class Ratios(unittest.TestCase):
    CASES = [
        ("each round is compared with itself", [10, 40], [1, 2], Spread(15, 10, 20)),
        ("one round", [3], [2], Spread(1.5, 1.5, 1.5)),
        ("a round that one side failed does not count", [10, 40], [None, 2], Spread(20, 20, 20)),
        ("nothing in common", [10, None], [None, 2], None),
        ("nobody was measured", [], [], None),
        ("nothing to divide by", [10], [0], None),
        ("fewer rounds of one side", [10, 20, 30], [10], Spread(1, 1, 1)),
    ]

    def test_rounds(self):
        for title, ours, theirs, expected in self.CASES:
            with self.subTest(title):
                self.assertEqual(ratio(rounds("rate", *ours), rounds("rate", *theirs), "rate"), expected)


class Aims(unittest.TestCase):
    FASTER = Aim("rate", "RabbitMQ", "≥", 5)
    SHORTER = Aim("confirm_p50", "floor", "≤", 1.5)
    SMALLER = Aim("memory_each", "nothing", "≤", 20)
    CASES = [
        ("just fast enough", FASTER, row("rate", [50], [10]), (5, True)),
        ("too slow", FASTER, row("rate", [49], [10]), (4.9, False)),
        ("the median of the ratios decides", FASTER, row("rate", [60, 10, 70], [10, 10, 10]), (6, True)),
        ("no ratio, no verdict", FASTER, row("rate", [60], [None]), None),
        ("against the median of the floor", SHORTER, row("confirm_p50", [300], [1], floor=SYNCED), (1.5, True)),
        ("above the floor", SHORTER, row("confirm_p50", [302], [1], floor=SYNCED), (1.51, False)),
        ("a row without a floor", SHORTER, row("confirm_p50", [300], [1]), None),
        ("absolute, in the unit that is printed", SMALLER, row("memory_each", [20_000], []), (20, True)),
        ("absolute and too much", SMALLER, row("memory_each", [20_001], []), (20.001, False)),
    ]

    def test_verdicts(self):
        for title, aim, measured, expected in self.CASES:
            with self.subTest(title):
                self.assertEqual(judge(aim, measured, FLOORS), expected)

    def test_words(self):
        self.assertEqual(self.FASTER.text(), "≥ 5 ×")
        self.assertEqual(Aim("confirm_p99", "RabbitMQ", "≤", 1 / 3).text(), "≤ 1/3 ×")
        self.assertEqual(self.SHORTER.text(), "≤ 1.5 × the floor")
        self.assertEqual(self.SMALLER.text(), "≤ 20 KB")

    def test_a_floor_that_was_not_measured(self):
        self.assertIsNone(SYNCED.value([]))
        self.assertIsNone(Floor("rate", "stream", "rate", 12).value(FLOORS))


class Table(unittest.TestCase):
    def test_numbers_have_three_digits(self):
        shown = {0: "0", 0.01234: "0.0123", 1.2345: "1.23", 12.345: "12.3", 99.99: "100", 123.4: "123",
                 123456: "123,000", None: "–"}
        for value, text in shown.items():
            with self.subTest(value=value):
                self.assertEqual(report.number(value), text)

    def test_a_line_for_each_figure(self):
        measured = row("rate", [50, 70], [10, 10], [Aims.FASTER])
        measured["judged"].append("confirm_p99")
        for side, latency in ((OURS, 1500), (THEIRS, 3000)):
            measured["sides"][side][0]["figures"]["confirm_p99"] = latency
        lines = list(report.lines_of(measured, []))
        expected = ["S1 title", "1", "rate, /s", "60.0", "10.0", "6.00 (5.00–7.00)", "≥ 5 ×", "yes"]
        self.assertEqual(lines[0][:8], expected)
        self.assertEqual(lines[1][:8], ["", "", "confirm p99, ms", "1.50", "3.00", "0.500 (0.500–0.500)", "", ""])

    def test_a_failure_is_a_row_that_says_so(self):
        line = next(report.lines_of(row("rate", [None, None], [10, None], [Aims.FASTER]), []))
        self.assertEqual(line[3:8], ["–", "10.0", "–", "≥ 5 ×", "–"])
        self.assertEqual(line[-1], "Quorate fails: it fell; RabbitMQ fails: it fell (1 of 2)")

    def test_what_both_sides_say_is_said_once(self):
        self.assertEqual(report.remarks(row("rate", [None], [None])), "fails: it fell")

    def test_notes_are_counted(self):
        some = [{"figures": {}, "note": "x"}, {"figures": {}, "note": "x"}, {"figures": {}}]
        self.assertEqual(notes(some), ["x (2 of 3)"])
        self.assertEqual(notes(some[:2]), ["x"])

    def test_above_the_floor(self):
        measured = row("confirm_p50", [300], [], floor=SYNCED)
        self.assertEqual(report.floor_text(measured, FLOORS), "1.50 × one fdatasync")

    def test_the_page_keeps_what_people_wrote(self):
        facts = dict.fromkeys(("date", "machine", "versions", "command", "rounds"), "said")
        results = {"facts": facts, "floors": [], "rows": [row("rate", [50], [10], [Aims.FASTER])]}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "PAGE.md")
            with open(path, "w") as file:
                file.write("# Title\n\nBefore.\n")
            report.write_page(path, results)
            with open(path, "a") as file:
                file.write("After.\n")
            results["facts"] = dict.fromkeys(facts, "again")
            report.write_page(path, results)
            with open(path) as file:
                page = file.read()
        self.assertTrue(page.startswith("# Title\n\nBefore.\n\n" + report.BEGIN))
        self.assertTrue(page.endswith(report.END + "\nAfter.\n"))
        self.assertIn("1 of 1 aims reached", page)
        self.assertNotIn("said", page)


class Generators(unittest.TestCase):
    FOUND = {
        "seconds": 10, "sent": 260, "confirmed": 210, "received": 160, "lost": 2, "duplicated": 0,
        "rate": {"sent": 20, "confirmed": 15, "received": 10},
        "confirm_latency_us": {"p50": 5, "p99": 9, "max": 9}, "delivery_latency_us": {"p50": 0, "p99": 0, "max": 0},
        "broker": {"cpu_us": 400, "peak_rss_bytes": 7, "written_bytes": 8},
    }

    def test_a_message_is_one_that_arrived(self):
        expected = {"rate": 10, "confirm_p50": 5, "confirm_p99": 9, "cpu_us": 2, "per_cpu_second": 500_000}
        self.assertEqual(figures_of(self.FOUND), expected | {"memory": 7, "written": 8})

    def test_or_one_that_was_confirmed(self):
        self.assertEqual(figures_of(self.FOUND | {"rate": {"sent": 20, "confirmed": 15, "received": 0}})["rate"], 15)

    def test_copies_share_the_cost(self):
        self.assertEqual(figures_of(self.FOUND | {"rate": {"sent": 1, "confirmed": 1, "received": 10}})["cpu_us"], 4)

    def test_complaints(self):
        self.assertEqual(complaints(self.FOUND), "2 lost, publishers outran consumers")
        even = {"sent": 10, "confirmed": 10, "received": 10}
        self.assertEqual(complaints({"lost": 0, "rate": even}), "")

    def test_queues(self):
        self.assertEqual(queues_of("-x 1 -u a"), ["a"])
        self.assertEqual(queues_of("-qp s-%d -qpf 2 -qpt 3"), ["s-2", "s-3"])


class Losses(unittest.TestCase):
    def test_ranges(self):
        self.assertEqual(told_missing(set(), 9, 0), "")
        expected = "4 confirmed messages lost (3–5, 9–9; 7 found, the queue says 2 are left)"
        self.assertEqual(told_missing({9, 3, 5, 4}, 7, 2), expected)


class Scenarios(unittest.TestCase):
    def test_every_row_can_be_printed(self):
        for group in scenarios.GROUPS:
            for one in group.rows:
                with self.subTest(one.title):
                    self.assertTrue(one.measure.how)
                    self.assertLessEqual(set(one.figures()), set(FIGURES))

    def test_rows_are_told_apart(self):
        rows = [(group.scenario, group.nodes, one.title) for group in scenarios.GROUPS for one in group.rows]
        self.assertEqual(len(rows), len(set(rows)))

    def test_unknown_names_are_refused(self):
        self.assertEqual({group.scenario for group in scenarios.chosen(["S5"])}, {"S5"})
        with self.assertRaises(ValueError):
            scenarios.chosen(["S5", "S99"])


class Micro(unittest.TestCase):
    def test_times_are_nanoseconds(self):
        said = [{"name": "a", "cpu_time": 2, "time_unit": "us", "allocations": 1.5},
                {"name": "b", "error_occurred": True, "error_message": "no disk"},
                {"name": "a_mean", "run_type": "aggregate"}]
        expected = {"a": {"figures": {"time": 2000, "allocations": 1.5}}, "b": {"failed": "no disk"}}
        self.assertEqual(micro.read(said), expected)

    def test_only_what_all_rounds_say_is_a_verdict(self):
        self.assertEqual(micro.verdict(Spread(0.9, 0.85, 0.94), 3), "faster")
        self.assertEqual(micro.verdict(Spread(0.9, 0.85, 1.01), 3), "")
        self.assertEqual(micro.verdict(Spread(1.1, 1.06, 1.2), 3), "slower")
        self.assertEqual(micro.verdict(Spread(1.1, 1.06, 1.2), 2), "")

    def test_a_benchmark_that_one_side_lacks(self):
        rows = {("x_bench", "new"): {OURS: rounds("time", 10), THEIRS: []}}
        self.assertEqual(micro.table(rows, "abc")[1][:4], ["x: new", "10.0 ns", "–", "only here"])


def main():
    result = unittest.main(exit=False).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
