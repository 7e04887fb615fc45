#!/usr/bin/python3
"""The checker misses no broken promise and sees none that is not there: small forged histories with their verdicts.

A history is one line: words in order, one tick of 1 s each. Publications go to target t, which reaches queue q.

    p1            publisher p's message 1 is published on its channel P      p1+1   its second attempt
    ok1 no1 ?1    confirmed, nacked, unknown                                 back1  returned
    A:1 A:1*      consumer A got 1 from q, marked redelivered                A:1*2  with x-delivery-count 2
    A:ack1 A:nack1 A:settled1
    A:lost A:closed   its channel ended by itself, or was closed             +50    50 s pass
    left0         a node sees that many in q
"""

import re
import unittest

from checker import judge
from history import History
from registers import Operation, is_linearizable

CASES = [
    ("all is well", "p1 p2 ok1 ok2 A:1 A:ack1 A:2 A:ack2 A:settled1 left0", []),
    ("nothing happened", "left0", []),
    ("a lost message", "p1 p2 ok1 ok2 A:1", ["lost"]),
    ("what was not confirmed may be missing", "p1 p2 ok2 ?1 A:2", []),
    ("what was not confirmed may arrive", "p1 ?1 A:1", []),
    ("what was nacked may be missing, and arrive", "p1 no1 p2 no2 A:2", []),
    ("the attempt that was confirmed is the one that counts", "p1 ?1 p1+1 ok1+1 A:1", ["lost"]),
    ("an attempt of unknown outcome and the next arrive both", "p1 ?1 p1+1 ok1+1 A:1 A:1+1", []),
    ("published again without need", "p1 p1+1 ok1 ok1+1 A:1 A:1+1", ["resent"]),
    ("never published", "p1 ok1 A:1 A:2", ["phantom"]),
    ("from another queue", "p1 ok1 A:1 A@other:1", ["phantom"]),
    ("returned, which is not lost", "p1 back1 ok1", ["unroutable"]),
    ("twice without the mark", "p1 ok1 A:1 A:lost B:1", ["unmarked"]),
    ("again although its holder goes on", "p1 ok1 A:1 B:1*", ["unexplained"]),
    ("again although its holder acked and goes on", "p1 ok1 A:1 A:ack1 B:1*", ["unexplained"]),
    ("again after the holder's channel ended", "p1 ok1 A:1 A:ack1 A:lost B:1*", []),
    ("again after the holder closed", "p1 ok1 A:1 A:closed B:1*", []),
    ("the broker noticed the end of the channel first", "p1 ok1 A:1 B:1* A:lost", []),
    ("but that long before is no excuse", "p1 ok1 A:1 B:1* +70 A:lost", ["unexplained"]),
    ("closing later is no excuse either", "p1 ok1 A:1 B:1* A:closed", ["unexplained"]),
    ("again after it was handed back", "p1 ok1 A:1 A:nack1 A:1* A:ack1", []),
    ("handed back once, again twice", "p1 ok1 A:1 A:nack1 B:1* C:1*", ["unexplained"]),
    ("first marked: after a crash nobody knows", "p1 ok1 A:1*", []),
    ("again after its ack has taken effect", "p1 ok1 A:1 A:ack1 A:settled1 A:lost B:1*", ["repeated"]),
    ("seen late, sent before", "p1 ok1 A:1* A:ack1 A:settled1 B:1 B:lost", []),
    ("out of order", "p1 p2 ok1 ok2 A:2 A:1", ["disordered"]),
    ("two consumers share no order", "p1 p2 ok1 ok2 A:2 B:1", []),
    ("a marked one has left its place", "p1 p2 ok1 ok2 A:2 A:1*", []),
    ("two channels of a publisher share no order", "p1 P:new p2 ok1 ok2 A:2 A:1", []),
    ("counts go up", "p1 ok1 A:1 A:nack1 A:1*1 A:nack1 A:1*2", []),
    ("counts go back", "p1 ok1 A:1 A:nack1 A:1*2 A:nack1 A:1*1", ["count_back"]),
    ("something is left", "p1 ok1 A:1 left1", ["left"]),
    ("nobody can say what is left", "p1 ok1 A:1 left?", ["left"]),
]

# Operations of one key as (start, end or None, what); a look is `there` or `gone`.
REGISTERS = [
    ("one after the other", [(0, 1, "declare"), (2, 3, "there"), (4, 5, "delete"), (6, 7, "gone")], True),
    ("declared and confirmed, then not there", [(0, 1, "declare"), (2, 3, "gone")], False),
    ("deleted and confirmed, still there", [(0, 1, "declare"), (2, 3, "delete"), (4, 5, "there")], False),
    ("seen while it is being declared", [(0, 9, "declare"), (1, 2, "gone"), (3, 4, "there")], True),
    ("seen, then not any more", [(0, 9, "declare"), (1, 2, "there"), (3, 4, "gone")], False),
    ("unknown, happened late", [(0, None, "declare"), (1, 2, "gone"), (5, 6, "there")], True),
    ("unknown, never happened", [(0, None, "declare"), (1, 2, "gone"), (5, 6, "gone")], True),
    ("unknown, happened, and undone by nobody", [(0, None, "declare"), (1, 2, "there"), (5, 6, "gone")], False),
    ("there from nowhere", [(0, 1, "there")], False),
    ("two at once", [(0, 5, "declare"), (0, 5, "delete"), (6, 7, "there"), (8, 9, "there")], True),
    ("two at once, seen both ways", [(0, 5, "declare"), (0, 5, "delete"), (6, 7, "there"), (8, 9, "gone")], False),
]


def forge(line):
    now = [0.0]
    history = History(clock=lambda: now[0])
    publishing = "P"
    for word in line.split():
        now[0] += 1
        if match := re.fullmatch(r"\+(\d+)", word):
            now[0] += int(match[1])
        elif word == "P:new":
            publishing += "'"
        elif match := re.fullmatch(r"left(.+)", word):
            history.add("left", node="n1", subject="q", detail=int(match[1]) if match[1].isdigit() else match[1])
        elif match := re.fullmatch(r"(p|ok|no|\?|back)(\d+)(?:\+(\d+))?", word):
            kind = {"p": "publish", "ok": "confirm", "no": "nack", "?": "unknown", "back": "return"}[match[1]]
            message = ("p", int(match[2]), int(match[3] or 0))
            history.add(kind, channel=publishing, message=message, detail="t" if kind == "publish" else None)
        elif match := re.fullmatch(r"(\w)(@\w+)?:(\d+)(?:\+(\d+))?(\*(\d*))?", word):
            message = ("p", int(match[3]), int(match[4] or 0))
            detail = [bool(match[5]), int(match[6]) if match[6] else None]
            queue = (match[2] or "@q")[1:]
            history.add("deliver", match[1], channel=match[1], subject=queue, message=message, detail=detail)
        elif match := re.fullmatch(r"(\w):(lost|closed)", word):
            history.add(match[2], match[1], channel=match[1])
        elif match := re.fullmatch(r"(\w):(ack|nack|settled)(\d+)", word):
            kind = "requeue" if match[2] == "nack" else match[2]
            history.add(kind, match[1], channel=match[1], subject="q", message=("p", int(match[3]), 0))
        else:
            raise ValueError(word)
    return history.events


class CheckerTest(unittest.TestCase):
    def test_histories(self):
        for title, line, broken in CASES:
            with self.subTest(title):
                verdict = judge(forge(line), {"t": ["q"]})
                self.assertEqual([promise for promise, found in verdict.broken.items() if found], broken)

    def test_every_promise_can_break(self):
        judged = {promise for _, _, broken in CASES for promise in broken}
        self.assertEqual(judged | {"metadata"}, set(judge([], {}).broken))

    def test_counts(self):
        verdict = judge(forge("p1 ok1 p2 ?2 p2+1 ok2+1 A:1 A:nack1 A:1* A:2 A:2+1 left0"), {"t": ["q"]})
        self.assertEqual((verdict.published, verdict.confirmed, verdict.delivered), (2, 2, 2))
        self.assertEqual((verdict.explained, verdict.unexplained), (2, 0))

    def test_gaps(self):
        now = [0.0]
        history = History(clock=lambda: now[0])

        def at(moment, *event, **more):
            now[0] = moment
            history.add(*event, **more)

        at(0, "begin")
        for target in ("t", "u"):
            for number in range(100):
                at(0.1, "publish", message=(target, number, 0), detail=target)
        for number, moment in enumerate((1, 2, 3, 8, 9)):
            at(moment, "confirm", message=("t", number, 0))
        at(4, "fault", subject="kill")
        at(5, "heal", subject="kill")
        for number, moment in enumerate((1, 3, 5, 7)):
            at(moment, "confirm", message=("u", number, 0))
        at(10, "end")
        history.events.sort(key=lambda event: event.time)
        verdict = judge(history.events, {"t": [], "u": []})
        self.assertEqual((verdict.longest_gap, verdict.gap_place, dict(verdict.fault_gaps)), (5, "t", {"kill": 5}))

    def test_registers(self):
        for title, rows, expected in REGISTERS:
            with self.subTest(title):
                operations = []
                for start, end, what in rows:
                    operation = Operation(start, "look" if what in ("there", "gone") else what)
                    operation.end = float("inf") if end is None else end
                    if not operation.writes:
                        operation.value = what == "there"
                    operations.append(operation)
                self.assertEqual(is_linearizable(operations), expected)

    def test_registers_in_a_history(self):
        history = History()
        steps = [("invoke", [1, "declare"]), ("ok", [1, None]), ("invoke", [2, "look"]), ("ok", [2, False])]
        for kind, detail in steps:
            history.add(kind, subject="k", detail=detail)
        self.assertEqual(len(judge(history.events, {}).broken["metadata"]), 1)


if __name__ == "__main__":
    unittest.main()
