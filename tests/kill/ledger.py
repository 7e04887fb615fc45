"""What was promised and what happened: every message of the kill test, followed to its end.

One Ledger for all threads, under one lock. A message is (publisher, number); a queue is a name. The
promises that are checked:

  lost        a confirmed message is delivered at least once from each queue it was routed to
  repeated    a message is not delivered again once its ack is settled: acked, and then a confirm
              round trip on the same channel and queue was completed
  unmarked    a message that was delivered before is delivered with redelivered=true
  disordered  first deliveries of one publisher come from each queue in the order of publication
  unbound     no mandatory message came back
"""

import collections
import threading

PROMISES = ("lost", "repeated", "unmarked", "disordered", "unbound")


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.routes = {}  # publisher -> queues its messages go to
        self.sent = collections.Counter()
        self.confirmed = collections.defaultdict(set)  # publisher -> numbers
        self.nacked = 0
        self.delivered = collections.defaultdict(set)  # (queue, publisher) -> numbers
        self.newest = {}  # (queue, publisher) -> highest number delivered so far
        self.settled = collections.defaultdict(set)  # queue -> messages
        self.again = 0  # redeliveries, all of them allowed unless counted below
        self.marked = 0  # first deliveries that carry redelivered=true: allowed, reported
        self.broken = collections.defaultdict(list)  # promise -> examples

    def publishes(self, publisher, queues):
        self.routes[publisher] = list(queues)

    def on_sent(self, publisher, count):
        with self.lock:
            self.sent[publisher] += count

    def on_confirmed(self, publisher, numbers):
        with self.lock:
            self.confirmed[publisher].update(numbers)

    def on_returned(self, publisher, text):
        with self.lock:
            self.broken["unbound"].append(f"{publisher}: {text}")

    def on_delivered(self, queue, publisher, number, redelivered):
        with self.lock:
            message = f"{publisher}#{number} from {queue}"
            seen = self.delivered[queue, publisher]
            if number in seen:
                self.again += 1
                if (publisher, number) in self.settled[queue]:
                    self.broken["repeated"].append(message)
                if not redelivered:
                    self.broken["unmarked"].append(message)
                return
            self.marked += redelivered
            if number < self.newest.get((queue, publisher), 0):
                self.broken["disordered"].append(f"{message} after {self.newest[queue, publisher]}")
            self.newest[queue, publisher] = max(number, self.newest.get((queue, publisher), 0))
            seen.add(number)

    def on_settled(self, queue, messages):
        with self.lock:
            self.settled[queue].update(messages)

    def missing(self):
        """Confirmed messages that have not been seen, as (queue, publisher, number)."""
        with self.lock:
            return [
                (queue, publisher, number)
                for publisher, numbers in self.confirmed.items()
                for queue in self.routes[publisher]
                for number in sorted(numbers - self.delivered[queue, publisher])
            ]

    def close(self):
        """The last account: whatever is confirmed and still missing is lost."""
        self.broken["lost"] = [f"{publisher}#{number} from {queue}" for queue, publisher, number in self.missing()]

    def table(self):
        rows = [("published", sum(self.sent.values())), ("confirmed", sum(map(len, self.confirmed.values())))]
        rows += [("delivered", sum(map(len, self.delivered.values()))), ("delivered again", self.again)]
        rows += [("first but marked redelivered", self.marked), ("acks settled", sum(map(len, self.settled.values())))]
        rows += [("nacked", self.nacked)]
        rows += [(promise.upper(), len(self.broken[promise])) for promise in PROMISES]
        return rows

    def kept(self):
        return not any(self.broken.values())
