"""Rows about what clients notice when a node dies, stops or comes back."""

import threading
import time

import admin
from measure import GRACE_SECONDS, Failure, measurement, queues_of, remove


def failover(freezes):
    """The node that leads a quorum queue dies or stops; a publisher at another node waits for its confirm."""
    deed = "frozen for 10 s (SIGSTOP)" if freezes else "killed (SIGKILL)"

    @measurement("a publisher at the second node, one confirm after the other, into a quorum queue that the first "
                 f"node leads; the first is {deed}; then the queue is emptied and compared with what was confirmed")
    def measure(stage):
        queue = "failover"
        admin.declare(stage.address, [queue], {"x-queue-type": "quorum"})
        publisher = ContinuousPublisher(stage.broker.addresses[1], queue)
        publisher.start()
        try:
            publisher.await_confirms(50)
            if freezes:
                stage.broker.freeze(0)
                time.sleep(10)
                stage.broker.thaw(0)
            else:
                stage.broker.kill(0)
            publisher.await_confirms(200)
        finally:
            publisher.stop()
            if not freezes:
                stage.broker.restart(0)
            stage.broker.await_ready()
            stage.pids[:] = stage.broker.pids()
        bodies, left = admin.empty(stage.broker.addresses[1], queue)
        missing = publisher.confirmed - {int(body) for body in bodies}
        remove(stage, [queue])
        return {"figures": {"gap": publisher.longest_gap}, "note": told_missing(missing, len(bodies), left)}

    return measure


def told_missing(missing, found, left):
    """Which confirmed messages an emptied queue did not give; with what somebody needs who searches for them."""
    if not missing:
        return ""
    ranges = []
    for number in sorted(missing):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    where = ", ".join(f"{first}–{last}" for first, last in ranges)
    return f"{len(missing)} confirmed messages lost ({where}; {found} found, the queue says {left} are left)"


class ContinuousPublisher(threading.Thread):
    """Publishes until it is stopped, connecting again whenever it has to; remembers confirms and the longest gap."""

    LIMIT_SECONDS = 60

    def __init__(self, address, queue):
        super().__init__(daemon=True)
        self.publisher = admin.SyncPublisher(address, queue)
        self.confirmed, self.longest_gap = set(), 0.0
        self.stopping = threading.Event()

    def run(self):
        last = time.monotonic()
        while not self.stopping.is_set():
            try:
                number = self.publisher.publish()
            except admin.REFUSALS:
                self.publisher.drop()
                self.stopping.wait(0.01)
                continue
            now = time.monotonic()
            self.confirmed.add(number)
            self.longest_gap, last = max(self.longest_gap, now - last), now

    def await_confirms(self, more):
        """Until so many more are confirmed."""
        wanted, until = len(self.confirmed) + more, time.monotonic() + self.LIMIT_SECONDS
        while len(self.confirmed) < wanted:
            if time.monotonic() > until:
                raise Failure(f"no confirm for {self.LIMIT_SECONDS} s")
            time.sleep(0.01)

    def stop(self):
        self.stopping.set()
        self.join()
        self.publisher.drop()


def recovery(count, words):
    """A backlog, `kill -9`, and the time until a consumer has its first message again."""

    @measurement(f"`quorate-perf {words}`, every process killed, started again; the time until a consumer has one "
                 "message, start of the process included")
    def measure(stage):
        queue, wanted = queues_of(words)[0], round(count * stage.scale)
        stage.generate(words.format(count=wanted), None, stage.options.count_seconds)
        stage.broker.kill(0)
        begin = time.monotonic()
        stage.broker.restart(0)
        stage.broker.await_ready()
        stage.pids[:] = stage.broker.pids()
        while True:
            try:
                admin.first_delivery(stage.address, queue)
                break
            except admin.REFUSALS as error:
                if time.monotonic() - begin > GRACE_SECONDS:
                    raise Failure(f"no delivery within {GRACE_SECONDS} s: {error}") from error
                time.sleep(0.02)
        figures = {"first_delivery": time.monotonic() - begin}
        remove(stage, [queue])
        return {"figures": figures, "note": f"{wanted:,} messages"}

    return measure
