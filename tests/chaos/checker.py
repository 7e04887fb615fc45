#!/usr/bin/python3
"""Judges a history: what was promised to the clients, against what they saw. Pure; see history.py for the events.

The promises, by the name under which a broken one is reported:

  lost           what was confirmed and not returned is delivered at least once from every queue it was routed to
  phantom        nothing is delivered that was not published, and nothing from a queue that it was not routed to
  unroutable     no mandatory message comes back: the bindings are there all the time
  unmarked       of all deliveries of one publication from one queue at most one is without redelivered=true
  unexplained    a publication is delivered again only if whoever held it handed it back, or its channel ended. AMQP
                 answers no ack, so an ack on a channel that ended may not have taken effect; on a channel that goes on
                 it has to. The broker may notice the end of a channel before the client does, by up to GRACE.
  repeated       nothing is delivered again after its ack is known to have taken effect
  resent         the test itself publishes again only what was nacked or of unknown outcome
  disordered     unmarked deliveries to one consumer follow the order in which one channel published them. Marked ones
                 have been somebody's before, and two consumers see no common order.
  count_back     x-delivery-count of a publication never decreases, as far as it is present
  left           in the end every queue is empty, as seen from every node, and every node can say so
  metadata       a register per key: see registers.py

    checker.py HISTORY [ROUTES]     the verdict on a history that was saved; exit code 1 if a promise was broken
"""

import collections
import json
import sys

from history import load
from registers import check_registers

GRACE = 60.0  # seconds between the broker taking a channel for dead and the client's knowing it
PROMISES = (
    "lost",
    "phantom",
    "unroutable",
    "unmarked",
    "unexplained",
    "repeated",
    "resent",
    "disordered",
    "count_back",
    "left",
    "metadata",
)
AFTER_FAULT = 30.0  # seconds after the end of a fault in which a gap is counted as its


class Verdict:
    def __init__(self):
        self.published = self.confirmed = self.delivered = self.explained = self.metadata_operations = 0
        self.broken = {promise: [] for promise in PROMISES}
        self.longest_gap, self.gap_place = 0.0, ""
        self.fault_gaps = collections.OrderedDict()  # fault -> seconds

    @property
    def unexplained(self):
        return sum(len(self.broken[promise]) for promise in ("unmarked", "unexplained", "repeated", "resent"))

    def kept(self):
        return not any(self.broken.values())

    def lines(self):
        others = {name: self.broken[name] for name in ("phantom", "unroutable", "count_back", "left", "metadata")}
        rows = [
            f"published {self.published}, confirmed {self.confirmed}, delivered {self.delivered}",
            f"duplicated {self.explained} explained, {self.unexplained} unexplained",
            f"lost {len(self.broken['lost'])}, out of order {len(self.broken['disordered'])}",
            f"metadata operations {self.metadata_operations}",
            f"longest gap between confirms {self.longest_gap:.2f} s{self.gap_place and ' (' + self.gap_place + ')'}",
        ]
        rows += [f"longest gap in {fault}: {gap:.2f} s" for fault, gap in self.fault_gaps.items()]
        rows += [f"{name} {len(examples)}" for name, examples in others.items() if examples]
        for promise, examples in self.broken.items():
            rows += [f"  {promise}: {example}" for example in examples[:5]]
            rows += [f"  {promise}: … {len(examples) - 5} more"] if len(examples) > 5 else []
        return rows + ["verdict: " + ("every promise was kept" if self.kept() else "BROKEN PROMISES")]


def name(message, queue=""):
    publisher, number, attempt = message
    return f"{publisher}#{number}" + (f" attempt {attempt}" if attempt else "") + (f" from {queue}" if queue else "")


def judge(events, routes):
    """`routes`: target -> the queues that a publication to it reaches."""
    verdict = Verdict()
    check_publications(events, verdict)
    check_deliveries(events, routes, verdict)
    check_order(events, verdict)
    measure_gaps(events, verdict)
    for event in events:
        if event.kind == "left" and event.detail != 0:
            verdict.broken["left"].append(f"{event.subject} as seen from {event.node}: {event.detail}")
    verdict.metadata_operations, verdict.broken["metadata"] = check_registers(events)
    return verdict


def lost(events, routes):
    """What was confirmed and has not come from every queue: while queues are still being emptied, what is awaited."""
    verdict = Verdict()
    check_deliveries(events, routes, verdict)
    return verdict.broken["lost"]


def check_publications(events, verdict):
    uncertain, published = set(), set()
    for event in events:
        if event.kind == "publish":
            publisher, number, attempt = event.message
            published.add((publisher, number))
            if attempt and (publisher, number, attempt - 1) not in uncertain:
                verdict.broken["resent"].append(name(event.message))
        elif event.kind in ("unknown", "nack"):
            uncertain.add(event.message)
        elif event.kind == "return":
            verdict.broken["unroutable"].append(f"{name(event.message)}: {event.detail}")
        elif event.kind == "confirm":
            verdict.confirmed += 1
    verdict.published = len(published)


def check_deliveries(events, routes, verdict):
    targets = {}  # message -> target
    confirmed, returned = [], set()
    ends = {}  # channel -> (time, it ended by itself)
    deliveries = collections.defaultdict(list)  # (queue, message) -> events, in the order of arrival
    requeued, settled = set(), {}  # (queue, message, channel); settled -> time
    for event in events:
        if event.kind == "publish":
            targets[event.message] = event.detail
        elif event.kind == "confirm":
            confirmed.append(event.message)
        elif event.kind == "return":
            returned.add(event.message)
        elif event.kind == "deliver":
            deliveries[event.subject, event.message].append(event)
        elif event.kind == "requeue":
            requeued.add((event.subject, event.message, event.channel))
        elif event.kind == "settled":
            settled.setdefault((event.subject, event.message), event)
        elif event.kind in ("lost", "closed"):
            ends.setdefault(event.channel, (event.time, event.kind == "lost"))

    for message in confirmed:
        for queue in routes[targets[message]]:
            if (queue, message) not in deliveries and message not in returned:
                verdict.broken["lost"].append(name(message, queue))

    seen = collections.Counter()
    for (queue, message), arrivals in deliveries.items():
        if queue not in routes.get(targets.get(message), ()):
            verdict.broken["phantom"].append(name(message, queue))
            continue
        seen[queue, message[:2]] += len(arrivals)
        if len(arrivals) > 1:
            check_again(queue, message, arrivals, requeued, settled.get((queue, message)), ends, verdict)
    verdict.delivered = len(seen)
    verdict.explained = max(0, sum(seen.values()) - len(seen) - verdict.unexplained)


def check_again(queue, message, arrivals, requeued, settled, ends, verdict):
    """One publication that arrived more than once from one queue."""
    unmarked = [arrival for arrival in arrivals if not arrival.detail[0]]
    verdict.broken["unmarked"] += [name(message, queue) for _ in unmarked[1:]]

    # All but one must have been let go of. It does not matter in which order they arrived here: what a node that was
    # cut off had sent may arrive after what another one sent later.
    latest = max(arrival.time for arrival in arrivals)
    held = 0
    for arrival in arrivals:
        time, by_itself = ends.get(arrival.channel, (float("inf"), False))
        handed_back = (queue, message, arrival.channel) in requeued
        if not handed_back and time > latest + (GRACE if by_itself else 0):
            held += 1
    verdict.broken["unexplained"] += [f"{name(message, queue)}, held by {held}"] * max(0, held - 1)

    if settled:
        holder = next(arrival for arrival in arrivals if arrival.channel == settled.channel)
        for arrival in arrivals:
            came_first = arrival.detail[0] < holder.detail[0] or count_of(arrival) < count_of(holder)
            if arrival.time > settled.time and not came_first:
                verdict.broken["repeated"].append(name(message, queue))

    highest = 0
    for arrival in arrivals:
        if arrival.detail[1] is None:
            continue
        if arrival.detail[1] < highest and not ends.get(arrival.channel, (0, False))[1]:
            verdict.broken["count_back"].append(f"{name(message, queue)}: {arrival.detail[1]} after {highest}")
        highest = max(highest, arrival.detail[1])


def count_of(arrival):
    return arrival.detail[1] or 0


def check_order(events, verdict):
    origin, position = {}, 0  # message -> (channel it was published on, position)
    newest = {}  # (queue, consumer, publishing channel) -> (position, message)
    for event in events:
        if event.kind == "publish":
            position += 1
            origin[event.message] = (event.channel, position)
        elif event.kind == "deliver" and not event.detail[0] and event.message in origin:
            channel, at = origin[event.message]
            key = (event.subject, event.client, channel)
            before, other = newest.get(key, (0, None))
            if at < before:
                verdict.broken["disordered"].append(f"{name(event.message, event.subject)} after {name(other)}")
            elif at > before:  # equal: the same one again, which is not a matter of order
                newest[key] = (at, event.message)


def gaps_between_confirms(events, by_client=False):
    """(seconds, target or publisher, from, to), from the first publication to the last: while publishers work, something
    is always under way."""
    begin = next((event.time for event in events if event.kind == "begin"), None)
    end = next((event.time for event in reversed(events) if event.kind == "end"), None)
    if begin is None or end is None:
        return []
    series_of, moments = {}, collections.defaultdict(list)
    for event in events:
        if event.kind == "publish" and event.subject != "marker":
            series = event.client if by_client else event.detail
            series_of[event.message] = series
            moments[series]  # a series without any confirm is one long gap
        elif event.kind == "confirm" and begin <= event.time <= end and event.message in series_of:
            moments[series_of[event.message]].append(event.time)
    gaps = []
    for series, times in moments.items():
        times = [begin] + times + [end]
        gaps += [(after - before, series, before, after) for before, after in zip(times, times[1:])]
    return gaps


def longest_between(gaps, begin, end):
    return max((gap[0] for gap in gaps if gap[3] >= begin and gap[2] <= end), default=0.0)


def measure_gaps(events, verdict):
    gaps = gaps_between_confirms(events)
    if gaps:
        verdict.longest_gap, verdict.gap_place = max(gap[:2] for gap in gaps)
    for index, event in enumerate(events):
        if event.kind == "fault":
            over = next((e.time for e in events[index:] if e.kind == "heal" and e.subject == event.subject), event.time)
            longest = longest_between(gaps, event.time, over + AFTER_FAULT)
            verdict.fault_gaps[event.subject] = max(longest, verdict.fault_gaps.get(event.subject, 0.0))


if __name__ == "__main__":
    with open(sys.argv[2] if len(sys.argv) > 2 else sys.argv[1] + ".routes") as file:
        verdict = judge(load(sys.argv[1]), json.load(file))
    print("\n".join(verdict.lines()))
    sys.exit(0 if verdict.kept() else 1)
